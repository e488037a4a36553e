"""How often one caller may ask: so many requests within any minute.

Each web process counts for itself: the count costs no other system a thing, and goes on while one is
away.
"""

from __future__ import annotations

from ingestion.conf import site_conf
from ingestion.sync.common.rate_limit import ProcessRateLimiter, Rate

WINDOW_SECONDS = 60

_limiter = ProcessRateLimiter()


def seconds_to_wait(caller: str) -> float:
    """0 takes a place: the caller may ask now. Else how long until one is free."""
    most = site_conf().api_requests_per_minute
    if not most:
        return 0
    rate = Rate(f"api:{caller}", most, WINDOW_SECONDS, patience_seconds=0, has_way=False)
    return _limiter.reserve(rate)


def forget() -> None:
    """Everybody may begin anew; for tests."""
    global _limiter
    _limiter = ProcessRateLimiter()
