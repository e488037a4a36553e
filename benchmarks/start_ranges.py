"""Are the announced starts true? Replays a queue and compares each range with what then happened.

    .venv/bin/python -m benchmarks.start_ranges [--tasks 500] [--seed 1] [--ledger]

Bursts of tasks, as schedules make them, go through a real pool in memory whose clock jumps from
event to event. When a task must wait, the range that ``explain`` announces is written down; when it
starts, the two are compared. The run times are drawn from recorded history: with ``--ledger`` from
this installation's, else from a made-up one of the same form. The explainer has learned from one
half of the history and the tasks draw from the other.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median

from ingestion.pool.change import ChangeRequest
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.pool.waits import StartRange
from ingestion.services.requests.routing import routes
from ingestion.services.waiting.explainer import Explainer
from ingestion.services.waiting.run_times import RunTimes, from_ledger

Route = tuple[str, str]
History = Mapping[Route, Sequence[float]]

AGING_SECONDS = 3600.0
SLOTS = 3
CRM_LIMITS = {"hubspot": 1}
BURST = 20
# How much of the time the slots are busy, if all goes evenly.
LOAD = 0.85
# Median seconds, spread (of the logarithm) and number of past runs of the made-up routes.
MADE_UP: Mapping[Route, tuple[float, float, int]] = {
    ("hubspot", "contacts"): (150, 0.5, 80),
    ("hubspot", "deals"): (60, 0.3, 120),
    ("five9", "contacts"): (400, 0.8, 60),
    ("genius", "all"): (1100, 0.4, 16),
    ("arrivy", "tasks"): (20, 1.0, 30),
    ("callrail", "calls"): (90, 0.6, 200),
    ("salespro", "jobs"): (240, 0.4, 6),
}


def made_up_history(random: Random) -> History:
    return {
        route: [random.lognormvariate(math.log(mid), spread) for _ in range(runs)]
        for route, (mid, spread, runs) in MADE_UP.items()
    }


@dataclass(frozen=True)
class Announced:
    """What was said of a task, and when it started in truth."""

    start: StartRange
    announced_at: datetime
    started_at: datetime

    @property
    def is_true(self) -> bool:
        return self.start.earliest <= self.started_at <= self.start.latest

    @property
    def width_seconds(self) -> float:
        return (self.start.latest - self.start.earliest).total_seconds()


@dataclass(frozen=True)
class Result:
    """``announced`` of the tasks that had to wait."""

    announced: Sequence[Announced]

    @property
    def coverage(self) -> float:
        return sum(found.is_true for found in self.announced) / len(self.announced)

    @property
    def median_width_seconds(self) -> float:
        return median(found.width_seconds for found in self.announced)

    @property
    def median_wait_seconds(self) -> float:
        return median(
            (found.started_at - found.announced_at).total_seconds() for found in self.announced
        )


@dataclass
class Replay:
    """One run through the queue; the same seed gives the same one."""

    history: History
    random: Random
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    said: dict[str, tuple[StartRange, datetime]] = field(default_factory=dict)
    announced: list[Announced] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = {route: seconds[::2] for route, seconds in self.history.items()}
        self._coming = {route: seconds[1::2] for route, seconds in self.history.items()}
        times = RunTimes(lambda crm, kind: _of(known, crm, kind), clock=lambda: 0.0)
        self._explainer = Explainer(times, default_max_workers=SLOTS)
        policy = PoolPolicy(default_max_workers=SLOTS, priority_aging_seconds=AGING_SECONDS)
        self._store = MemoryPoolStore(policy, lambda: self.now)
        self._events: list[tuple[datetime, int, WorkerTask | None]] = []
        self._numbers = itertools.count()
        for crm_source, limit in CRM_LIMITS.items():
            self._store.set_limit(limit, change=ChangeRequest(by="replay"), crm_source=crm_source)

    def run(self, tasks: int) -> Result:
        for number in range(tasks // BURST):
            self._plan(self.now + number * self._pause(), None)
        while self._events:
            self.now, _, ended = heapq.heappop(self._events)
            if ended is None:
                self._submit_burst()
            else:
                self._finish(ended)
        return Result(self.announced)

    def _pause(self) -> timedelta:
        """Between two bursts."""
        mean = sum(map(_mean, self._coming.values())) / len(self._coming)
        return timedelta(seconds=BURST * mean / SLOTS / LOAD)

    def _plan(self, when: datetime, ended: WorkerTask | None) -> None:
        heapq.heappush(self._events, (when, next(self._numbers), ended))

    def _submit_burst(self) -> None:
        for _ in range(BURST):
            crm, kind = self.random.choice(list(self._coming))
            self._store.submit(WorkerTask(self._new_id(), f"{crm}.{kind}", crm, kind))
        self._start(self._store.claim(token=self._new_id()))
        self._announce()

    def _new_id(self) -> str:
        return f"{next(self._numbers):036d}"

    def _announce(self) -> None:
        """What is said when a task begins to wait counts, not what is said later."""
        snapshot = self._explainer.explained(self._store.snapshot(queue_limit=1000))
        for task_id, found in snapshot.waits.items():
            if found.start is not None:
                self.said.setdefault(task_id, (found.start, self.now))

    def _start(self, tasks: Sequence[WorkerTask]) -> None:
        for task in tasks:
            held = self._store.confirm(task.id, attempt=1, worker="w", token=task.id)
            seconds = self.random.choice(self._coming[task.crm_source, task.sync_type])
            self._plan(self.now + timedelta(seconds=seconds), held)
            if task.id in self.said:
                self.announced.append(Announced(*self.said.pop(task.id), self.now))

    def _finish(self, task: WorkerTask) -> None:
        outcome = Outcome(TaskStatus.COMPLETED)
        done = self._store.finish(task.id, attempt=1, outcome=outcome, token=f"end {task.id}")
        self._start(done.started)


def _of(known: History, crm_source: str | None, sync_type: str | None) -> Sequence[float]:
    return [
        seconds
        for (crm, kind), found in known.items()
        for seconds in found
        if crm_source in (crm, None) and sync_type in (kind, None)
    ]


def _mean(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds)


def replay(tasks: int, *, seed: int, history: History | None = None) -> Result:
    random = Random(seed)
    return Replay(history or made_up_history(random), random).run(tasks)


def recorded_history() -> History:
    """Of the routes with ten runs or more in this installation's ledger."""
    found = {route: from_ledger(*route) for route in routes()}
    return {route: seconds for route, seconds in found.items() if len(seconds) >= 10}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ledger", action="store_true")
    words = parser.parse_args()
    result = replay(
        words.tasks, seed=words.seed, history=recorded_history() if words.ledger else None
    )
    print(f"tasks that waited: {len(result.announced)} of {words.tasks}")
    print(f"coverage: {result.coverage:.1%} of the true starts lay within the announced range")
    print(f"median width of the range: {result.median_width_seconds:.0f} s")
    print(f"median wait: {result.median_wait_seconds:.0f} s")


if __name__ == "__main__":
    main()
