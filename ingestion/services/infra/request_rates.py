"""How often one caller may ask: so many requests within any minute.

Each web process counts for itself: the count costs no other system a thing, and goes on while one is
away.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque

from ingestion.conf import site_conf
from ingestion.sync.common.rate_limit import ProcessRateLimiter, Rate

WINDOW_SECONDS = 60

# Made-up tokens of one address, and how many addresses are remembered.
MOST_FAILURES, MOST_CALLERS = 20, 10_000

_limiter = ProcessRateLimiter()
_failures: OrderedDict[str, deque[float]] = OrderedDict()
_lock = threading.Lock()


def note_failure(caller: str) -> None:
    """A token that nobody has was presented."""
    with _lock:
        tries = _failures.setdefault(caller, deque(maxlen=MOST_FAILURES))
        _failures.move_to_end(caller)
        tries.append(time.monotonic())
        while len(_failures) > MOST_CALLERS:
            _failures.popitem(last=False)


def seconds_until_next_try(caller: str) -> float:
    """0 after fewer failures than are allowed within a minute."""
    with _lock:
        tries = _failures.get(caller)
        if tries is None or len(tries) < MOST_FAILURES:
            return 0
        return max(0.0, tries[0] + WINDOW_SECONDS - time.monotonic())


def forget_failures() -> None:
    with _lock:
        _failures.clear()


def seconds_to_wait(caller: str) -> float:
    """0 takes a place: the caller may ask now. Else how long until one is free."""
    most = site_conf().api_requests_per_minute
    if not most:
        return 0
    rate = Rate(f"api:{caller}", most, WINDOW_SECONDS, patience_seconds=0, has_way=False)
    return _limiter.reserve(rate)
