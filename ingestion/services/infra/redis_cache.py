"""The Redis behind Django's default cache: its client, and the prefix of its keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.core.cache import caches
from django_redis import get_redis_connection
from redis import Redis
from redis.exceptions import RedisError

from ingestion import redis_urls

NEVER = datetime.fromtimestamp(0, UTC)
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


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself; all but ``answers`` has no meaning where it does not answer.
    ``evicts``: by ``policy`` it may throw out keys that have no end; empty where its memory has no
    bound."""

    answers: bool
    policy: str = ""
    is_persistent: bool = False
    has_password: bool = False
    clock: datetime = NEVER

    @property
    def evicts(self) -> bool:
        return self.policy.startswith("allkeys")


def facts(url: str) -> list[ServerFacts]:
    """Of each server that a URL of Redis names; of those that Sentinels watch, and of other brokers,
    nothing is known here."""
    if redis_urls.is_one_server(url):
        return [_facts(url)]
    servers = redis_urls.parse(url)
    is_cluster = servers is not None and servers.kind == "cluster"
    return [_facts(each) for each in servers.each_url] if servers and is_cluster else []


def _facts(url: str) -> ServerFacts:
    with _asking(url) as client:
        info: dict[str, Any] = {**client.info("memory"), **client.info("persistence")}
        seconds, micros = client.time()
        return ServerFacts(
            answers=True,
            policy=str(info.get("maxmemory_policy", "")) if info.get("maxmemory") else "",
            is_persistent=bool(info.get("aof_enabled") or _has_save_points(client)),
            has_password=_asks_for_password(url),
            clock=datetime.fromtimestamp(int(seconds) + int(micros) / 1e6, UTC),
        )
    return ServerFacts(answers=False)


def _has_save_points(client: Redis) -> bool:
    """Servers that others run may keep their configuration to themselves."""
    with suppress(RedisError):
        return bool(client.config_get("save").get("save"))
    return False


def _asks_for_password(url: str) -> bool:
    """Whether somebody without one is refused."""
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    with _asking(bare) as client:
        client.ping()
        return False
    return True


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
