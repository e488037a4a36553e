"""The wiring of Redis: the connection, key prefix and value format of Django's cache, the store."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django_redis import get_redis_connection
from redis import Redis

from ingestion.conf import PoolConf
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis_rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy, PoolStore
from ingestion.services.ledger_state import enter_unknown
from ingestion.services.ledger_store import LedgerPoolStore
from ingestion.services.referee import Referee

CACHE_ALIAS = "default"


def redis_client() -> Redis:
    """The client behind Django's default cache. It does not repeat a command by itself.

    Raises NotImplementedError when that cache is not a django-redis one.
    """
    client: Redis = get_redis_connection(CACHE_ALIAS, write=True)
    return client


def key_prefix() -> str:
    """What the cache puts before every key, e.g. ``{dw}:1:``."""
    return str(caches[CACHE_ALIAS].make_key(""))


def decode_legacy(value: bytes) -> Any:
    """What an older version stored with ``cache.set``: decompressed and unpickled as the cache
    does it. Only for the pool's own keys; raises what the cache's serializer raises."""
    cache: Any = caches[CACHE_ALIAS]
    return cache.client.decode(value)


def pool_store(conf: PoolConf) -> PoolStore:
    """The pool's state in the Redis of Django's default cache, shared by every process; while that
    cannot be reached, in the ledger's database."""
    policy = PoolPolicy(
        default_max_workers=conf.max_workers,
        lease_seconds=conf.lease_seconds,
        stale_seconds=conf.stale_minutes * 60,
        dispatch_seconds=conf.dispatch_seconds,
        retention_seconds=conf.retention_minutes * 60,
        priority_aging_seconds=conf.priority_aging_seconds,
    )
    in_redis = RebuildableRedisStore(
        redis_client(),
        PoolKeys(key_prefix()),
        policy,
        enter=enter_unknown,
        decode_legacy=decode_legacy,
    )
    return Referee(in_redis, LedgerPoolStore(policy), policy)
