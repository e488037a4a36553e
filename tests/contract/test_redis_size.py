"""How many bytes a queued task takes in Redis, and that the larger form of before is still read."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from redis import Redis

from ingestion.pool.clock import to_us
from ingestion.pool.keys import PoolKeys
from ingestion.pool.order_rule import OrderRule
from ingestion.pool.overlap import OnOverlap, parameters_digest, short_digest
from ingestion.pool.redis.lua_scripts import LUA_DIR
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import Pool, a_task, own_keys, redis_pool

ROUTES = [
    ("genius", "leads"),
    ("hubspot", "contacts"),
    ("genius", "marketsharp_appointments"),
    ("callrail", "calls"),
]
# It was 1 263 bytes while fields that say nothing were stored, and the whole digest twice.
MOST_BYTES = 880


@pytest.mark.redis
def test_a_queued_task_is_small(redis_server: EmbeddedRedis) -> None:
    """Without parameters; all keys of the pool with their prefix, and the key of the ledger's row."""
    client, count = Redis.from_url(redis_server.url(3)), 2_000
    with own_keys(client) as keys:
        pool = redis_pool(client, PoolPolicy(), keys)
        for start in range(0, count, 500):
            tasks = [
                a_task(*ROUTES[n % 4], sync_history_id=1_000_000 + n, requested_by="ann")
                for n in range(start, start + 500)
            ]
            pool.store.submit_many([(task, OnOverlap.ALLOW) for task in tasks])
        sizes = [client.memory_usage(key, samples=0) for key in client.scan_iter(keys.pattern)]
    assert sum(size or 0 for size in sizes) / count <= MOST_BYTES
    client.close()


def stored_before(client: Redis, keys: PoolKeys, task: WorkerTask) -> None:
    """A QUEUED task as it was stored while every field of it was."""
    place_us = to_us(task.queued_at)
    score = OrderRule.of(PoolPolicy().priority_aging_seconds).score(
        place_us, priority=task.priority
    )
    overlap = f"{task.crm_source}|{task.sync_type}|{parameters_digest(task.parameters)}|"
    fields = {
        "id": task.id,
        "task_name": task.task_name,
        "crm_source": task.crm_source,
        "sync_type": task.sync_type,
        "parameters": json.dumps(task.parameters),
        "status": "queued",
        "priority": "0",
        "queued_at": str(place_us),
        "attempt": "0",
        "max_attempts": "1",
        "progress": "{}",
        "result": "{}",
        "requested_by": "",
        "revision": "1",
        "held_by": "",
        "held_reason": "",
        "overlap": overlap,
        "score": str(score),
    }
    client.hset(keys.task(task.id), mapping=fields)
    client.sadd(keys.queues, task.crm_source)
    client.zadd(keys.queue(task.crm_source), {task.id: score})
    client.zadd(keys.waiting, {task.id: place_us})
    client.zadd(keys.overlaps, {overlap + task.id: 0})


class TestStateOfBefore:
    @pytest.fixture
    def before(self, redis_only: Pool, client: Redis, keys: PoolKeys) -> list[WorkerTask]:
        """One without parameters, one with some."""
        redis_only.store.pause(None)
        redis_only.store.cancel(redis_only.submit())  # the order rule is known from here on
        now = utc_now()
        tasks = [
            a_task(id=str(uuid.uuid4()), parameters=given, queued_at=now - timedelta(seconds=ago))
            for given, ago in (({}, 20), ({"full": True}, 10))
        ]
        for task in tasks:
            stored_before(client, keys, task)
        return tasks

    def test_it_is_read(self, redis_only: Pool, before: list[WorkerTask]) -> None:
        new = redis_only.submit()
        ids = [task.id for task in before]
        assert redis_only.queue() == [*ids, new]
        assert [redis_only.task(i).parameters for i in ids] == [{}, {"full": True}]
        assert redis_only.store.ahead_of(redis_only.task(new)) == {"hubspot": 2}

    def test_it_coalesces_what_repeats_it(self, redis_only: Pool, before: list[WorkerTask]) -> None:
        for task in before:
            again = a_task(parameters=task.parameters)
            stored = redis_only.store.submit(again, on_overlap=OnOverlap.COALESCE)
            assert stored.id == task.id

    def test_it_runs_and_leaves_nothing(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, before: list[WorkerTask]
    ) -> None:
        first, second = (task.id for task in before)
        redis_only.store.cancel(second)
        redis_only.store.resume(None)
        assert redis_only.claim() == [first]
        redis_only.confirm(first)
        assert redis_only.finish(first).status == TaskStatus.COMPLETED
        assert (client.zcard(keys.waiting), client.zcard(keys.overlaps)) == (0, 0)


def test_lua_knows_the_digest_that_was_kept_for_no_parameters() -> None:
    script = (LUA_DIR / "includes" / "overlap.lua").read_text("utf-8")
    assert f"local DIGEST_OF_NONE = '{parameters_digest({})[:16]}'" in script
    assert (short_digest({}), len(short_digest({"a": 1}))) == ("", 16)
