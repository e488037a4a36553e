# ruff: noqa: T201
"""Small faults in what a sync is made of, to see whether verify_warehouse notices the wrong table.

    python -m tests.mutants.syncs paging deletions --seed 7 --each 10

Of each area mutations are drawn by the seed until ``--each`` of them have left another table behind,
and no run has failed or was partial: verification names a difference, or it says equal, and the
mutation survives, which ends the command with 1. One that leaves the table as it would be without it
is equivalent here, and listed with the syncs that were tried; those of ``equivalent.toml`` with the
reason that stands there.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

from tests.mutants.forked import answer_of_child
from tests.mutants.lives import AREAS, Area, Life, Outcome, lived
from tests.mutants.mutation import Mutation, sample
from tests.mutants.scopes import mutations_of

ROOT = Path(__file__).parents[2]
EQUIVALENT: dict[str, str] = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.syncs", description=__doc__)
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(AREAS)}; none: all")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--each", type=int, default=10, help="so many of each area")
    parser.add_argument("--only", action="append", default=[], metavar="PART_OF_A_NAME")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"mutants of syncs: seed {seed}", flush=True)
    survived = 0
    for name in asked.areas or AREAS:
        survived += _tried(name, AREAS[name], seed, asked.each, asked.only)
    return 1 if survived else 0


def _tried(name: str, area: Area, seed: int, each: int, only: list[str]) -> int:
    """How many survived."""
    ticks = [datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=n) for n in range(5)]
    healthy = {life: _outcome(life, None, area, ticks) for life in area.all_lives}
    for life, outcome in healthy.items():
        is_warned = not isinstance(outcome, str) and bool(outcome.warning)
        if isinstance(outcome, str) or outcome.noticed or is_warned != life.is_warned:
            sys.exit(f"{life.name} is noticed without any mutation: {outcome}")
    found: Counter[str] = Counter()
    for mutation in _drawn(area, seed, only):
        if reason := EQUIVALENT.get(mutation.name):
            print(f"{name}: {mutation.name}\n    listed: {reason}", flush=True)
            found["listed"] += 1
            continue
        verdict, why = _verdict(mutation, area, healthy, ticks)
        print(f"{name}: {mutation.name}\n    {verdict}: {why}", flush=True)
        found[verdict] += 1
        if found["noticed"] + found["SURVIVED"] >= each:
            break
    print(f"{name}: {dict(found)}, seed {seed}", flush=True)
    return found["SURVIVED"]


def _drawn(area: Area, seed: int, only: list[str]) -> Iterator[Mutation]:
    every = [
        mutation
        for path, within in area.files
        for mutation in mutations_of(ROOT, path)
        if mutation.within.startswith(within)
    ]
    # Texts for people change no table.
    every = [m for m in every if not (m.before[:1] in "\"'" and " " in m.before)]
    if only:
        return (m for m in every if any(part in m.name for part in only))
    return iter(sample(every, len(every), seed))


def _verdict(
    mutation: Mutation, area: Area, healthy: dict[Life, Outcome | str], ticks: list[datetime]
) -> tuple[str, str]:
    lives = area.lives_of(mutation.path)
    for life in lives:
        outcome = _outcome(life, mutation, area, ticks)
        if isinstance(outcome, str):
            return "the run fails", f"{life.name}: {outcome}"
        if outcome.noticed is not None:
            return "noticed", f"{life.name}: {outcome.noticed}"
        if outcome.warning not in {None, _warning(healthy[life])}:
            return "the run is partial", f"{life.name}: {outcome.warning}"
        if outcome != healthy[life]:
            return "SURVIVED", f"{life.name}: another table, and verification says equal"
    return "equivalent", f"the tables are the same after {', '.join(life.name for life in lives)}"


def _warning(outcome: Outcome | str) -> str | None:
    return None if isinstance(outcome, str) else outcome.warning


def _outcome(
    life: Life, mutation: Mutation | None, area: Area, ticks: list[datetime]
) -> Outcome | str:
    """A text: why it came to no end."""
    changed = None
    if mutation is not None:
        path = ROOT / mutation.path
        changed = (path, mutation.applied(path.read_bytes()))
    answer = answer_of_child(lambda: lived(life, area.steps, ticks), changed)
    return answer if isinstance(answer, Outcome) else str(answer)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    sys.exit(main())
