"""The wiring of the store: Redis behind Django's cache, with the ledger as its fallback."""

from __future__ import annotations

from ingestion.conf import PoolConf, pool_conf
from ingestion.pool.errors import OtherInstallation, PoolUnavailable
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy, PoolStore
from ingestion.services.failover import installation
from ingestion.services.failover.store import FailoverStore
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.infra.redis_cache import key_prefix, redis_client
from ingestion.services.ledger.state import enter_unknown
from ingestion.services.ledger.store import LedgerPoolStore


def pickled_legacy() -> tuple[str, ...]:
    """The keys of what an older version pickled; none where Redis cannot be asked."""
    try:
        return _in_redis(_policy(pool_conf())).pickled_legacy()
    except (PoolUnavailable, NotImplementedError):
        return ()


def other_installation() -> str:
    """A sentence where the pool's keys in Redis belong to another installation; '' where they do
    not, and where Redis or the database cannot be asked. Changes nothing."""
    try:
        known = installation.known()
        _in_redis(_policy(pool_conf())).at(None, installation=known).ping()
    except OtherInstallation as problem:
        return str(problem)
    except (PoolUnavailable, NotImplementedError, *DATABASE_ERRORS):
        pass
    return ""


def pool_store(conf: PoolConf) -> PoolStore:
    """The pool's state in the Redis of Django's default cache, shared by every process; while that
    cannot be reached, in the ledger's database."""
    policy = _policy(conf)
    return FailoverStore(_in_redis(policy), LedgerPoolStore(policy), policy)


def _policy(conf: PoolConf) -> PoolPolicy:
    return PoolPolicy(
        default_max_workers=conf.max_workers,
        lease_seconds=conf.lease_seconds,
        stale_seconds=conf.stale_minutes * 60,
        dispatch_seconds=conf.dispatch_seconds,
        retention_seconds=conf.retention_minutes * 60,
        priority_aging_seconds=conf.priority_aging_seconds,
    )


def _in_redis(policy: PoolPolicy) -> RebuildableRedisStore:
    return RebuildableRedisStore(
        redis_client(),
        PoolKeys(key_prefix()),
        policy,
        enter=enter_unknown,
        owner=installation.description(),
    )
