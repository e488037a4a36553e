"""Keeps requests within what a CRM allows, ahead of time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

# The CRM counts a request when it arrives, we when it leaves: one that took long on its way and
# later ones that did not would be too many within its window.
MARGIN_SHARE, SHORTEST_MARGIN_SECONDS, LONGEST_MARGIN_SECONDS = 0.1, 0.25, 2.0


@dataclass(frozen=True)
class Rate:
    """At most ``requests`` within any ``window_seconds``. ``name`` says whose budget it is, e.g.
    ``hubspot:search``: everybody who uses the name shares it. A place that begins only after
    ``patience_seconds`` is not taken: a run must not hold its slot for as long as that.
    ``has_way`` is false where the requests are counted as they arrive."""

    name: str
    requests: int
    window_seconds: float
    patience_seconds: float = 300
    has_way: bool = True

    @property
    def spaced_seconds(self) -> float:
        """The window in which the places are handed out, with room for the way of a request."""
        if not self.has_way:
            return self.window_seconds
        margin = max(MARGIN_SHARE * self.window_seconds, SHORTEST_MARGIN_SECONDS)
        return self.window_seconds + min(margin, LONGEST_MARGIN_SECONDS)


class RateLimiter(Protocol):
    """Hands out the places of a rate, first come, first served."""

    def reserve(self, rate: Rate) -> float:
        """Takes the next free place; in how many seconds it begins, 0 for now. The place stays
        taken also if the caller gives up waiting. More seconds than the rate's patience: none was
        taken."""


class ProcessRateLimiter:
    """Shared by the threads of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: dict[str, deque[float]] = {}

    def reserve(self, rate: Rate) -> float:
        with self._lock:
            now = self._clock()
            taken = deque(self._taken.get(rate.name, ()), maxlen=rate.requests)
            is_full = len(taken) == rate.requests
            # With the last N places kept, the first of them says when the next one is free.
            at = max(now, taken[0] + rate.spaced_seconds) if is_full else now
            if at - now <= rate.patience_seconds:
                taken.append(at)
                self._taken[rate.name] = taken
            return at - now


_PROCESS_LIMITER = ProcessRateLimiter()


def process_rate_limiter() -> RateLimiter:
    """The one of this process, so that two runs in two threads share a CRM's budget."""
    return _PROCESS_LIMITER
