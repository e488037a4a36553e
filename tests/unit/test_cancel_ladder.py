"""The steps against a sync that must end, with the clock in the test's hands."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import pytest

from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.worker.cancel import CancelLadder
from ingestion.services.worker.children import Held
from tests.unit.pool_fixtures import CONF

HELD = Held("t1", attempt=2, pid=77)
SOFT, TERM, KILL = signal.SIGUSR2, signal.SIGTERM, signal.SIGKILL


class Worker:
    """A ladder, the pool that it asks and the child that it signals."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sent: list[tuple[int, int]] = []
        self.is_lost = False
        self.task: WorkerTask | None = WorkerTask(
            "t1",
            *("ingestion.tasks.sync_genius_all", "genius", "all"),
            status=TaskStatus.RUNNING,
            attempt=2,
            worker="celery@here/77",
            confirmed_at=utc_now(),
            cancel_requested_at=utc_now(),
        )
        self.ladder = CancelLadder(
            "celery@here",
            replace(CONF, cancel_ask_seconds=30, cancel_soft_seconds=10, cancel_term_seconds=5),
            find=self.find,
            tell=lambda pid, number: self.sent.append((pid, number)),
            clock=lambda: self.now,
        )

    def find(self, task_id: str) -> WorkerTask | None:
        if self.is_lost:
            raise PoolUnavailable("connection refused")
        return self.task

    def change(self, **fields: Any) -> None:
        assert self.task is not None
        self.task = replace(self.task, **fields)

    def look(self, *held: Held, after: float = 0) -> list[int]:
        """The signals that were sent now."""
        self.now += after
        self.sent.clear()
        self.ladder.look(held or [HELD])
        assert {pid for pid, _ in self.sent} <= {HELD.pid}
        return [number for _, number in self.sent]


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_each_step_is_taken_once_when_its_time_has_come(worker: Worker) -> None:
    assert worker.look() == []
    assert worker.look(after=29) == []
    assert worker.look(after=1) == [SOFT]
    assert worker.look(after=9) == []
    assert worker.look(after=1) == [TERM]
    assert worker.look(after=5) == [KILL]
    assert worker.look(after=100) == []


def test_a_look_that_comes_late_takes_what_is_due(worker: Worker) -> None:
    worker.look()
    assert worker.look(after=41) == [SOFT, TERM]


def test_it_looks_often_enough_for_its_steps(worker: Worker) -> None:
    assert worker.ladder.look_seconds == 2.5


@pytest.mark.parametrize(
    "fields",
    [
        {"cancel_requested_at": None},
        {"worker": "celery@here/78"},
        {"worker": "celery@there/77"},
        {"worker": None, "confirmed_at": None},
    ],
)
def test_whoever_may_run_is_left_alone(worker: Worker, fields: dict[str, Any]) -> None:
    worker.change(**fields)
    worker.look()
    assert worker.look(after=1000) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"status": TaskStatus.FAILED},
        {"status": TaskStatus.QUEUED, "worker": None},
        {"attempt": 3, "worker": "celery@there/5"},
    ],
)
def test_whoever_holds_nothing_any_more_must_end(worker: Worker, fields: dict[str, Any]) -> None:
    worker.change(cancel_requested_at=None, **fields)
    worker.look()
    assert worker.look(after=30) == [SOFT]


def test_so_must_one_whose_task_is_gone(worker: Worker) -> None:
    worker.task = None
    worker.look()
    assert worker.look(after=30) == [SOFT]


def test_time_does_not_count_while_all_was_well_in_between(worker: Worker) -> None:
    worker.task, task = None, worker.task
    worker.look()
    worker.task = replace(task, cancel_requested_at=None) if task else None
    worker.look(after=29)
    worker.task = None
    assert worker.look(after=29) == []


def test_another_attempt_in_the_same_child_begins_anew(worker: Worker) -> None:
    worker.look()
    assert worker.look(Held("t1", attempt=3, pid=77), after=30) == []


def test_one_that_has_ended_is_forgotten(worker: Worker) -> None:
    worker.look()
    worker.ladder.look([])
    assert worker.look(after=30) == []


def test_what_was_known_goes_on_while_the_pool_cannot_be_asked(worker: Worker) -> None:
    worker.look()
    worker.is_lost = True
    assert worker.look(after=30) == [SOFT]


def test_nothing_begins_while_the_pool_cannot_be_asked(worker: Worker) -> None:
    worker.is_lost = True
    worker.look()
    assert worker.look(after=1000) == []
