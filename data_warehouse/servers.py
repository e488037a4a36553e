"""Cache, broker and results: from their URLs to what Django and Celery want to know."""

from __future__ import annotations

import re
from typing import Any

from kombu import Queue

from data_warehouse.environment import Settings
from ingestion import redis_urls
from ingestion.redis_urls import CeleryServers, WrongRedisUrl

# A call that finds Redis away goes on over the ledger, within two seconds in all.
CACHE_CALL_SECONDS = 1.2
SENTINEL_SECONDS = 1.5
SYNC_QUEUE = re.compile(r"(?P<crm>\*|[a-z0-9_]+)(\.(?P<type>[a-z0-9_]+))?\s*:\s*(?P<queue>[\w.-]+)")
# What keeps the pool going and is no sync.
CONTROL_TASKS = (
    "ingestion.tasks.worker_pool_monitor",
    "ingestion.tasks.cleanup_stale_syncs",
    "ingestion.tasks.generate_automation_reports",
    "ingestion.tasks.run_automation_rules",
    "ingestion.tasks.describe_datasets",
    "ingestion.tasks.look_for_troubles",
)


def caches(config: Settings, url: str) -> dict[str, dict[str, Any]]:
    """As in Django's CACHES."""
    # The braces are a Redis hash tag: a cluster keeps all keys of the pool on one node.
    prefix = config.text("CACHE_KEY_PREFIX", "{dw}")
    cache = {"BACKEND": "django_redis.cache.RedisCache", "KEY_PREFIX": prefix}
    try:
        where = redis_urls.for_django(url, key_prefix=prefix, seconds=CACHE_CALL_SECONDS)
    except WrongRedisUrl as wrong:
        config.problems.append(f"CACHE_URL {wrong}.")
        return {"default": cache}
    return {"default": {**cache, **where}}


def broker(config: Settings, url: str) -> CeleryServers:
    return _celery(config, "CELERY_BROKER_URL", url, redis_urls.BROKERS)


def results(config: Settings, url: str) -> CeleryServers:
    return _celery(config, "CELERY_RESULT_BACKEND", url, ())


def _celery(config: Settings, name: str, url: str, schemes: tuple[str, ...]) -> CeleryServers:
    try:
        return redis_urls.for_celery(url, seconds=SENTINEL_SECONDS, schemes=schemes)
    except WrongRedisUrl as wrong:
        config.problems.append(f"{name} {wrong}.")
        return CeleryServers("", {})


def task_routes(config: Settings, *, syncs: str, control: str) -> dict[str, dict[str, str]]:
    """Control tasks, then the syncs that have a queue of their own, then all others. Celery takes a
    name before a pattern, and of patterns the first that fits."""
    own: dict[str, dict[str, str]] = {}
    for word in config.words("CELERY_SYNC_QUEUES"):
        found = SYNC_QUEUE.fullmatch(word)
        if found:
            name = f"ingestion.tasks.sync_{found['crm']}_{found['type'] or '*'}"
            own.setdefault(name, routes(found["queue"], name)[name])
        else:
            config.problems.append(
                f"CELERY_SYNC_QUEUES holds {word!r}; write CRM:QUEUE or CRM.TYPE:QUEUE."
            )
    return {
        **routes(control, *CONTROL_TASKS),
        **own,
        **routes(syncs, "ingestion.*", "data_warehouse.*"),
    }


def routes(queue: str, *names: str) -> dict[str, dict[str, str]]:
    """As in Celery's task_routes."""
    return {name: {"queue": queue, "routing_key": queue} for name in names}


def queues(*names: str) -> list[Queue]:
    """What a worker without --queues takes from: all of them."""
    return [Queue(name, routing_key=name) for name in dict.fromkeys(names)]


def transport_options(found: CeleryServers, unacknowledged_seconds: float) -> dict[str, Any]:
    """So that nobody who sends waits long for a broker that is away."""
    tries = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
    if not found.is_redis:
        return tries
    return {
        "socket_timeout": 5,
        "socket_connect_timeout": 1.5,
        **tries,
        "visibility_timeout": unacknowledged_seconds,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        **found.options,
    }
