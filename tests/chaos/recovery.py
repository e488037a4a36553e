"""How soon what was lost is noticed, one failure at a time in a system that is otherwise well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.chaos.plan import Submission
from tests.chaos.processes import Actor
from tests.chaos.runs import Run, read_runs
from tests.chaos.submitter import Submitter
from tests.chaos.system import START_LIMIT, System, wait_for

# A message that was sent again must still be read, and its sync begun, on a machine that is busy.
START_SECONDS = 3.0
LONG, SHORT = 10_000, 1
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Recovery:
    """``seconds`` from the failure until a sync runs in the slot again; ``allowed`` of them."""

    what: str
    seconds: float
    allowed: float

    @property
    def is_in_time(self) -> bool:
        return self.seconds <= self.allowed + START_SECONDS

    def __str__(self) -> str:
        return f"{self.what}: its slot ran again after {self.seconds:.1f} s ({self.allowed:g} s)"


class Recoveries:
    def __init__(self, system: System) -> None:
        self._system = system

    @property
    def _lost_seconds(self) -> float:
        """A lease, and the time until somebody looks."""
        return self._system.shape.lease_seconds * 4 / 3

    def measure(self) -> list[Recovery]:
        return [self.of_child(), self.of_worker(), self.of_message()]

    def of_child(self) -> Recovery:
        with self._full_pool() as held:
            run = held[0]
            began = time.monotonic()
            self._worker_of(run).kill_child(run.pid)
            seconds = self._next_start(began)
        return Recovery("a killed child", seconds, self._lost_seconds)

    def of_worker(self) -> Recovery:
        with self._full_pool() as held:
            worker = self._worker_of(held[0])
            began = time.monotonic()
            worker.kill()
            seconds = self._next_start(began)
            worker.start()
        return Recovery("a killed worker", seconds, self._lost_seconds)

    def of_message(self) -> Recovery:
        """Sent while all workers stand still, and lost by the broker."""
        system = self._system
        for worker in system.workers:
            worker.stop()
        wait_for(
            lambda: not system.broker.has_waiting_readers(), what="nobody", seconds=WAIT_SECONDS
        )
        self._submit(SHORT)
        began = time.monotonic()
        system.broker.flush()
        for worker in system.workers:
            worker.go_on()
        seconds = self._next_start(began)
        self._empty()
        return Recovery("a lost message", seconds, system.shape.dispatch_seconds)

    @contextmanager
    def _full_pool(self) -> Iterator[list[Run]]:
        """Every slot taken for long, and short tasks waiting; gives what runs."""
        begin = time.monotonic()
        self._submit(*[LONG] * START_LIMIT, *[SHORT] * START_LIMIT)
        held = wait_for(
            lambda: self._all_taken(begin), what="syncs in every slot", seconds=WAIT_SECONDS
        )
        yield held
        self._empty()

    def _all_taken(self, begin: float) -> list[Run]:
        runs = [run for run in self._runs() if run.start > begin and run.end is None]
        return runs if len(runs) == START_LIMIT else []

    def _next_start(self, began: float) -> float:
        def look() -> list[Run]:
            return [run for run in self._runs() if run.start > began]

        return (
            wait_for(look, what="a sync in the freed slot", seconds=WAIT_SECONDS)[0].start - began
        )

    def _empty(self) -> None:
        for task_id in list(self._system.notes.accepted):
            self._system.web.cancel(task_id)
        observer = self._system.observer
        wait_for(lambda: observer.ask("open_rows") == 0, what="quiet", seconds=WAIT_SECONDS)

    def _submit(self, *pages: int) -> None:
        wanted = [
            Submission(n + 1, ("five9", "contacts"), 0, 1, count, False)
            for n, count in enumerate(pages)
        ]
        Submitter(self._system.web, self._system.notes, wanted, seconds=0).run()

    def _runs(self) -> list[Run]:
        return read_runs(self._system.runs_file, self._system.notes)

    def _worker_of(self, run: Run) -> Actor:
        return next(worker for worker in self._system.workers if worker.pid == run.group)
