"""What cannot be read in Redis is set aside; it holds no slot and stops no verb."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest
from redis import Redis

from ingestion.pool.errors import LeaseLost, TaskNotFound
from ingestion.pool.keys import PoolKeys
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import DONE, Pool, a_task, own_keys, redis_pool


class TestBroken:
    @pytest.fixture(autouse=True)
    def _warnings(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING)

    def assert_dead_letter(
        self, pool: Pool, task_id: str, caplog: pytest.LogCaptureFixture, stored: str = ""
    ) -> None:
        snapshot = pool.store.snapshot()
        entry = json.loads(snapshot.dead_letters[task_id])
        assert entry["reason"]
        assert stored in json.dumps(entry["stored"])
        assert task_id not in {t.id for t in (*snapshot.active, *snapshot.queued)}
        assert pool.store.get(task_id) is None
        assert pool.counter("dead_letters") == 1
        assert f"task {task_id} cannot be read and was set aside" in caplog.text

    DAMAGES: tuple[tuple[str, Callable[[Redis, str], object]], ...] = (
        ("lost", lambda client, key: client.delete(key)),
        ("no name", lambda client, key: client.hdel(key, "task_name")),
        ("no CRM", lambda client, key: client.hdel(key, "crm_source")),
        ("unknown status", lambda client, key: client.hset(key, "status", "paused")),
        ("no number", lambda client, key: client.hset(key, "attempt", "one")),
        ("no time", lambda client, key: client.hset(key, "queued_at", "yesterday")),
        ("no JSON", lambda client, key: client.hset(key, "parameters", "{")),
        ("no object", lambda client, key: client.hset(key, "parameters", "[1]")),
        ("no hash", lambda client, key: (client.delete(key), client.set(key, "x"))),
    )

    @pytest.fixture(params=DAMAGES, ids=[name for name, _ in DAMAGES])
    def damage(self, request: pytest.FixtureRequest) -> Callable[[Redis, str], object]:
        return request.param[1]

    def test_a_queued_one_lets_the_next_start(
        self,
        redis_only: Pool,
        client: Redis,
        keys: PoolKeys,
        damage: Callable[[Redis, str], object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        broken, good = redis_only.submit(), redis_only.submit()
        damage(client, keys.task(broken))
        started = redis_only.claim()
        assert good in started + redis_only.claim()
        assert broken not in redis_only.active()
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_a_reader_skips_it(
        self,
        redis_only: Pool,
        client: Redis,
        keys: PoolKeys,
        damage: Callable[[Redis, str], object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        broken, good = redis_only.submit(), redis_only.submit()
        damage(client, keys.task(broken))
        assert redis_only.queue() == [good]
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_an_active_one_frees_its_slot(
        self,
        redis_only: Pool,
        client: Redis,
        keys: PoolKeys,
        damage: Callable[[Redis, str], object],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        redis_only.store.set_limit(1)
        broken, good = redis_only.held(), redis_only.submit()
        damage(client, keys.task(broken))
        redis_only.store.active()
        assert redis_only.claim() == [good]
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_the_snapshot_skips_it(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = redis_only.held(parameters={"since": "2026-01-01"})
        client.hset(keys.task(broken), "status", "paused")
        assert redis_only.store.snapshot().active == ()
        self.assert_dead_letter(redis_only, broken, caplog, stored="2026-01-01")

    def test_a_round_of_repairs_ends_the_others(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, lost = redis_only.held(), redis_only.held()
        client.delete(keys.task(broken))
        redis_only.let_pass(91)
        assert [t.id for t in redis_only.store.reap().lost] == [lost]
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_a_delayed_one_is_not_promoted(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = redis_only.submit(not_before=utc_now().replace(year=2100))
        client.hdel(keys.task(broken), "task_name")
        redis_only.let_pass(100 * 365 * 86_400)
        assert redis_only.claim() == []
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_get_of_one_gives_none(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken = redis_only.finished()
        client.hset(keys.task(broken), "result", "{")
        assert redis_only.store.get(broken) is None
        self.assert_dead_letter(redis_only, broken, caplog)

    def test_clearing_the_queue_passes_over_it(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
    ) -> None:
        broken, good = redis_only.submit(), redis_only.submit()
        client.hdel(keys.task(broken), "task_name")
        assert [t.id for t in redis_only.store.clear_queue()] == [good]
        self.assert_dead_letter(redis_only, broken, caplog)

    @pytest.mark.redis
    def test_bytes_that_are_no_text_are_dead_lettered_too(
        self, redis_server: EmbeddedRedis, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = Redis.from_url(redis_server.url(3))
        with own_keys(client) as keys:
            pool = redis_pool(client, PoolPolicy(), keys)
            broken = pool.held()
            client.hset(keys.task(broken), "max_attempts", b"\xff\xfe")
            assert pool.store.active() == ()
            self.assert_dead_letter(pool, broken, caplog)

    def test_verbs_on_one_say_so(self, redis_only: Pool, client: Redis, keys: PoolKeys) -> None:
        held = redis_only.held()
        client.delete(keys.task(held))
        with pytest.raises(TaskNotFound):
            redis_only.store.heartbeat(held, attempt=1)
        with pytest.raises(TaskNotFound):
            redis_only.store.finish(held, attempt=1, outcome=DONE, token="t")
        client.hset(keys.task(held), mapping={"status": "running", "attempt": "x"})
        with pytest.raises(LeaseLost):
            redis_only.store.heartbeat(held, attempt=1)

    def test_a_limit_that_is_no_number_counts_as_not_set(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        client.hset(keys.config, "control:max_workers", "many")
        client.hset(keys.config, "control:pause", '{"value": "yes"}')
        redis_only.submit()
        assert len(redis_only.claim()) == 1
        assert redis_only.store.limit().max_workers == 2

    def test_the_restored_task_runs_again(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        task = a_task()
        redis_only.store.submit(task)
        client.hset(keys.task(task.id), "status", "paused")
        assert redis_only.queue() == []
        assert redis_only.store.restore([task]) == 1
        assert redis_only.claim() == [task.id]
