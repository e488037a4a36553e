"""What was damaged from outside is put right, in every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from ingestion.pool.errors import TaskNotFound, UnreadableTask
from ingestion.pool.keys import PoolKeys
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.store import PoolPolicy, Reaped
from ingestion.pool.task import TaskStatus
from tests.contract.stores import Pool, memory_pool

KINDS: dict[str, Callable[[Pool], str]] = {
    "queued": lambda pool: pool.submit(),
    "sent": lambda pool: pool.running(),
    "held": lambda pool: pool.held(),
    "finished": lambda pool: pool.finished(),
}


class TestEverywhere:
    @pytest.mark.parametrize("kind", KINDS)
    def test_what_stands_right_stays_there(self, pool: Pool, kind: str) -> None:
        task_id = KINDS[kind](pool)
        before, places = pool.task(task_id), (pool.queue(), pool.active())
        task = pool.store.repair(task_id)
        assert (task.status, task.attempt, task.worker) == (
            before.status,
            before.attempt,
            before.worker,
        )
        assert (pool.queue(), pool.active()) == places

    def test_the_clocks_of_a_held_task_begin_anew(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.let_pass(2000)
        pool.store.repair(task_id)
        assert pool.store.reap() == Reaped()

    def test_a_sent_task_is_sent_again(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.store.repair(task_id)
        assert [task.id for task in pool.store.reap().unconfirmed] == [task_id]

    def test_the_order_of_the_queue_stays(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(5)]
        pool.store.repair(ids[2])
        assert pool.queue() == ids

    def test_an_unknown_task_is_refused(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound):
            pool.store.repair("nope")

    def test_nothing_is_dead_lettered_here(self, pool: Pool) -> None:
        assert pool.store.drop_dead_letter("nope") is False


class TestMemory:
    @pytest.fixture
    def pool(self) -> Pool:
        return memory_pool(PoolPolicy())

    def test_a_slot_without_a_run_is_free(self, pool: Pool) -> None:
        store, task_id = _memory(pool), pool.held()
        store._held[task_id].task.status = TaskStatus.COMPLETED
        store.repair(task_id)
        assert pool.active() == set()

    def test_a_run_gets_its_slot_back(self, pool: Pool) -> None:
        store, task_id = _memory(pool), pool.held()
        store._active.drop(task_id)
        store.repair(task_id)
        assert pool.active() == {task_id}

    def test_a_waiting_task_gets_its_place_back(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(3)]
        _memory(pool)._leave_queue(pool.task(ids[1]))
        pool.store.repair(ids[1])
        assert pool.queue() == ids


def _memory(pool: Pool) -> MemoryPoolStore:
    assert isinstance(pool.store, MemoryPoolStore)
    return pool.store


class TestRedis:
    def test_a_slot_without_a_run_is_free(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        task_id = redis_only.held()
        client.hset(keys.task(task_id), "status", "completed")
        redis_only.store.repair(task_id)
        assert redis_only.active() == set()
        assert client.zcard(keys.leases) == 0
        assert client.zscore(keys.finished, task_id)

    def test_a_run_gets_its_slot_back(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        task_id = redis_only.held()
        client.zrem(keys.active, task_id)
        client.zrem(keys.leases, task_id)
        redis_only.store.repair(task_id)
        assert redis_only.active() == {task_id}
        assert client.zscore(keys.leases, task_id)

    def test_a_waiting_task_gets_its_place_back(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        ids = [redis_only.submit() for _ in range(3)]
        client.zrem(keys.queue("hubspot"), ids[1])
        client.zrem(keys.waiting, ids[1])
        redis_only.store.repair(ids[1])
        assert redis_only.queue() == ids

    def test_a_run_leaves_the_queue(self, redis_only: Pool, client: Redis, keys: PoolKeys) -> None:
        task_id = redis_only.submit()
        client.hset(keys.task(task_id), mapping={"status": "running", "attempt": "1"})
        redis_only.store.repair(task_id)
        assert (redis_only.queue(), redis_only.active()) == ([], {task_id})

    @pytest.mark.parametrize("field", ["crm_source", "score"])
    def test_what_cannot_be_read_is_dead_lettered_and_can_be_dropped(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, field: str
    ) -> None:
        task_id = redis_only.submit()
        client.hdel(keys.task(task_id), field)
        with pytest.raises(UnreadableTask):
            redis_only.store.repair(task_id)
        assert set(redis_only.store.snapshot().dead_letters) == {task_id}
        assert redis_only.store.drop_dead_letter(task_id)
        assert redis_only.store.snapshot().dead_letters == {}
