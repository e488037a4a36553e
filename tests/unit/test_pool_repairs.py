"""Repairs and reset over a store in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from ingestion.deprecated_names import with_old_keys
from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.task import TaskStatus
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import state as ledger_state
from tests.unit.pool_fixtures import DONE, Bench, row_of

pytestmark = pytest.mark.django_db


def age_rows(seconds: float = 3600) -> None:
    SyncHistory.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))


class TestRepairs:
    def test_fails_a_task_whose_worker_is_lost(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        for task_id in ids[:2]:
            bench.confirm(task_id)
        bench.clock.advance(seconds=91)
        report = bench.pool.run_monitor_round()
        assert (report.lost, report.started) == (2, 1)
        row = row_of(ids[0])
        assert row.status == "failed"
        assert "lease" in row.error_message
        assert bench.pool.get_task_status(ids[2]).status == "running"

    def test_a_lost_task_runs_again_while_attempts_are_left(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", max_attempts=2)
        bench.confirm(task_id)
        bench.clock.advance(seconds=91)
        bench.pool.run_monitor_round()
        assert row_of(task_id).status == "queued"
        bench.clock.advance(seconds=31)
        bench.pool.run_monitor_round()
        assert row_of(task_id).status == "running"
        assert row_of(task_id).attempt == 2

    def test_a_submission_repairs_when_that_is_overdue(self, bench: Bench) -> None:
        first = bench.pool.submit_task("genius", "all")
        bench.confirm(first)
        bench.clock.advance(seconds=91)
        bench.another_process().submit_task("genius", "all")
        assert row_of(first).status == "failed"

    def test_repairs_are_not_asked_for_all_the_time(self) -> None:
        now = [0.0]
        overdue = Overdue(15, clock=lambda: now[0])
        assert overdue.take()
        now[0] = 14.0
        assert not overdue.take()
        now[0] = 15.0
        assert overdue.take()

    def test_a_worker_tick_starts_what_waited_for_a_worker(self, bench: Bench) -> None:
        bench.memory.worker_seen("w1", capacity=2)
        bench.clock.advance(minutes=5)
        task_id = bench.pool.submit_task("genius", "all")
        assert bench.pool.get_task_status(task_id).status == "queued"
        bench.pool.worker_tick("w1", capacity=2)
        assert bench.pool.get_task_status(task_id).status == "running"

    def test_closes_a_row_whose_task_ended_unheard(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.memory.finish(task_id, attempt=1, outcome=DONE, token="t")
        assert bench.pool.run_monitor_round().ledger_closed == 1
        assert row_of(task_id).status == "partial"
        assert row_of(task_id).records_created == 3

    def test_closes_a_queued_row_whose_task_was_cancelled_unheard(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        bench.memory.cancel(ids[2], change=ChangeRequest(reason="by somebody"))
        assert bench.pool.run_monitor_round().ledger_closed == 1
        assert row_of(ids[2]).status == "cancelled"

    def test_puts_queued_tasks_back_that_the_store_forgot(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all", {"n": n}, n) for n in range(4)]
        age_rows()
        bench.memory.reset()
        report = bench.pool.run_monitor_round()
        assert report.restored == 2
        assert {row_of(i).status for i in ids[:2]} == {"failed"}
        assert "no longer knows" in row_of(ids[0]).error_message
        again = bench.pool.get_task_status(ids[3])
        assert (again.parameters, again.priority, again.status) == ({"n": 3}, 3, "running")

    def test_puts_a_lost_run_back_while_attempts_are_left(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", max_attempts=2)
        age_rows()
        bench.memory.reset()
        bench.pool.run_monitor_round()
        assert bench.pool.get_task_status(task_id).attempt == 2
        assert row_of(task_id).status == "running"

    def test_leaves_a_row_alone_whose_task_may_be_on_its_way(self, bench: Bench) -> None:
        bench.pool.submit_task("genius", "all")
        bench.memory.reset()
        report = bench.pool.run_monitor_round()
        assert (report.restored, report.ledger_closed) == (0, 0)

    def test_notes_when_the_monitor_ran(self, bench: Bench) -> None:
        assert bench.pool.get_stats()["monitor"]["last_round_at"] is None
        bench.pool.run_monitor_round()
        assert bench.pool.get_stats()["monitor"]["age_seconds"] == 0

    def test_fix_stuck_tells_what_it_did(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        bench.clock.advance(seconds=91)
        assert bench.pool.fix_stuck(change=ChangeRequest(by="ann")) == with_old_keys(
            {
                "lost": 1,
                "stale": 0,
                "resent": 0,
                "ledger_closed": 0,
                "restored": 0,
                "started": 0,
                "repaired": 0,
            }
        )
        assert AuditRecord.objects.get(action="repair").actor == "ann"

    def test_ends_what_has_not_moved_for_the_given_time(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        bench.clock.now -= timedelta(minutes=0)
        assert bench.pool.cleanup_stale_active_tasks(5) == 0
        bench.memory._held[task_id].task.last_heartbeat -= timedelta(minutes=6)
        assert bench.pool.cleanup_stale_active_tasks(5) == 1
        assert "5 minutes" in row_of(task_id).error_message

    def test_forgets_ended_tasks_only_with_their_rows_closed(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.memory.finish(task_id, attempt=1, outcome=DONE, token="t")
        bench.clock.advance(minutes=30)
        assert bench.pool.cleanup_completed_tasks(10) == 1
        assert bench.pool.get_task_status(task_id) is None
        assert row_of(task_id).status == "partial"


class TestReset:
    def test_tells_what_would_be_lost(self, bench: Bench) -> None:
        for _ in range(3):
            bench.pool.submit_task("genius", "all")
        at_stake = {"active": 2, "queued": 1, "delayed": 0, "held": 0, "dead_letters": 0}
        assert bench.pool.reset_state() == with_old_keys({"done": False, **at_stake})
        assert len(bench.pool.get_active_tasks()) == 2

    def test_forgets_all_and_keeps_the_limit(self, bench: Bench) -> None:
        bench.pool.set_max_workers(4)
        ids = [bench.pool.submit_task("genius", "all") for _ in range(5)]
        report = bench.pool.reset_state(force=True, change=ChangeRequest(by="ann"))
        assert report["done"] is True
        assert report["ledger_closed"] == 5
        assert bench.pool.get_active_tasks() == bench.pool.get_queued_tasks() == []
        assert {row_of(i).status for i in ids} == {"cancelled"}
        assert bench.pool.get_max_workers() == 4
        assert AuditRecord.objects.filter(action="cancel", actor="ann").count() == 5


def test_work_that_was_done_is_not_lost_with_its_lease(bench: Bench) -> None:
    """Its worker noted the end in the ledger a moment ago, and could not reach the store since long
    before."""
    task_id = bench.pool.submit_task("genius", "leads")
    bench.confirm(task_id)
    with time_machine.travel(bench.clock.now + timedelta(seconds=91), tick=False):
        ledger_state.note_outcome(task_id, attempt=1, outcome=DONE)
        bench.clock.advance(seconds=91)
        report = bench.pool.run_monitor_round()
    assert report.lost == 0
    assert bench.pool.get_task_status(task_id).status == TaskStatus.COMPLETED
    assert row_of(task_id).status == "partial"
