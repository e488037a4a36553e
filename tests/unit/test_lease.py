"""The lease of a running sync: its renewals, its loss, and what the sync hears of a cancel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
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
