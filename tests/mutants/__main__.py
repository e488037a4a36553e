# ruff: noqa: T201
"""Puts small faults into a copy of the project and sees whether the nearest tests notice.

    python -m tests.mutants load.hash load.merge --seed 7 --each 10
    python -m tests.mutants load --list
    python -m tests.mutants load.hash --only "…: comparison: == -> !="

Ends with 0 when every mutation was noticed, 1 when one survived, 2 when the tests fail without any.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import tomllib
from pathlib import Path

from tests.mutants.mutation import Mutation, sample
from tests.mutants.scopes import SCOPES, Scope, chosen
from tests.mutants.trial import TestsFail, Trial
from tests.project_copy import copy_project

ROOT = Path(__file__).parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
NAMED = Path(__file__).with_name("named.toml")


def main() -> int:
    asked = _arguments()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    try:
        scopes = chosen(asked.scopes or list(SCOPES))
    except KeyError as unknown:
        print(f"No scope is named {unknown}; there are: {', '.join(SCOPES)}", file=sys.stderr)
        return 2
    print(
        f"mutants: seed {seed}, the named ones and {asked.each} each of {', '.join(scopes)}",
        flush=True,
    )
    equivalent = tomllib.loads(EQUIVALENT.read_text())
    drawn = {
        name: _drawn(scope, equivalent, seed, asked.each, asked.only)
        for name, scope in scopes.items()
    }
    if asked.list:
        print("\n".join(m.name for mutations in drawn.values() for m in mutations))
        return 0
    try:
        survivors = [m for name in scopes for m in _survivors(name, scopes[name], drawn[name])]
    except TestsFail as problem:
        print(f"The tests fail without any mutation:\n{problem}", file=sys.stderr)
        return 2
    count = sum(map(len, drawn.values()))
    print(f"\n{count - len(survivors)} of {count} noticed; seed {seed}")
    for mutation in survivors:
        print(f"survived: {mutation.name}  (line {mutation.line})")
    return 1 if survivors else 0


def _drawn(
    scope: Scope, equivalent: dict[str, str], seed: int, each: int, only: list[str]
) -> list[Mutation]:
    every = scope.mutations(ROOT)
    paths = tuple(f"{path}:" for path in scope.files)
    gone = {n for n in equivalent if n.startswith(paths)} - {m.name for m in every}
    for name in sorted(gone) if not scope.within else ():
        print(f"listed as equivalent, and not generated any more: {name}", file=sys.stderr)
    if only:
        return [mutation for mutation in every if any(part in mutation.name for part in only)]
    named = set(tomllib.loads(NAMED.read_text()).values())
    rest = [m for m in every if m.name not in equivalent and m.name not in named]
    return [m for m in every if m.name in named] + sample(rest, each, seed)


def _survivors(name: str, scope: Scope, mutations: list[Mutation]) -> list[Mutation]:
    """Tries each, and prints what noticed it."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_project(Path(folder))
        trial = Trial(Path(folder), scope.tests)
        trial.try_unchanged()
        survivors = []
        for mutation in mutations:
            noticed = trial.notices(mutation)
            print(f"{name}: {mutation.name}\n    {noticed or 'SURVIVED'}", flush=True)
            if noticed is None:
                survivors.append(mutation)
    return survivors


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("scopes", nargs="*", help=f"of {', '.join(SCOPES)}; none: all")
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--each",
        type=int,
        default=10,
        help="so many of each scope, besides those in named.toml; 0: these alone",
    )
    parser.add_argument("--only", action="append", default=[], metavar="PART_OF_A_NAME")
    parser.add_argument("--list", action="store_true", help="their names, without a trial")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
