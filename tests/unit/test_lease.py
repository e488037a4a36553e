"""The lease of a running sync: its renewals, its loss, and what the sync hears of a cancel."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread, get_ident
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.worker.lease import Lease, TaskReporter
from ingestion.sync.common.errors import (
    SyncCancelled,
    SyncLeaseLost,
)
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


class TestLease:
    @pytest.fixture
    def task_id(self, bench: Bench) -> str:
        task_id = bench.pool.submit_task("genius", "leads")
        bench.confirm(task_id)
        return task_id

    @contextmanager
    def held(self, bench: Bench, task_id: str, interval: float = 60) -> Iterator[Lease]:
        with Lease(bench.pool, task_id, attempt=1, interval_seconds=interval) as lease:
            yield lease

    def test_is_renewed_by_itself(
        self, bench: Bench, task_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        renewed, renew = Event(), bench.pool.renew_lease

        def tell(*args: Any, **kwargs: Any) -> Any:
            renewed.set()
            return renew(*args, **kwargs)

        monkeypatch.setattr(bench.pool, "renew_lease", tell)
        with self.held(bench, task_id, interval=0.01):
            assert renewed.wait(timeout=30)

    def test_outlives_a_lost_store(self, bench: Bench, task_id: str) -> None:
        with self.held(bench, task_id) as lease:
            bench.store.is_lost = True
            lease.renew()
            lease.check()

    def test_is_over_for_its_holder_when_it_could_not_be_renewed(
        self, bench: Bench, task_id: str
    ) -> None:
        now = [100.0]
        lease = Lease(
            bench.pool,
            task_id,
            attempt=1,
            interval_seconds=60,
            exclusive_seconds=75,
            held_since=100,
            clock=lambda: now[0],
        )
        now[0] = 150
        lease.renew()
        bench.store.is_lost = True
        now[0] = 224
        lease.renew()
        lease.check()
        now[0] = 225
        with pytest.raises(SyncLeaseLost, match="could not renew"):
            lease.check()

    def test_counts_from_the_question_however_late_the_answer_is(
        self, bench: Bench, task_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The store began it at some moment in between, perhaps the first one."""
        now, renew = [100.0], bench.pool.renew_lease

        def slow(*args: Any, **kwargs: Any) -> Any:
            now[0] += 40
            return renew(*args, **kwargs)

        monkeypatch.setattr(bench.pool, "renew_lease", slow)
        given = {"interval_seconds": 60, "exclusive_seconds": 75, "held_since": 90}
        lease = Lease(bench.pool, task_id, attempt=1, clock=lambda: now[0], **given)
        lease.renew()
        now[0] = 174.9
        lease.check()
        now[0] = 175
        with pytest.raises(SyncLeaseLost, match="could not renew"):
            lease.check()

    def test_interrupts_a_run_that_it_can_no_longer_hold(self, bench: Bench, task_id: str) -> None:
        bench.store.is_lost = True
        expired = Event()
        lease = Lease(
            bench.pool,
            task_id,
            attempt=1,
            interval_seconds=0.01,
            exclusive_seconds=0.05,
            on_expiry=expired.set,
        )
        with lease:
            assert expired.wait(timeout=30)

    def test_a_beat_that_was_due_at_its_end_keeps_no_thread(
        self, bench: Bench, task_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The thread had taken it in hand; its next lease waits for nothing."""
        with self.held(bench, task_id) as lease:
            pass
        renewed: list[str] = []
        monkeypatch.setattr(bench.pool, "renew_lease", lambda *a, **k: renewed.append("late"))
        late = Thread(target=lease.beat, daemon=True)
        late.start()
        late.join(timeout=30)
        assert (late.is_alive(), renewed) == (False, [])

    def test_tells_of_a_cancel(self, bench: Bench, task_id: str) -> None:
        with self.held(bench, task_id) as lease:
            bench.pool.cancel_task(task_id, change=ChangeRequest(by="ann", reason="enough"))
            lease.renew()
            with pytest.raises(SyncCancelled, match="Cancelled by ann: enough"):
                lease.check()

    def test_tells_of_its_loss(self, bench: Bench, task_id: str) -> None:
        with self.held(bench, task_id) as lease:
            bench.pool.finish_task(task_id, attempt=1, outcome=Outcome(TaskStatus.FAILED))
            lease.renew()
            with pytest.raises(SyncLeaseLost):
                lease.check()

    def test_progress_moves_the_clock_and_a_mere_check_does_not(
        self, bench: Bench, task_id: str
    ) -> None:
        moved_at = bench.pool.get_task_status(task_id).last_heartbeat
        now = iter([0.0, 10.0, 20.0])
        with self.held(bench, task_id) as lease:
            reporter = TaskReporter(lease, clock=lambda: next(now))
            bench.clock.advance(seconds=10)
            reporter.check()
            assert bench.pool.get_task_status(task_id).last_heartbeat == moved_at
            reporter.advance("leads", rows=5)
            assert bench.pool.get_task_status(task_id).last_heartbeat == bench.clock.now

    def test_reports_at_most_once_a_second(self, bench: Bench, task_id: str) -> None:
        now = iter([0.0, 0.5, 0.9, 1.0])
        with self.held(bench, task_id) as lease:
            reporter = TaskReporter(lease, clock=lambda: next(now))
            seen = []
            for _ in range(4):
                reporter.advance("leads", rows=10)
                seen.append(bench.pool.get_task_status(task_id).progress["total_rows"])
        assert seen == [10, 10, 10, 40]

    def test_counts_rows_per_model_and_in_total(self, bench: Bench, task_id: str) -> None:
        now = iter(range(100))
        with self.held(bench, task_id) as lease:
            reporter = TaskReporter(lease, clock=lambda: float(next(now)))
            reporter.advance("leads", rows=10)
            reporter.step("jobs", "extract")
            reporter.advance("jobs", rows=3)
        assert bench.pool.get_task_status(task_id).progress == {
            "model": "jobs",
            "step": "extract",
            "rows": 3,
            "total_rows": 13,
        }

    def test_counts_the_models_that_are_done_of_a_sync_of_several(
        self, bench: Bench, task_id: str
    ) -> None:
        now = iter(range(100))
        with self.held(bench, task_id) as lease:
            reporter = TaskReporter(lease, models_total=28, clock=lambda: float(next(now)))
            for model in ("leads", "leads", "jobs", "users"):
                reporter.step(model, "extract")
        found = bench.pool.get_task_status(task_id).progress
        assert (found["models_done"], found["models_total"]) == (2, 28)


class Renewals:
    """A pool that notes which thread renews which task; ``blocked`` tasks wait for ``go_on``."""

    def __init__(self, *blocked: str) -> None:
        self.threads: dict[str, int] = {}
        self.renewed: dict[str, Event] = defaultdict(Event)
        self.go_on = Event()
        self._blocked = blocked

    def renew_lease(self, task_id: str, *, attempt: int) -> Any:
        self.threads[task_id] = get_ident()
        self.renewed[task_id].set()
        if task_id in self._blocked:
            assert self.go_on.wait(timeout=30)
        return SimpleNamespace(cancel_requested_at=None)

    def hold(self, task_id: str, *, interval_seconds: float = 0.01) -> Lease:
        pool: Any = self
        return Lease(pool, task_id, attempt=1, interval_seconds=interval_seconds)


def test_one_thread_serves_one_task_after_the_other() -> None:
    pool = Renewals()
    for task_id in ("t1", "t2", "t3"):
        with pool.hold(task_id):
            assert pool.renewed[task_id].wait(timeout=30)
    assert len(set(pool.threads.values())) == 1


def test_a_lease_that_waits_for_its_store_keeps_no_other_waiting() -> None:
    pool = Renewals("t1")
    with pool.hold("t1"):
        assert pool.renewed["t1"].wait(timeout=30)
        with pool.hold("t2"):
            assert pool.renewed["t2"].wait(timeout=30)
        pool.go_on.set()


def test_a_thread_that_is_stuck_serves_nobody_else() -> None:
    pool = Renewals("t1")
    with pool.hold("t1"):
        assert pool.renewed["t1"].wait(timeout=30)
    with pool.hold("t2"):
        assert pool.renewed["t2"].wait(timeout=30)
    pool.go_on.set()
    assert pool.threads["t1"] != pool.threads["t2"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_failed_serves_nobody_else() -> None:
    class Failing(Renewals):
        def renew_lease(self, task_id: str, *, attempt: int) -> Any:
            super().renew_lease(task_id, attempt=attempt)
            raise ZeroDivisionError

    failing, pool = Failing(), Renewals()
    with failing.hold("t1"):
        assert failing.renewed["t1"].wait(timeout=30)
    with pool.hold("t2"):
        assert pool.renewed["t2"].wait(timeout=30)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_child_has_a_thread_of_its_own() -> None:
    pool = Renewals()
    with pool.hold("t1"):
        assert pool.renewed["t1"].wait(timeout=30)
    child = os.fork()
    if not child:
        with pool.hold("t2"):
            os._exit(0 if pool.renewed["t2"].wait(timeout=30) else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_slow_answer_lengthens_no_lease() -> None:
    """It counts from the question: the store has begun the lease before it answered."""
    now = [0.0]

    def answer_late(task_id: str, *, attempt: int) -> Any:
        now[0] += 10
        return SimpleNamespace(cancel_requested_at=None)

    pool: Any = SimpleNamespace(renew_lease=answer_late)
    lease = Lease(
        pool, "t1", attempt=1, interval_seconds=60, exclusive_seconds=15, clock=lambda: now[0]
    )
    lease.renew()
    now[0] = 16
    with pytest.raises(SyncLeaseLost):
        lease.check()
