"""Until when the caller of this thread waits for the ledger's database, for whoever does the waiting."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """``until`` on the monotonic clock, for all together; ``each_seconds`` for one answer."""

    until: float
    each_seconds: float

    @property
    def left_seconds(self) -> float:
        return max(0.0, self.until - time.monotonic())

    @property
    def wait_seconds(self) -> float:
        """How long to wait for the next answer."""
        return min(self.each_seconds, self.left_seconds)


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def current() -> Deadline | None:
    """None: as long as it takes."""
    return _current.get()


@contextmanager
def within(seconds: float = math.inf, *, each_seconds: float) -> Iterator[None]:
    """Nothing in this block waits longer, nor longer than an outer block allows."""
    until, outer = time.monotonic() + seconds, _current.get()
    if outer is not None:
        until, each_seconds = min(until, outer.until), min(each_seconds, outer.each_seconds)
    before = _current.set(Deadline(until, each_seconds))
    try:
        yield
    finally:
        _current.reset(before)


@contextmanager
def unlimited() -> Iterator[None]:
    """As outside of every block."""
    before = _current.set(None)
    try:
        yield
    finally:
        _current.reset(before)
