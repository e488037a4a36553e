"""One budget per CRM, kept by all processes together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from ingestion.pool.keys import RATE_FAMILY
from ingestion.services.runs.rate_limits import SharedRateLimiter
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.sync.common.rate_limit import LONGEST_MARGIN_SECONDS, Rate

pytestmark = pytest.mark.redis

RATE = Rate("testcrm:all", requests=10, window_seconds=1000, patience_seconds=1_000_000)


def limiter(server: EmbeddedRedis) -> SharedRateLimiter:
    return SharedRateLimiter(Redis.from_url(server.url(7), protocol=2), key_prefix="{rates}:")


@pytest.fixture(autouse=True)
def empty(redis_server: EmbeddedRedis) -> None:
    Redis.from_url(redis_server.url(7)).flushdb()


def test_no_window_holds_more_places_than_the_rate_allows(redis_server: EmbeddedRedis) -> None:
    """Calls are made at moments of their own, so the places are compared, not the waits."""
    limiters = [limiter(redis_server) for _ in range(4)]
    server = Redis.from_url(redis_server.url(7))
    places: list[int] = []
    with ThreadPoolExecutor(4) as together:
        for _ in range(4):
            before = _now_us(server)
            waits = sorted(together.map(lambda n: limiters[n % 4].reserve(RATE), range(10)))
            after = _now_us(server)
            # The last ten are kept, which are those of this round.
            taken = [
                int(place) for place in server.lrange(f"{{rates}}:{RATE_FAMILY}{RATE.name}", 0, -1)
            ]
            assert all(
                before <= place - round(wait * 1_000_000) <= after
                for place, wait in zip(taken, waits, strict=True)
            )
            places += taken
    assert places == sorted(places)
    apart = {later - sooner for sooner, later in zip(places, places[10:], strict=False)}
    assert apart == {(RATE.window_seconds + LONGEST_MARGIN_SECONDS) * 1_000_000}


def _now_us(server: Redis) -> int:
    seconds, microseconds = server.time()
    return seconds * 1_000_000 + microseconds


def test_takes_no_place_beyond_the_patience(redis_server: EmbeddedRedis) -> None:
    one = limiter(redis_server)
    hasty = Rate(RATE.name, requests=10, window_seconds=1000, patience_seconds=300)
    for _ in range(10):
        assert one.reserve(hasty) == 0
    waits = [one.reserve(hasty) for _ in range(5)]
    assert all(300 < wait <= RATE.spaced_seconds for wait in waits)
    # Nobody took a place: whoever is patient gets the first free one.
    assert one.reserve(RATE) <= RATE.spaced_seconds


def test_rates_of_different_names_do_not_share(redis_server: EmbeddedRedis) -> None:
    one = limiter(redis_server)
    for _ in range(10):
        one.reserve(RATE)
    assert one.reserve(Rate("testcrm:search", requests=1, window_seconds=1000)) == 0


def test_a_lowered_rate_is_in_force_at_once(redis_server: EmbeddedRedis) -> None:
    one = limiter(redis_server)
    for _ in range(4):
        one.reserve(RATE)
    assert one.reserve(Rate(RATE.name, requests=2, window_seconds=1000)) > 0


def test_counts_alone_while_redis_is_away(caplog: pytest.LogCaptureFixture) -> None:
    gone = Redis(port=1, socket_connect_timeout=0.2, retry=None)
    alone = SharedRateLimiter(gone, key_prefix="{rates}:")
    rate = Rate("testcrm:away", requests=1, window_seconds=1000)
    assert [alone.reserve(rate) > 0 for _ in range(2)] == [False, True]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
