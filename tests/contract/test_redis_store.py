"""What only a store in Redis has: keys, scripts, broken state, an absent server, its cost."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolUnavailable, TaskNotFound
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import DONE, OpenPool, Pool, a_task, own_keys, redis_pool


class TestStoredForm:
    def test_times_are_whole_microseconds(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        task_id = redis_only.held()
        stored = client.hgetall(keys.task(task_id))
        for name in (b"queued_at", b"started_at", b"last_heartbeat", b"lease_expires_at"):
            assert stored[name].isdigit()
            assert len(stored[name]) == 16

    def test_every_key_stands_under_the_prefix_and_the_known_names(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        redis_only.finish(redis_only.held())
        redis_only.submit()
        redis_only.store.worker_seen("w1", capacity=1)
        found = {key.decode() for key in client.scan_iter(match="*", count=1000)}
        assert all(key.startswith(f"{keys.prefix}worker_pool:") for key in found)

    def test_a_finished_task_expires_by_itself(
        self, open_redis_pool: OpenPool, client: Redis, keys: PoolKeys
    ) -> None:
        pool = open_redis_pool(PoolPolicy(retention_seconds=600))
        running, ended = pool.held(), pool.finished()
        assert 590 < client.ttl(keys.task(ended)) <= 600
        assert client.ttl(keys.task(running)) == -1

    def test_an_answer_is_kept_for_a_short_while(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        redis_only.store.claim(token="t")
        assert 0 < client.ttl(keys.operation("t")) <= 120

    def test_what_is_asked_for_twice_answers_the_same(
        self, redis_only: Pool, client: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As by a client that has lost the first reply."""
        evalsha = client.evalsha

        def twice(*args: Any) -> Any:
            evalsha(*args)
            return evalsha(*args)

        task_id = redis_only.held()
        redis_only.let_pass(91)
        monkeypatch.setattr(client, "evalsha", twice)
        assert [task.id for task in redis_only.store.reap().lost] == [task_id]
        assert redis_only.store.restore([a_task()]) == 1

    def test_an_empty_queue_leaves_no_name_behind(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        redis_only.submit("genius")
        redis_only.claim()
        assert client.smembers(keys.queues) == set()

    def test_a_forgotten_worker_leaves_nothing_behind(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        redis_only.store.worker_seen("old", capacity=2)
        redis_only.let_pass(86_401)
        redis_only.store.worker_seen("new", capacity=2)
        assert client.hkeys(keys.worker_capacity) == [b"new"]

    @pytest.mark.redis
    @pytest.mark.parametrize("options", ["protocol=2", "protocol=3", "decode_responses=true"])
    def test_any_client_reads_the_same(self, redis_server: EmbeddedRedis, options: str) -> None:
        client = Redis.from_url(f"{redis_server.url(3)}?{options}")
        with own_keys(client) as keys:
            pool = redis_pool(client, PoolPolicy(), keys)
            task_id = pool.held(parameters={"ß": 1}, requested_by="Zoë")
            pool.store.worker_seen("w1", capacity=2)
            pool.store.set_limit(3, change=ChangeRequest(by="alice"))
            pool.submit()
            (active,) = pool.store.snapshot().active
            assert (active.parameters, active.requested_by) == ({"ß": 1}, "Zoë")
            assert pool.finish(task_id).status == TaskStatus.COMPLETED

    def test_a_reset_deletes_the_pools_keys_alone(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        others = [f"{keys.prefix}views", f"{keys.prefix}crm_rate:x", f"x{keys.prefix}worker_pool:x"]
        for key in others:
            client.set(key, "1")
        redis_only.submit()
        redis_only.store.reset()
        assert client.exists(*others) == 3
        client.delete(*others)

    def test_a_prefix_with_pattern_signs_is_taken_as_it_is(self, client: Redis) -> None:
        mine = redis_pool(client, PoolPolicy(), PoolKeys("{x}a[b]*:1:"))
        other = redis_pool(client, PoolPolicy(), PoolKeys("{x}abc:1:"))
        mine.submit()
        task_id = other.submit()
        mine.store.reset()
        assert mine.queue() == []
        assert other.queue() == [task_id]
        other.store.reset()

    def test_two_pools_do_not_meet(self, client: Redis) -> None:
        one, other = (redis_pool(client, PoolPolicy(), PoolKeys(f"{{{n}}}:")) for n in "xy")
        task_id = one.submit()
        assert other.store.get(task_id) is None
        assert other.claim() == []
        one.store.reset()


class TestUnavailable:
    def test_no_server_is_pool_unavailable_and_keeps_its_cause(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        client = Redis(port=port, retry=None, socket_timeout=1)
        store = RedisPoolStore(client, PoolKeys("{x}:"), PoolPolicy())
        for verb in (
            store.ping,
            store.reap,
            store.reset,
            lambda: store.claim(token="t"),
            lambda: store.submit(a_task()),
            lambda: store.get("x"),
        ):
            with pytest.raises(PoolUnavailable, match="Redis cannot be reached") as refusal:
                verb()
            assert refusal.value.__cause__ is not None

    def test_a_server_that_never_answers_is_too(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            client = Redis(port=silent.getsockname()[1], retry=None, socket_timeout=0.1)
            with pytest.raises(PoolUnavailable):
                RedisPoolStore(client, PoolKeys("{x}:"), PoolPolicy()).ping()

    @pytest.mark.redis
    def test_a_full_server_is_too(self, redis_server: EmbeddedRedis) -> None:
        client = Redis.from_url(redis_server.url(3))
        store = RedisPoolStore(client, PoolKeys("{full}:"), PoolPolicy())
        store.ping()
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(PoolUnavailable, match="Redis cannot serve now"):
                store.submit(a_task())
        finally:
            client.config_set("maxmemory", 0)
        assert store.queued() == ()

    def test_a_key_of_another_type_is_too_until_it_is_reset(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        client.rpush(keys.active, "what is this")
        for _ in range(2):
            with pytest.raises(PoolUnavailable, match="reset-state --force"):
                redis_only.submit()
        assert redis_only.store.reset() > 0
        assert redis_only.submit() in redis_only.claim()

    def test_the_scripts_are_loaded_again_after_a_flush(
        self, redis_only: Pool, client: Redis
    ) -> None:
        redis_only.submit()
        client.script_flush()
        assert len(redis_only.claim()) == 1

    def test_a_flushed_server_is_an_empty_pool(self, redis_only: Pool, client: Redis) -> None:
        held = redis_only.held()
        client.flushdb()
        with pytest.raises(TaskNotFound):
            redis_only.store.heartbeat(held, attempt=1)
        assert redis_only.claim() == []


@pytest.mark.redis
class TestCost:
    """Counted by the server in commands, those inside scripts too."""

    FEW, MANY = 10, 20_000

    def commands_of(self, client: Redis, verb: Callable[[], object]) -> int:
        client.config_resetstat()
        verb()
        stats = client.info("commandstats")
        return sum(s["calls"] for name, s in stats.items() if "config" not in name)

    def costs(self, pool: Pool, client: Redis) -> dict[str, int]:
        store = pool.store
        a, b = store.claim(token="warm-up")
        store.confirm(a.id, attempt=1, worker="w", token="c")
        new, queued = a_task(), pool.submit()
        due, waiting = a_task(), pool.task(queued)
        place = store.queue_page(limit=2).last
        verbs: dict[str, Callable[[], object]] = {
            "submit": lambda: store.submit(new),
            "heartbeat": lambda: store.heartbeat(a.id, attempt=1),
            "progress": lambda: store.report_progress(a.id, attempt=1, progress={}),
            "return_to_queue": lambda: store.return_to_queue(b.id, attempt=1),
            "claim": lambda: store.claim(token="claim"),
            "finish": lambda: store.finish(a.id, attempt=1, outcome=DONE, token="f"),
            "cancel": lambda: store.cancel(queued),
            "get": lambda: store.get(queued),
            "reap": store.reap,
            "restore": lambda: store.restore([due]),
            "snapshot": lambda: store.snapshot(queue_limit=5),
            "page": lambda: store.queued(offset=3, limit=5),
            "queue_page": lambda: store.queue_page(after=place, limit=5),
            "ahead_of": lambda: store.ahead_of(waiting),
            "limit": store.limit,
        }
        return {name: self.commands_of(client, verb) for name, verb in verbs.items()}

    def costs_with(self, client: Redis, queued: int) -> dict[str, int]:
        pool = redis_pool(client, PoolPolicy(), PoolKeys(f"{{cost{queued}}}:"))
        try:
            pool.store.restore(
                [a_task(("a", "b", "c")[n % 3], status=TaskStatus.QUEUED) for n in range(queued)]
            )
            return self.costs(pool, client)
        finally:
            pool.store.reset()

    def test_every_verb_costs_the_same_with_a_long_queue(self, redis_server: EmbeddedRedis) -> None:
        client = Redis.from_url(redis_server.url(4))
        self.costs_with(client, self.FEW)  # the server learns the scripts
        assert self.costs_with(client, self.MANY) == self.costs_with(client, self.FEW)


def test_one_claim_parks_no_more_than_a_script_may_take(redis_only: Pool) -> None:
    redis_only.store.worker_seen("w1", capacity=9, task_names=["ingestion.tasks.another"])
    at_once, count = 200, 450
    for _ in range(count):
        redis_only.submit()
    parked = []
    for _ in range(3):
        assert redis_only.claim() == []
        parked.append(redis_only.store.snapshot(queue_limit=0).delayed_count)
    assert parked == [at_once, 2 * at_once, count]
