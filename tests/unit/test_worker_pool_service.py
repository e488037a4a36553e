"""The service over a store in memory: submission, ledger, dispatch, repairs, operators' verbs."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from ingestion.models import AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.errors import (
    AlreadyFinished,
    InvalidLimit,
    InvalidParameters,
    InvalidPriority,
    InvalidStatusChange,
    InvalidSubmission,
    LeaseLost,
    PoolUnavailable,
    SecretInParameters,
    TaskNotFound,
    UnknownSource,
    UnknownSyncType,
)
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.overdue import Overdue
from ingestion.services.worker_pool import get_worker_pool, use_worker_pool
from tests.unit.pool_fixtures import CONF, Bench

pytestmark = pytest.mark.django_db

DONE = Outcome(
    TaskStatus.COMPLETED,
    result={
        "status": "partial",
        "counts": {"processed": 5, "created": 3, "updated": 2, "deleted": 0, "failed": 0},
        "warning": "contacts: no rows where there always were some",
        "metrics": {"models": [{"model": "contacts"}]},
    },
)
FAILED = Outcome(TaskStatus.FAILED, "it broke")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def row_of(task_id: str) -> SyncHistory:
    return SyncHistory.objects.get(worker_pool_task_id=task_id)


def actions() -> list[str]:
    return list(AuditRecord.objects.order_by("id").values_list("action", flat=True))


def age_rows(seconds: float = 3600) -> None:
    SyncHistory.objects.update(created_at=timezone.now() - timedelta(seconds=seconds))


class TestSubmission:
    def test_starts_at_once_when_a_slot_is_free(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("five9", "contacts")
        task = bench.pool.get_task_status(task_id)
        assert task.status == "running"
        assert task.task_name == "ingestion.tasks.sync_five9_contacts"
        assert task.celery_task_id == f"{task_id}.1"
        assert bench.broker.sent == [(task_id, 1)]

    def test_queues_when_every_slot_is_taken(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(3)]
        assert bench.pool.get_task_status(ids[2]).status == TaskStatus.QUEUED
        assert bench.broker.ids == ids[:2]

    def test_writes_the_ledger_row_first(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task(
            "genius", "leads", {"full": True}, 7, requested_by="ann", reason="asked for"
        )
        row = row_of(task_id)
        assert (row.crm_source, row.sync_type, row.endpoint) == (
            "genius",
            "leads",
            "sync_genius_leads",
        )
        assert row.status == "running"
        assert row.attempt == 1
        assert row.configuration["worker_pool_task_id"] == task_id
        assert row.configuration["parameters"] == {"full": True}
        assert row.configuration["priority"] == 7
        assert bench.pool.get_task_status(task_id).sync_history_id == row.pk

    def test_normalises_source_and_sync_type(self, bench: Bench) -> None:
        task = bench.pool.get_task_status(bench.pool.submit_task(" HubSpot ", "  Deals "))
        assert (task.crm_source, task.sync_type) == ("hubspot", "deals")

    @pytest.mark.parametrize("sync_type", [None, "", "  ", "all", "ALL"])
    def test_means_all_when_no_sync_type_is_given(
        self, bench: Bench, sync_type: str | None
    ) -> None:
        task = bench.pool.get_task_status(bench.pool.submit_task("genius", sync_type))
        assert task.task_name == "ingestion.tasks.sync_genius_all"

    def test_records_what_was_asked_when_a_fallback_runs(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            task_id = bench.pool.submit_task("callrail", "bananas")
        configuration = row_of(task_id).configuration
        assert configuration["asked"] == "bananas"
        assert configuration["command"] == "sync_callrail_calls"
        assert "bananas" in caplog.text
        task = bench.pool.get_task_status(task_id)
        assert task.task_name == "ingestion.tasks.sync_callrail_calls"

    @pytest.mark.parametrize(
        ("arguments", "error", "names"),
        [
            (("nope", "all"), UnknownSource, "hubspot"),
            ((None, "all"), UnknownSource, "hubspot"),
            (("", "all"), UnknownSource, "hubspot"),
            (("genius", 3), UnknownSyncType, "leads"),
            (("genius", "x" * 101), UnknownSyncType, "leads"),
            (("genius", "a\x00b"), UnknownSyncType, "leads"),
            (("genius", "all", [1]), InvalidParameters, "JSON object"),
            (("genius", "all", "{}"), InvalidParameters, "JSON object"),
            (("genius", "all", {"a": {1, 2}}), InvalidParameters, "JSON"),
            (("genius", "all", {"a": float("nan")}), InvalidParameters, "JSON"),
            (("genius", "all", {"a": datetime(2026, 1, 1, tzinfo=UTC)}), InvalidParameters, "JSON"),
            (("genius", "all", {1: "a"}), InvalidParameters, "texts"),
            (("genius", "all", {"a": "\x00"}), InvalidParameters, "NUL"),
            (("genius", "all", {"a": "x" * 70_000}), InvalidParameters, "65536"),
            (("genius", "all", {"api_key": "abc"}), SecretInParameters, "api_key"),
            (("genius", "all", {}, 5000), InvalidPriority, "-1000 to 1000"),
            (("genius", "all", {}, -1001), InvalidPriority, "-1000 to 1000"),
            (("genius", "all", {}, True), InvalidPriority, "-1000 to 1000"),
            (("genius", "all", {}, "5"), InvalidPriority, "-1000 to 1000"),
            (("genius", "all", {}, 1.0), InvalidPriority, "-1000 to 1000"),
        ],
    )
    def test_refuses_nonsense_and_stores_nothing(
        self, bench: Bench, arguments: tuple, error: type[ValueError], names: str
    ) -> None:
        with pytest.raises(error, match=names):
            bench.pool.submit_task(*arguments)
        assert issubclass(error, ValueError)
        assert bench.pool.get_queued_tasks() == bench.pool.get_active_tasks() == []
        assert not SyncHistory.objects.exists()
        assert not AuditRecord.objects.exists()
        assert bench.broker.sent == []

    @pytest.mark.parametrize(
        "options",
        [
            {"max_attempts": 0},
            {"max_attempts": True},
            {"max_attempts": 101},
            {"not_before": datetime(2026, 1, 1)},  # noqa: DTZ001
            {"not_before": "tomorrow"},
        ],
    )
    def test_refuses_options_that_make_no_sense(self, bench: Bench, options: dict) -> None:
        with pytest.raises(InvalidSubmission):
            bench.pool.submit_task("genius", "all", **options)
        assert not SyncHistory.objects.exists()

    def test_circular_parameters_are_refused(self, bench: Bench) -> None:
        circular: dict = {}
        circular["self"] = circular
        with pytest.raises(InvalidParameters):
            bench.pool.submit_task("genius", "all", circular)

    def test_leaves_no_ghost_when_the_store_is_lost(self, bench: Bench) -> None:
        bench.store.is_lost = True
        with pytest.raises(PoolUnavailable, match="Nothing was submitted"):
            bench.pool.submit_task("genius", "all")
        assert not SyncHistory.objects.exists()

    def test_waits_until_not_before(self, bench: Bench) -> None:
        later = bench.clock.now + timedelta(minutes=5)
        task_id = bench.pool.submit_task("genius", "all", not_before=later)
        assert bench.pool.get_task_status(task_id).status == "queued"
        bench.clock.advance(minutes=6)
        bench.pool.run_monitor_round()
        assert bench.pool.get_task_status(task_id).status == "running"

    def test_copies_the_parameters(self, bench: Bench) -> None:
        parameters = {"models": ["a"]}
        task_id = bench.pool.submit_task("genius", "all", parameters)
        parameters["models"].append("b")
        assert bench.pool.get_task_status(task_id).parameters == {"models": ["a"]}


class TestDispatch:
    def test_leaves_a_task_running_when_sending_failed(self, bench: Bench) -> None:
        bench.broker.error = OSError("broker is down")
        task_id = bench.pool.submit_task("genius", "all")
        assert bench.pool.get_task_status(task_id).status == "running"

    def test_sends_again_what_no_worker_confirmed(self, bench: Bench) -> None:
        bench.broker.error = OSError("broker is down")
        task_id = bench.pool.submit_task("genius", "all")
        bench.broker.error = None
        bench.clock.advance(seconds=61)
        assert bench.pool.run_monitor_round().resent == 1
        assert bench.broker.sent == [(task_id, 1)]

    def test_does_not_send_again_what_a_worker_holds(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        bench.clock.advance(seconds=61)
        assert bench.pool.run_monitor_round().resent == 0

    def test_piles_up_no_messages_while_no_worker_is_online(self, bench: Bench) -> None:
        bench.pool.worker_tick("w1", capacity=2)
        bench.pool.submit_task("genius", "all")
        bench.clock.advance(minutes=5)
        assert bench.pool.run_monitor_round().resent == 0
        bench.memory.worker_seen("w1", capacity=2)
        bench.clock.advance(minutes=1)
        bench.memory.worker_seen("w1", capacity=2)
        assert bench.pool.run_monitor_round().resent == 1

    def test_asks_a_dead_broker_once_per_round(self, bench: Bench) -> None:
        calls = []

        def send(task) -> None:
            calls.append(task.id)
            raise OSError("broker is down")

        bench.pool._send = send
        with transaction.atomic():
            bench.pool.set_max_workers(1)
        for _ in range(3):
            bench.pool.submit_task("genius", "all")
        calls.clear()
        bench.pool.set_max_workers(3)
        assert len(calls) == 1
        assert len(bench.pool.get_active_tasks()) == 3


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
        assert bench.pool.cancel_task(ids[2], actor="ann", reason="not needed")
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
        assert bench.pool.cancel_task(task_id, actor="ann")
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
        assert bench.pool.cancel_all(actor="ann") == {
            "queued_cancelled": 3,
            "running_cancelled": 1,
            "running_asked": 1,
        }
        assert row_of(unconfirmed).status == "cancelled"
        assert [t.id for t in bench.pool.get_active_tasks()] == [held]

    def test_clears_the_queue_and_nothing_else(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(5)]
        assert bench.pool.clear_queue(actor="ann") == 3
        assert len(bench.pool.get_active_tasks()) == 2
        assert {row_of(i).status for i in ids[2:]} == {"cancelled"}
        assert AuditRecord.objects.get(action="clear").after == {"cancelled": 3}
        assert AuditRecord.objects.filter(action="cancel").count() == 3


class TestLimit:
    def test_is_the_default_until_somebody_sets_it(self, bench: Bench) -> None:
        assert bench.pool.get_max_workers() == 2

    def test_is_in_force_everywhere_at_once(self, bench: Bench) -> None:
        other = bench.another_process()
        assert other.get_max_workers() == 2
        bench.pool.set_max_workers(5, actor="ann", reason="month's end")
        assert other.get_max_workers() == 5
        assert PoolSetting.objects.get().value == 5
        record = AuditRecord.objects.get(action="limit")
        assert (record.actor, record.reason, record.before, record.after) == (
            "ann",
            "month's end",
            2,
            5,
        )

    def test_starts_what_fits_now(self, bench: Bench) -> None:
        ids = [bench.pool.submit_task("genius", "all") for _ in range(4)]
        bench.pool.set_max_workers(3)
        assert bench.broker.ids == ids[:3]

    @pytest.mark.parametrize("limit", [0, -1, True, "3", 2.0, 100_000, None])
    def test_refuses_nonsense(self, bench: Bench, limit: object) -> None:
        with pytest.raises(InvalidLimit):
            bench.pool.set_max_workers(limit)
        assert bench.pool.get_max_workers() == 2
        assert not PoolSetting.objects.exists()

    def test_survives_the_loss_of_the_store(self, bench: Bench) -> None:
        bench.pool.set_max_workers(4, actor="ann")
        bench.memory.reset()
        assert bench.another_process().get_max_workers() == 4

    def test_is_put_back_by_the_monitor(self, bench: Bench) -> None:
        bench.pool.set_max_workers(4, actor="ann")
        bench.memory.reset()
        bench.pool.run_monitor_round()
        assert bench.memory.limit().max_workers == 4
        assert bench.memory.limit().set_by == "ann"

    def test_is_not_kept_when_the_store_is_lost(self, bench: Bench) -> None:
        bench.pool.get_max_workers()
        bench.store.is_lost = True
        with pytest.raises(PoolUnavailable):
            bench.pool.set_max_workers(4)
        assert not PoolSetting.objects.exists()


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
        bench.memory.cancel(ids[2], reason="by somebody")
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
        assert bench.pool.fix_stuck(actor="ann") == {
            "lost": 1,
            "stale": 0,
            "resent": 0,
            "ledger_closed": 0,
            "restored": 0,
            "started": 0,
            "healed": 0,
        }
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
        at_stake = {"active": 2, "queued": 1, "delayed": 0, "held": 0, "set_aside": 0}
        assert bench.pool.reset_state() == {"done": False, **at_stake}
        assert len(bench.pool.get_active_tasks()) == 2

    def test_forgets_all_and_keeps_the_limit(self, bench: Bench) -> None:
        bench.pool.set_max_workers(4)
        ids = [bench.pool.submit_task("genius", "all") for _ in range(5)]
        report = bench.pool.reset_state(force=True, actor="ann")
        assert report["done"] is True
        assert report["ledger_closed"] == 5
        assert bench.pool.get_active_tasks() == bench.pool.get_queued_tasks() == []
        assert {row_of(i).status for i in ids} == {"cancelled"}
        assert bench.pool.get_max_workers() == 4
        assert AuditRecord.objects.filter(action="cancel", actor="ann").count() == 5


class TestLooking:
    def test_stats_hold_the_promised_numbers(self, bench: Bench) -> None:
        for _ in range(3):
            bench.pool.submit_task("genius", "all")
        stats = bench.pool.get_stats()
        assert stats["max_workers"] == 2
        assert stats["active_count"] == 2
        assert stats["queued_count"] == 1
        assert stats["available_workers"] == 0
        assert stats["utilization"] == 100.0

    def test_the_queue_is_in_the_order_of_starting(self, bench: Bench) -> None:
        for _ in range(2):
            bench.pool.submit_task("genius", "all")
        low = bench.pool.submit_task("genius", "all", priority=-5)
        high = bench.pool.submit_task("genius", "all", priority=5)
        assert [t.id for t in bench.pool.get_queued_tasks()] == [high, low]

    def test_asks_nobody_when_no_worker_holds_a_task(self, bench: Bench) -> None:
        assert bench.pool.check_celery_task_statuses() == {
            "answered": True,
            "checked": 0,
            "running": [],
            "missing": [],
        }

    @pytest.mark.parametrize(
        ("answer", "answered", "running", "missing"),
        [(None, False, 0, 0), (frozenset(), True, 0, 1), ("all", True, 1, 0)],
    )
    def test_compares_with_what_workers_say(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, answer, answered, running, missing
    ) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        bench.confirm(task_id)
        said = frozenset({f"{task_id}.1"}) if answer == "all" else answer
        monkeypatch.setattr("ingestion.services.celery_view.running_ids", lambda: said)
        found = bench.pool.check_celery_task_statuses()
        assert found["answered"] is answered
        assert (len(found["running"]), len(found["missing"])) == (running, missing)

    def test_maps_every_route_to_its_task(self, bench: Bench) -> None:
        mappings = bench.pool.task_mappings
        assert mappings["hubspot", "all"] == "ingestion.tasks.sync_hubspot_all"
        assert len(mappings) >= 71


def test_tests_can_put_their_own_pool_in_place(bench: Bench) -> None:
    with use_worker_pool(bench.pool):
        assert get_worker_pool() is bench.pool


def test_the_default_number_of_attempts_comes_from_the_settings() -> None:
    bench = Bench(conf=replace(CONF, max_attempts=3))
    task = bench.pool.get_task_status(bench.pool.submit_task("genius", "all"))
    assert task.max_attempts == 3


def test_old_call_shapes_still_work(bench: Bench) -> None:
    task_id = bench.pool.submit_task(
        crm_source="five9", sync_type="contacts", parameters=None, priority=1
    )
    task = bench.pool.get_task_status(task_id)
    assert task.status in ["running", "queued"]
    assert task.configuration == {}


def test_work_in_a_transaction_that_rolls_back_leaves_no_row(bench: Bench) -> None:
    class RollBack(Exception):
        pass

    def submit_and_fail() -> None:
        with transaction.atomic():
            bench.pool.submit_task("genius", "all")
            raise RollBack

    with pytest.raises(RollBack):
        submit_and_fail()
    assert not SyncHistory.objects.exists()
    assert len(bench.pool.get_active_tasks()) == 1
