"""The pool over a Redis of several servers, wired as the settings wire it."""

from __future__ import annotations

from typing import Any

from django_redis.cache import RedisCache
from django_redis.pool import ConnectionFactory
from redis import Redis

from ingestion import redis_urls
from tests.integration.failover_testbed import FailoverTestbed
from tests.integration.system import wait_for

TAG = "{dw}"


def cache_at(url: str) -> Any:
    """Django's cache as CACHE_URL makes it, with connections of its own as in another process."""
    where = redis_urls.for_django(url, key_prefix=TAG, seconds=1.2)
    ConnectionFactory._pools.clear()
    return RedisCache(where["LOCATION"], {"KEY_PREFIX": TAG, "OPTIONS": where["OPTIONS"]})


class AtUrl:
    """Stands for the testbed's own server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self) -> Redis:
        found: Redis = cache_at(self.url).client.get_client(write=True)
        return found


def pool_at(url: str, **options: Any) -> FailoverTestbed:
    cache_at(url).clear()
    server: Any = AtUrl(url)
    return FailoverTestbed(server, **options)


def wait_until_whole(testbed: FailoverTestbed) -> None:
    wait_for(lambda: not testbed.is_degraded(), what="the way back to Redis")


def finish_all(testbed: FailoverTestbed, ids: list[str]) -> None:
    """As workers would, one after the other: each once, and none is left."""
    assert sorted(testbed.run_some(len(ids))) == sorted(ids)
    assert [testbed.row(task_id).status for task_id in ids] == ["success"] * len(ids)
    assert not testbed.pool.get_active_tasks()
    assert not testbed.pool.get_queued_tasks()
