"""Submission and dispatch over a store in memory: what is accepted, refused, sent and sent again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import transaction

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.errors import (
    InvalidParameters,
    InvalidPriority,
    InvalidSubmission,
    PoolUnavailable,
    SecretInParameters,
    UnknownSource,
    UnknownSyncType,
)
from ingestion.pool.task import TaskStatus
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import Bench, row_of

pytestmark = pytest.mark.django_db


def nested(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels - 1):
        found = [found]
    return found


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
            (("genius", "all", {0: "a"}), InvalidParameters, "texts"),
            (("genius", "all", {None: "a"}), InvalidParameters, "texts"),
            (("genius", "all", {"a": "\x00"}), InvalidParameters, "NUL"),
            (("genius", "all", {"a": "x" * 70_000}), InvalidParameters, "65536"),
            (("genius", "all", {"a": "\ud800"}), InvalidParameters, "Unicode"),
            (("genius", "all", {"\udfff": 1}), InvalidParameters, "Unicode"),
            (("genius", "all", {"a": nested(101)}), InvalidParameters, "100 levels"),
            (("genius", "all", {"a": nested(100_000)}), InvalidParameters, "JSON"),
            (("genius", "\ud800"), UnknownSyncType, "leads"),
            (("\ud800", "all"), UnknownSource, "hubspot"),
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
            {"not_before": datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))},
            {"not_before": datetime.max.replace(tzinfo=timezone(-timedelta(hours=12)))},
            {"reason": "x" * 1_000_000},
            {"reason": "x" * 2001},
            {"reason": "a\x00b"},
            {"reason": "\ud800"},
            {"reason": None},
            {"requested_by": "a\x00b"},
            {"requested_by": "\udc80"},
            {"requested_by": "x" * 201},
            {"requested_by": 7},
        ],
    )
    def test_refuses_options_that_make_no_sense(self, bench: Bench, options: dict) -> None:
        with pytest.raises(InvalidSubmission):
            bench.pool.submit_task("genius", "all", **options)
        assert not SyncHistory.objects.exists()

    def test_what_is_just_allowed_is_accepted(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task(
            "genius", "all", {"a": nested(98)}, requested_by="x" * 200, reason="ö" * 2000
        )
        assert row_of(task_id).configuration["reason"] == "ö" * 2000

    @pytest.mark.parametrize("task_id", [None, 7, "", "a\x00b", "\ud800", "x" * 100_000])
    def test_what_is_no_id_is_no_task(self, bench: Bench, task_id: Any) -> None:
        assert bench.pool.get_task_status(task_id) is None
        assert bench.pool.cancel_task(task_id) is False

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

        pool = WorkerPoolService(bench.store, conf=bench.conf, send=send)
        with transaction.atomic():
            pool.set_max_workers(1)
        for _ in range(3):
            pool.submit_task("genius", "all")
        calls.clear()
        pool.set_max_workers(3)
        assert len(calls) == 1
        assert len(pool.get_active_tasks()) == 3
