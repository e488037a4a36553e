"""What operators do when something is wrong, on the service as it is in production."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.models import AuditRecord, SyncHistory
from ingestion.services.runs import celery_view
from ingestion.services.worker_pool import use_worker_pool
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed
from tests.unit.pool_shell import manage

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

# The cache's own, a limiter's, another version's, another application's.
OTHERS = (
    "{dw}:1:views",
    "{dw}:1:crm_rate:hubspot",
    "{dw}:2:worker_pool:stats",
    "worker_pool:stats",
)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailoverTestbed]:
    monkeypatch.setattr(celery_view, "in_hand", dict)
    with failover_testbed(tmp_path) as bench, use_worker_pool(bench.pool):
        yield bench


def busy(bench: FailoverTestbed) -> list[str]:
    """One is held, one was sent, two wait."""
    ids = [bench.submit() for _ in range(4)]
    bench.confirm(ids[0])
    return ids


class TestReset:
    def test_deletes_the_pools_keys_and_no_other(self, bench: FailoverTestbed) -> None:
        for key in OTHERS:
            bench.redis.lpush(key, "kept")
        in_another_database = bench.server.client()
        in_another_database.select(5)
        in_another_database.set("kept", "1")
        busy(bench)
        bench.redis.hset(bench.keys.dead_letters, "x", "{}")
        assert manage("reset-state", "--force").code == 0
        kept = {key.decode() for key in bench.redis.keys("*")}
        assert set(OTHERS) <= kept
        assert not kept & {bench.keys.dead_letters, bench.keys.active, bench.keys.queues}
        assert in_another_database.get("kept") == b"1"

    def test_deletes_nothing_from_the_database(self, bench: FailoverTestbed) -> None:
        ids = busy(bench)
        before = AuditRecord.objects.count()
        manage("reset-state", "--force")
        assert SyncHistory.objects.count() == len(ids)
        assert set(SyncHistory.objects.values_list("status", flat=True)) == {"cancelled"}
        assert AuditRecord.objects.count() > before

    def test_the_pool_works_afterwards(self, bench: FailoverTestbed) -> None:
        busy(bench)
        bench.pool.set_max_workers(3)
        manage("reset-state", "--force")
        task_id = bench.submit()
        bench.confirm(task_id)
        assert bench.finish(task_id).status == "completed"
        assert bench.pool.get_max_workers() == 3

    def test_heals_a_state_that_cannot_be_read(self, bench: FailoverTestbed) -> None:
        ids = busy(bench)
        bench.redis.delete(bench.keys.workers)
        bench.redis.set(bench.keys.workers, "somebody else's")
        assert manage("status").code == 5
        shown = manage("reset-state")
        assert (shown.code, "2 active, 2 queued" in shown.message) == (2, True)
        assert manage("reset-state", "--force").code == 0
        assert manage("status").code == 0
        assert {bench.row(task_id).status for task_id in ids} == {"cancelled"}

    def test_without_redis_it_resets_what_stands_in_its_place(self, bench: FailoverTestbed) -> None:
        busy(bench)
        bench.lose_redis()
        assert manage("reset-state", "--force").code == 0
        bench.bring_redis_back()
        assert bench.pool.get_active_tasks() == bench.pool.get_queued_tasks() == []


class TestDoctor:
    def test_a_busy_pool_is_healthy(self, bench: FailoverTestbed) -> None:
        busy(bench)
        ran = manage("doctor")
        assert (ran.code, ran.out) == (0, "Slots, queue, ledger, workers and clocks agree.\n")

    def test_a_degraded_pool_is_told_and_healthy(self, bench: FailoverTestbed) -> None:
        busy(bench)
        bench.lose_redis()
        ran = manage("doctor")
        assert (ran.code, "The pool is degraded" in ran.err) == (0, True)

    def test_a_run_gets_its_slot_back(self, bench: FailoverTestbed) -> None:
        held, sent, *_ = busy(bench)
        bench.redis.zrem(bench.keys.active, held)
        bench.redis.zrem(bench.keys.leases, held)
        assert manage("doctor").code == 1
        assert manage("doctor", "--repair").code == 0
        assert {task.id for task in bench.pool.get_active_tasks()} == {held, sent}
        assert bench.finish(held).status == "completed"

    def test_a_waiting_task_gets_its_place_back(self, bench: FailoverTestbed) -> None:
        *_, third, fourth = busy(bench)
        bench.redis.zrem(bench.keys.queue("genius"), third)
        bench.redis.zrem(bench.keys.waiting, third)
        assert manage("doctor", "--repair").code == 0
        assert [task.id for task in bench.pool.get_queued_tasks()] == [third, fourth]

    def test_a_slot_without_a_run_is_free(self, bench: FailoverTestbed) -> None:
        held, _, third, _ = busy(bench)
        bench.redis.hset(bench.keys.task(held), "status", "failed")
        assert manage("doctor", "--repair").code == 0
        assert bench.row(held).status == "failed"
        assert bench.task(third).status == "running"

    def test_a_flushed_server_is_healed_by_looking_at_it(self, bench: FailoverTestbed) -> None:
        ids = busy(bench)
        bench.redis.flushall()
        assert manage("doctor").code == 0
        assert {task.id for task in bench.pool.get_active_tasks()} == set(ids[:2])
