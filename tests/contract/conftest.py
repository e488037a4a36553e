"""The stores that keep the pool's contract: in memory, on fakeredis, on a real server, on a real
cluster, and over the ledger's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from ingestion.pool.keys import PoolKeys
from ingestion.pool.store import PoolPolicy
from tests.contract.stores import (
    OpenPool,
    Pool,
    cluster_client,
    fake_client,
    ledger_pool,
    memory_pool,
    own_keys,
    redis_pool,
)
from tests.redis_servers import RedisCluster, redis_cluster

REAL = pytest.param("redis", marks=pytest.mark.redis)
CLUSTER = pytest.param("cluster", marks=[pytest.mark.redis, pytest.mark.slow])
LEDGER = pytest.param("ledger", marks=pytest.mark.django_db)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def _client(request: pytest.FixtureRequest) -> Redis:
    if request.param == "fakeredis":
        return fake_client()
    if request.param == "cluster":
        return cluster_client(request.getfixturevalue("cluster"))
    return Redis.from_url(request.getfixturevalue("redis_server").url(3))


@pytest.fixture(params=["fakeredis", REAL, CLUSTER])
def client(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A client of fakeredis, one of a real server, and one of a real cluster."""
    client = _client(request)
    yield client
    client.close()


@pytest.fixture
def keys(client: Redis) -> Iterator[PoolKeys]:
    with own_keys(client) as keys:
        yield keys


@pytest.fixture
def open_redis_pool(client: Redis, keys: PoolKeys) -> OpenPool:
    """Opens stores over the same keys: ``open_redis_pool(policy, **options)``."""
    return lambda policy=None, **options: redis_pool(
        client, policy or PoolPolicy(), keys, **options
    )


@pytest.fixture
def redis_only(open_redis_pool: OpenPool) -> Pool:
    return open_redis_pool()


@pytest.fixture(params=["memory", "fakeredis", REAL, CLUSTER, LEDGER])
def open_pool(request: pytest.FixtureRequest) -> Iterator[Callable[..., Pool]]:
    """Opens a pool of one of these kinds: ``open_pool(policy)``."""
    if request.param == "memory":
        yield lambda policy=None: memory_pool(policy or PoolPolicy())
        return
    if request.param == "ledger":
        yield lambda policy=None: ledger_pool(policy or PoolPolicy())
        return
    client = _client(request)
    with own_keys(client) as keys:
        yield lambda policy=None: redis_pool(client, policy or PoolPolicy(), keys)
    client.close()


@pytest.fixture
def pool(open_pool: OpenPool) -> Pool:
    return open_pool()
