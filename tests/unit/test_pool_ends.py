"""How tasks end over a store in memory: finished, set by hand, cancelled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    AlreadyFinished,
    InvalidStatusChange,
    LeaseLost,
    TaskNotFound,
)
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from tests.unit.pool_fixtures import DONE, FAILED, Bench, actions, row_of

pytestmark = pytest.mark.django_db


class TestFinishing:
    def test_closes_the_row_with_counts_and_metrics(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("hubspot", "contacts")
        bench.confirm(task_id)
        bench.pool.finish_task(task_id, attempt=1, outcome=DONE)
        row = row_of(task_id)
        assert row.status == "partial"
        assert (row.records_processed, row.records_created, row.records_updated) == (5, 3, 2)
        assert row.error_message == "contacts: no rows where there always were some"
        assert row.performance_metrics == {"models": [{"model": "contacts"}]}
        assert row.end_time is not None

    def test_starts_the_next_task_without_the_monitor(self, bench: Bench) -> None:
        first, second, third = (bench.pool.submit_task("genius", "all") for _ in range(3))
        bench.confirm(first)
        bench.pool.finish_task(first, attempt=1, outcome=DONE)
        assert bench.pool.get_task_status(third).status == "running"
        assert bench.broker.ids == [first, second, third]
        assert row_of(third).status == "running"

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            (TaskStatus.COMPLETED, "success"),
            (TaskStatus.FAILED, "failed"),
            (TaskStatus.CANCELLED, "cancelled"),
        ],
    )
    def test_gives_the_ledger_its_own_word(
        self, bench: Bench, status: TaskStatus, word: str
    ) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.pool.finish_task(task_id, attempt=1, outcome=Outcome(status))
        assert row_of(task_id).status == word

    def test_is_told_when_it_no_longer_holds_the_task(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", max_attempts=2)
        bench.confirm(task_id)
        bench.pool.finish_task(task_id, attempt=1, outcome=replace(FAILED, retry_in_seconds=0.0))
        with pytest.raises(LeaseLost):
            bench.pool.finish_task(task_id, attempt=1, outcome=DONE)

    def test_queues_another_attempt_while_some_are_left(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", max_attempts=2)
        outcome = replace(FAILED, retry_in_seconds=30.0)
        task = bench.pool.finish_task(task_id, attempt=1, outcome=outcome)
        assert task.status == "queued"
        row = row_of(task_id)
        assert (row.status, row.error_message, row.end_time) == ("queued", "it broke", None)
        bench.clock.advance(seconds=31)
        bench.pool.run_monitor_round()
        assert bench.broker.sent[-1] == (task_id, 2)
        assert row_of(task_id).attempt == 2
        bench.pool.finish_task(task_id, attempt=2, outcome=outcome)
        assert row_of(task_id).status == "failed"

    def test_audits_every_submission_and_every_end_once(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", requested_by="ann")
        bench.pool.finish_task(task_id, attempt=1, outcome=FAILED)
        bench.pool.run_monitor_round()
        assert actions() == ["submit", "fail"]
        submitted = AuditRecord.objects.get(action="submit")
        assert (submitted.actor, submitted.target) == ("ann", task_id)

    def test_starts_with_one_row_and_ends_with_one_row(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        bench.pool.finish_task(task_id, attempt=1, outcome=DONE)
        assert SyncHistory.objects.count() == 1


class TestUpdateTaskStatus:
    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_ends_a_running_task(self, bench: Bench, status: str) -> None:
        task_id = bench.pool.submit_task("genius", "all", max_attempts=3)
        bench.pool.update_task_status(task_id, status, "said somebody")
        assert bench.pool.get_task_status(task_id).status == status

    @pytest.mark.parametrize("status", ["queued", "running", "nonsense", ""])
    def test_refuses_a_state_that_is_not_final(self, bench: Bench, status: str) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        with pytest.raises(InvalidStatusChange, match="cancelled, completed, failed"):
            bench.pool.update_task_status(task_id, status)

    def test_refuses_to_complete_a_queued_task(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        with pytest.raises(InvalidStatusChange, match="only be cancelled"):
            bench.pool.update_task_status(ids[2], "completed")
        assert bench.pool.update_task_status(ids[2], "cancelled").status == "cancelled"

    def test_refuses_an_ended_task(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.pool.update_task_status(task_id, TaskStatus.FAILED)
        with pytest.raises(AlreadyFinished, match="failed"):
            bench.pool.update_task_status(task_id, TaskStatus.COMPLETED)

    def test_refuses_an_unknown_task(self, bench: Bench) -> None:
        with pytest.raises(TaskNotFound):
            bench.pool.update_task_status("nope", TaskStatus.COMPLETED)

    def test_masks_the_message(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.pool.update_task_status(task_id, "failed", "redis://u:hunter22@h refused")
        assert "hunter22" not in bench.pool.get_task_status(task_id).error_message
        assert "hunter22" not in row_of(task_id).error_message


class TestCancelling:
    def test_removes_a_queued_task(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        assert bench.pool.cancel_task(ids[2], change=ChangeRequest(by="ann", reason="not needed"))
        assert row_of(ids[2]).status == "cancelled"
        assert row_of(ids[2]).error_message == "Cancelled by ann: not needed"
        assert AuditRecord.objects.get(action="cancel").actor == "ann"

    def test_frees_the_slot_of_a_task_that_no_worker_has_yet(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        assert bench.pool.cancel_task(ids[0])
        assert bench.pool.get_task_status(ids[2]).status == "running"

    def test_asks_a_confirmed_task_to_stop(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        assert bench.pool.cancel_task(task_id, change=ChangeRequest(by="ann"))
        task = bench.pool.get_task_status(task_id)
        assert task.status == "running"
        assert task.cancel_requested_at is not None
        assert row_of(task_id).status == "running"

    def test_says_no_to_an_unknown_or_ended_task(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.pool.finish_task(task_id, attempt=1, outcome=DONE)
        assert bench.pool.cancel_task(task_id) is False
        assert bench.pool.cancel_task("nope") is False

    def test_cancels_all(self, bench: Bench) -> None:
        held, unconfirmed, *_ = (bench.pool.submit_task("genius", "all") for _ in range(5))
        bench.confirm(held)
        assert bench.pool.cancel_all(change=ChangeRequest(by="ann")) == {
            "queued_cancelled": 3,
            "running_cancelled": 1,
            "running_asked": 1,
        }
        assert row_of(unconfirmed).status == "cancelled"
        assert [t.id for t in bench.pool.get_active_tasks()] == [held]

    def test_clears_the_queue_and_nothing_else(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(5)]
        assert bench.pool.clear_queue(change=ChangeRequest(by="ann")) == 3
        assert len(bench.pool.get_active_tasks()) == 2
        assert {row_of(i).status for i in ids[2:]} == {"cancelled"}
        assert AuditRecord.objects.get(action="clear").after == {"cancelled": 3}
        assert AuditRecord.objects.filter(action="cancel").count() == 3
