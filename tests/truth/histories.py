"""Histories: sources that change while they are read, made by a seed.

``python -m tests.truth.histories --seconds 60 --seed 1`` runs as many as fit, prints how many there
were of each kind of source and how often each kind of change occurred in it, and ends with 1 where a
rule was broken. A history is two runs
with changes between their requests, each followed by a complete one without. Nothing that lives is
ever marked as deleted; what a run lacks it calls partial; nothing is missing after the complete run.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pytest_httpserver import HTTPServer

from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.warehouse import Warehouse
from tests.truth.changing import CHANGES, KINDS, Changing, changing_source
from tests.truth.world import World

BATCH = 20


class Broken(AssertionError):
    """A rule that a history has shown to be broken."""


class History:
    """One source, one warehouse. ``changes``: which may occur; ``counts``: how often each did."""

    def __init__(
        self,
        seed: int,
        kind: str,
        world: World,
        server: HTTPServer,
        folder: Path,
        *,
        changes: Sequence[str] = CHANGES,
    ) -> None:
        self.changes = changes
        self.draw = random.Random(f"history {seed}")
        self.counts: Counter[str] = Counter()
        self.steady: set[str] = set()
        self.is_changing = False
        self.source: Changing = changing_source(
            kind, self.draw, world, server, folder, self.meanwhile
        )
        self.rate = self.draw.choice((0.2, 0.5, 0.8))

    def meanwhile(self) -> None:
        """Between two requests."""
        if not self.is_changing or self.draw.random() >= self.rate:
            return
        change = self.draw.choice(self.changes)
        if (touched := self.source.change(change)) is not None:
            self.counts[change] += 1
            self.steady.discard(touched)

    def play(self) -> None:
        for _ in range(2):
            self._run_with_changes()
            self._run_in_peace()

    def _run_with_changes(self) -> None:
        self.steady = set(self.source.living())
        try:
            result = self.sync(is_changing=True)
        except SyncError:
            self.counts["a run fails"] += 1
            return
        steady = self.steady & set(self.source.living())
        if marked := steady & self.source.marked() - set(self.source.in_warehouse()):
            raise Broken(f"{sorted(marked)} live and are marked as deleted")
        missing = steady - set(self.source.in_warehouse())
        if missing and not result.warning:
            raise Broken(f"{sorted(missing)} live and are missing, and the run is no partial one")
        self.counts["a run is partial"] += bool(result.warning)

    def _run_in_peace(self) -> None:
        self.sync()
        living, found = self.source.living(), self.source.in_warehouse()
        if living != found:
            differing = sorted(set(living.items()) ^ set(found.items()))
            raise Broken(f"after a complete run these differ: {differing[:10]}")

    def sync(self, *, is_changing: bool = False) -> ModelResult:
        """A full run. Raises SyncError."""
        source = self.source
        force = not source.living()  # an empty answer is believed by force only
        self.is_changing = is_changing
        try:
            return source.world.sync(
                source.model, mode="full", batch_size=BATCH, accept_deletions=True, force=force
            )
        finally:
            self.is_changing = False


@contextmanager
def served() -> Iterator[HTTPServer]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = HTTPServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def run(seed: int, kind: str, server: HTTPServer) -> Counter[str]:
    """What occurred in one history. Raises Broken."""
    server.clear()
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        warehouse = Warehouse(f"sqlite:///{folder}/warehouse.sqlite3")
        world = World(warehouse, Path(folder) / "pipelines")
        history = History(seed, kind, world, server, Path(folder))
        try:
            history.play()
        except Broken as broken:
            raise Broken(f"{kind} history of seed {seed}: {broken}") from None
        finally:
            history.source.close()
            warehouse.close()
    return history.counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kind", choices=KINDS, action="append")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6)
    sys.stdout.write(f"histories from seed {first} on\n")
    ran, broken = _run_for(asked.seconds, first, asked.kind or KINDS)
    sys.stdout.writelines(_summary(ran))
    sys.stdout.writelines(f"broken: {why}\n" for why in broken)
    return 1 if broken else 0


def _run_for(
    seconds: float, first: int, kinds: Sequence[str]
) -> tuple[dict[str, Counter[str]], list[str]]:
    """What occurred by kind of source, how many histories among it, and what was broken."""
    ran: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    broken: list[str] = []
    end = time.monotonic() + seconds
    with served() as server:
        for seed in itertools.count(first):
            if time.monotonic() >= end:
                return ran, broken
            kind = kinds[seed % len(kinds)]
            ran[kind]["histories"] += 1
            try:
                ran[kind] += run(seed, kind, server)
            except Broken as problem:
                broken.append(str(problem))
    raise AssertionError("seeds do not end")


def _summary(ran: Mapping[str, Counter[str]]) -> Iterator[str]:
    """A column for each kind of source; shares are of all changes of that kind."""
    yield f"{'':30}" + "".join(f"{kind:>16}" for kind in ran) + "\n"
    for name in ("histories", *CHANGES, "a run is partial", "a run fails"):
        cells = []
        for counts in ran.values():
            changes = sum(counts[change] for change in CHANGES) or 1
            share = f"{counts[name] / changes:8.1%}" if name in CHANGES else f"{'':8}"
            cells.append(f"{counts[name]:8}{share}")
        yield f"{name:30}{''.join(cells)}".rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
