"""The service over a store in memory: limit, stats, the process's own pool."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import transaction

from ingestion.models import AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    InvalidLimit,
    PoolUnavailable,
)
from ingestion.services.worker_pool import get_worker_pool, use_worker_pool
from tests.unit.pool_fixtures import CONF, Bench

pytestmark = pytest.mark.django_db


class TestLimit:
    def test_is_the_default_until_somebody_sets_it(self, bench: Bench) -> None:
        assert bench.pool.get_max_workers() == 2

    def test_is_in_force_everywhere_at_once(self, bench: Bench) -> None:
        other = bench.another_process()
        assert other.get_max_workers() == 2
        bench.pool.set_max_workers(5, change=ChangeRequest(by="ann", reason="month's end"))
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
        bench.pool.set_max_workers(4, change=ChangeRequest(by="ann"))
        bench.memory.reset()
        assert bench.another_process().get_max_workers() == 4

    def test_is_put_back_by_the_monitor(self, bench: Bench) -> None:
        bench.pool.set_max_workers(4, change=ChangeRequest(by="ann"))
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
        monkeypatch.setattr("ingestion.services.runs.celery_view.running_ids", lambda: said)
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
