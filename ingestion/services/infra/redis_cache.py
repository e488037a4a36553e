"""The Redis behind Django's default cache: its client, and the prefix of its keys."""

from __future__ import annotations

from django.core.cache import caches
from django_redis import get_redis_connection
from redis import Redis
from redis.exceptions import RedisError

CACHE_ALIAS = "default"
ASK_SECONDS = 1.2


def redis_client() -> Redis:
    """The client behind Django's default cache. It does not repeat a command by itself.

    Raises NotImplementedError when that cache is not a django-redis one.
    """
    client: Redis = get_redis_connection(CACHE_ALIAS, write=True)
    return client


def is_in_cluster(url: str) -> bool:
    """Whether the server at ``url`` is a node of a Redis cluster; False where it does not answer."""
    client = Redis.from_url(
        url, retry=None, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS
    )
    try:
        return client.info("cluster").get("cluster_enabled") == 1
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def key_prefix() -> str:
    """What the cache puts before every key, e.g. ``{dw}:1:``."""
    return str(caches[CACHE_ALIAS].make_key(""))
