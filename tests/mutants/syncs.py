# ruff: noqa: T201
"""Small faults in what a sync is made of, to see whether verify_warehouse notices the wrong table.

    python -m tests.mutants.syncs paging deletions --seed 7 --each 10

Of each area mutations are drawn by the seed until ``--each`` of them have left another table behind,
and no run has failed or was partial: verification names a difference, or it says equal, and the
mutation survives, which ends the command with 1. The others leave the table as it would be without
them in all the lives that were tried, or the run itself says that something is wrong; those of
``equivalent.toml`` are listed with the reason that stands there.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import django

from tests.mutants.areas import AREAS, Area
from tests.mutants.forked import answers_of_child
from tests.mutants.mutation import Mutation, sample
from tests.mutants.outcome import Outcome

ROOT = Path(__file__).parents[2]
EQUIVALENT: Mapping[str, str] = tomllib.loads(
    Path(__file__).with_name("equivalent.toml").read_text()
)
NOTICED, SURVIVED = "noticed", "survived"
EQUAL, SAME, FAILED = "equivalent", "no table changed", "run failed or partial"
VERDICTS = (NOTICED, SURVIVED, EQUAL, SAME, FAILED)
# So many lives that were loud: the others will hardly be silent.
ENOUGH_LOUD = 3

Found = Counter[str]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.syncs", description=__doc__)
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(AREAS)}; none: all")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--each", type=int, default=10, help="so many of each area; 0: all")
    parser.add_argument("--only", action="append", default=[], metavar="PART_OF_A_NAME")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"mutants of syncs: seed {seed}", flush=True)
    found: dict[str, Found] = {}
    for name in asked.areas or AREAS:
        found[name] = _tried(name, AREAS[name], seed, asked.each or 10**6, asked.only)
    print("\n".join(_table(found, seed)))
    return 1 if any(counts[SURVIVED] for counts in found.values()) else 0


def _tried(name: str, area: Area, seed: int, each: int, only: list[str]) -> Found:
    trial = _Trial(area, datetime.now(UTC).replace(microsecond=0))
    found: Found = Counter()
    for mutation in _drawn(area, seed, only):
        begun = time.monotonic()
        verdict, why = trial.verdict(mutation)
        seconds = time.monotonic() - begun
        print(f"{name}: {mutation.name}\n    {verdict}: {why} ({seconds:.1f} s)", flush=True)
        found[verdict] += 1
        found["seconds"] += round(seconds)
        if found[NOTICED] + found[SURVIVED] >= each:
            break
    return found


def _drawn(area: Area, seed: int, only: list[str]) -> Iterable[Mutation]:
    every = area.mutations(ROOT)
    if only:
        return [m for m in every if any(part in m.name for part in only)]
    return sample(every, len(every), seed)


class _Trial:
    """``now``: of every life, so that the same comes out of the same."""

    def __init__(self, area: Area, now: datetime) -> None:
        self._area, self._now = area, now
        self._healthy: dict[str, Outcome] = {}

    def verdict(self, mutation: Mutation) -> tuple[str, str]:
        """And the reason. A life with a wrong table decides; else the first one that was loud."""
        if reason := EQUIVALENT.get(mutation.name):
            return EQUAL, reason
        lives = self._area.lives_of(mutation.path)
        self._live_without([life for life in lives if life not in self._healthy])
        path = ROOT / mutation.path
        loud: list[str] = []
        with closing(self._lived(lives, (path, mutation.applied(path.read_bytes())))) as outcomes:
            for life, outcome in outcomes:
                verdict, why = _judged(outcome, self._healthy[life])
                if verdict in (NOTICED, SURVIVED):
                    return verdict, f"{life}: {why}"
                if verdict == FAILED:
                    loud.append(f"{life}: {why}")
                if len(loud) == ENOUGH_LOUD:
                    break
        return (FAILED, loud[0]) if loud else (SAME, f"in {', '.join(lives)}")

    def _live_without(self, lives: list[str]) -> None:
        """Without any mutation; what is noticed then ends the command."""
        with closing(self._lived(lives, None)) as outcomes:
            for life, outcome in outcomes:
                if not isinstance(outcome, Outcome) or outcome.noticed:
                    sys.exit(f"{life} is noticed without any mutation: {outcome}")
                self._healthy[life] = outcome

    def _lived(
        self, lives: Iterable[str], changed: tuple[Path, bytes] | None
    ) -> Iterator[tuple[str, Any]]:
        lives = list(lives)
        asks = [partial(_lived, life, self._now) for life in lives]
        with closing(answers_of_child(asks, changed)) as answers:
            yield from zip(lives, answers, strict=True)


def _lived(life: str, now: datetime) -> Outcome:
    from tests.mutants.lives.stage import lived  # what is mutated must not be imported before

    return lived(life, now)


def _judged(outcome: Outcome | str, healthy: Outcome) -> tuple[str, str]:
    if isinstance(outcome, str):
        return FAILED, outcome
    if outcome.noticed:
        return NOTICED, outcome.noticed
    if more := [text for text in outcome.warnings if text not in healthy.warnings]:
        return FAILED, more[0]
    if outcome.rows != healthy.rows:
        return SURVIVED, "another table, and verification says equal"
    return SAME, ""


def _table(found: Mapping[str, Found], seed: int) -> Iterator[str]:
    widths = [max(len(name), 5) for name in VERDICTS]
    heads = [f"{name:>{width}}" for name, width in zip(VERDICTS, widths, strict=True)]
    yield f"\n{'seed ' + str(seed):<12}{'tried':>7}  {'  '.join(heads)}  {'seconds each':>12}"
    for name, counts in found.items():
        tried = sum(counts[verdict] for verdict in VERDICTS)
        cells = [f"{counts[v]:>{width}}" for v, width in zip(VERDICTS, widths, strict=True)]
        each = counts["seconds"] / (tried or 1)
        yield f"{name:<12}{tried:>7}  {'  '.join(cells)}  {each:>12.1f}"


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    sys.exit(main())
