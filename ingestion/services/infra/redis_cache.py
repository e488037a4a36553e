"""The Redis behind Django's default cache: its client, and the prefix of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

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


def mode(url: str) -> str:
    """``standalone``, ``cluster`` or ``sentinel``: what the server at ``url`` is. Empty where it does
    not answer, or does not say."""
    with _asking(url) as client:
        return str(client.info("server").get("redis_mode", ""))
    return ""


def masters(url: str) -> frozenset[str]:
    """The names of those that the Sentinel at ``url`` watches; none where it does not answer."""
    with _asking(url) as client:
        return frozenset(str(name) for name in client.sentinel_masters())
    return frozenset()


@contextmanager
def _asking(url: str) -> Iterator[Redis]:
    """What it raises ends the block."""
    client = Redis.from_url(
        url, retry=None, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS
    )
    with suppress(RedisError, OSError), closing(client):
        yield client


def key_prefix() -> str:
    """What the cache puts before every key, e.g. ``{dw}:1:``."""
    return str(caches[CACHE_ALIAS].make_key(""))
