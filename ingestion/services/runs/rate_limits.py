"""One budget per CRM for all processes: places of a rate are handed out by Redis.

While Redis is away every process keeps to the rate by itself: that may be too much together, and
then the CRM's own 429 is obeyed.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisClusterException, RedisError

from ingestion.pool.keys import RATE_FAMILY
from ingestion.services.infra import redis_cache
from ingestion.sync.common.rate_limit import Rate, RateLimiter, process_rate_limiter

log = logging.getLogger(__name__)

SCRIPT = (Path(__file__).parent / "lua" / "reserve_place.lua").read_text()


class SharedRateLimiter:
    """Keeps the RateLimiter contract for every process that speaks to the same Redis."""

    def __init__(self, client: Redis, *, key_prefix: str) -> None:
        self._family = f"{key_prefix}{RATE_FAMILY}"
        self._reserve = client.register_script(SCRIPT)
        self._is_alone = False

    def reserve(self, rate: Rate) -> float:
        try:
            wait_us = self._reserve(
                keys=[f"{self._family}{rate.name}"],
                args=[rate.requests, _us(rate.spaced_seconds), _us(rate.patience_seconds)],
            )
        except (RedisError, RedisClusterException) as problem:
            self._warn(problem)
            return process_rate_limiter().reserve(rate)
        self._is_alone = False
        return int(wait_us) / 1_000_000

    def _warn(self, problem: Exception) -> None:
        """Once while Redis is away, not for every request."""
        if not self._is_alone:
            log.warning("rate limiter without Redis, this process counts alone: %s", problem)
        self._is_alone = True


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


@cache
def shared_rate_limiter() -> RateLimiter:
    """The one of this process. A cache that is not in Redis has none to share."""
    try:
        client = redis_cache.redis_client()
    except NotImplementedError:
        return process_rate_limiter()
    return SharedRateLimiter(client, key_prefix=redis_cache.key_prefix())
