"""The pool's state and Django's cache in a real Redis cluster of three primaries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from ingestion.pool.keys import PoolKeys
from ingestion.services.runs.rate_limits import SharedRateLimiter
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.sync.common.rate_limit import Rate
from tests.integration.failover_testbed import FailoverTestbed, epoch, quick_failover
from tests.integration.several_redis import TAG, cache_at, finish_all, pool_at, wait_until_whole
from tests.redis_servers import RedisCluster, redis_cluster, wait_until

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def pool(cluster: RedisCluster) -> Iterator[FailoverTestbed]:
    with quick_failover():
        yield pool_at(cluster.url)


def test_the_cache_is_one_as_others_are(cluster: RedisCluster) -> None:
    cache = cache_at(cluster.url)
    cache.clear()
    cache.set_many({"a": 1, "b": {"c": [2]}})
    assert cache.get_many(["a", "b", "none"]) == {"a": 1, "b": {"c": [2]}}
    assert (cache.incr("a"), cache.has_key("none")) == (2, False)
    assert sorted(cache.iter_keys("*")) == ["a", "b"]


def test_clearing_the_cache_leaves_what_others_have_in_the_cluster(cluster: RedisCluster) -> None:
    cache = cache_at(cluster.url)
    client = cache.client.get_client(write=True)
    of_others = f"other:{TAG}"
    client.set(of_others, "theirs")
    cache.set_many({str(number): number for number in range(50)})
    cache.set("of another version", 1, version=2)
    cache.clear()
    assert client.keys("*") == [of_others.encode()]


def test_a_budget_is_shared_by_all_processes(cluster: RedisCluster) -> None:
    rate = Rate("crm", requests=2, window_seconds=60)
    clients = [cache_at(cluster.url).client.get_client(write=True) for _ in range(3)]
    waits = [SharedRateLimiter(c, key_prefix=f"{TAG}:").reserve(rate) for c in clients]
    assert waits[:2] == [0, 0]
    assert waits[2] > 0


def test_tasks_wait_start_and_end(pool: FailoverTestbed) -> None:
    ids = [pool.submit() for _ in range(5)]
    assert pool.pool.cancel_task(ids.pop())
    finish_all(pool, ids)
    assert not pool.is_degraded()


def test_the_slot_has_moved_to_another_node(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    """MOVED is followed, and the state is built there from the ledger, as it is after a restart."""
    ids = [pool.submit() for _ in range(5)]
    before = epoch()
    cluster.move(TAG, cluster.other(TAG))
    ids.append(pool.submit())
    assert not pool.is_degraded()
    assert epoch() == before + 1
    finish_all(pool, ids)


def test_the_slot_is_between_two_nodes(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    """Every script is refused whole: the ledger decides meanwhile, and says why."""
    ids = [pool.submit() for _ in range(5)]
    to = cluster.other(TAG)
    source = cluster.begin_move(TAG, to)
    assert cluster.move_keys(TAG, source, to, at_most=3) == 3
    ids.append(pool.submit())
    seen = pool.pool.snapshot()
    assert seen.degraded
    assert "TRYAGAIN" in (seen.degraded_reason or "")
    ran = pool.run_some(1)
    while cluster.move_keys(TAG, source, to):
        pass
    ids.append(pool.submit())
    cluster.end_move(TAG, source, to)
    wait_until_whole(pool)
    finish_all(pool, [task_id for task_id in ids if task_id not in ran])


def test_a_replica_takes_over(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    """What it had not been told yet is in the ledger."""
    ids = [pool.submit() for _ in range(5)]
    replica = cluster.replica_of(cluster.owner(TAG))
    replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
    wait_until("the replica has the slot", lambda: cluster.owner(TAG) is replica)
    ids.append(pool.submit())
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_its_node_is_frozen(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    """Silent, which is waited for once; by the time that others would replace it, it is back."""
    ids = [pool.submit() for _ in range(3)]
    with cluster.owner(TAG).frozen():
        ids.append(pool.submit())
        seen = pool.pool.snapshot()
        assert seen.degraded
        assert "Timeout" in (seen.degraded_reason or "")
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_all_nodes_are_frozen(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    ids = [pool.submit() for _ in range(3)]
    with ExitStack() as frozen:
        for server in cluster.servers:
            frozen.enter_context(server.frozen())
        another = pool.another_process()
        ids.append(another.submit_task("genius", "leads"))
        seen = another.snapshot()
        assert seen.degraded
        assert "slot was not found" in (seen.degraded_reason or "")
    cluster.wait_until_whole()
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_another_redis_is_left_without_a_migration(
    cluster: RedisCluster, redis_server: EmbeddedRedis
) -> None:
    """The state is built where CACHE_URL leads to, as it was."""
    with quick_failover():
        before = pool_at(redis_server.url(6))
        ids = [before.submit() for _ in range(4)]
        before.confirm(ids[0])
        pool = pool_at(cluster.url)
        assert [task.id for task in pool.pool.get_active_tasks()] == ids[:2]
        assert [task.id for task in pool.pool.get_queued_tasks()] == ids[2:]
        assert pool.task(ids[0]).confirmed_at
        pool.finish(ids[0])
        finish_all(pool, ids[1:])


def test_the_cluster_is_down(cluster: RedisCluster, pool: FailoverTestbed) -> None:
    """One slot that nobody has stops all of them, by default."""
    ids = [pool.submit() for _ in range(3)]
    with cluster.without_slot(cluster.other(TAG)):
        ids.append(pool.submit())
        seen = pool.pool.snapshot()
        assert seen.degraded
        assert "CLUSTERDOWN" in (seen.degraded_reason or "")
    wait_until_whole(pool)
    finish_all(pool, ids)


def test_keys_in_several_slots_are_degraded_and_no_traceback(cluster: RedisCluster) -> None:
    """The settings refuse such a prefix; whoever gets past them has the ledger."""
    with quick_failover():
        pool = pool_at(cluster.url, keys=PoolKeys("untagged:"))
        ids = [pool.submit() for _ in range(3)]
        seen = pool.pool.snapshot()
        assert seen.degraded
        assert "CROSSSLOT" in (seen.degraded_reason or "")
        assert [task.id for task in pool.pool.get_queued_tasks()] == ids


def test_one_node_that_answers_is_enough_to_find_the_others(cluster: RedisCluster) -> None:
    last = cluster.servers[-1].address
    cache = cache_at(f"{cluster.url.rpartition('@')[0]}@127.0.0.1:1,127.0.0.1:2,{last}")
    cache.set("found", 1)
    assert cache.get("found") == 1


def test_a_wrong_password_says_so(cluster: RedisCluster) -> None:
    with pytest.raises(RedisConnectionError, match=r"slot was not found.*invalid.*password"):
        cache_at(cluster.url.replace("://:", "://:not-")).get("a")


def test_nobody_answers() -> None:
    with pytest.raises(
        RedisConnectionError, match=r"slot was not found: 127\.0\.0\.1:1: Error 111"
    ):
        cache_at("redis+cluster://127.0.0.1:1").get("a")
