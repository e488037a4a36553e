"""Start ranges that were reckoned a moment ago: while nothing happens to the queue they stay true, and
only come closer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.services.waiting.simulation import NOW, Span

# A run goes on meanwhile, which says something about its end: then the queue is simulated again.
KEPT_SECONDS = 10.0
# Readers ask for pages of different lengths.
MOST_KEPT = 8

Spans = Sequence[Span | None]


@dataclass(frozen=True)
class _Kept:
    """``seen``: everything that the ranges follow from, but for the time that goes by."""

    seen: Any
    at: datetime
    spans: Spans

    def moved_to(self, now: datetime) -> Spans | None:
        """None when too much time has gone by, or a start that was to come should have come."""
        passed = (now - self.at).total_seconds()
        if not 0 <= passed < KEPT_SECONDS:
            return None
        moved = [_moved(span, passed) for span in self.spans]
        if any(span is not None and span.latest_seconds < 0 for span in moved):
            return None
        return moved


class RecentSpans:
    """Those of one process."""

    def __init__(self) -> None:
        self._kept: tuple[_Kept, ...] = ()

    def of(self, seen: Any, now: datetime, reckon: Callable[[], Spans]) -> Spans:
        """Of a queue that looks like ``seen``, in seconds from ``now``."""
        kept = self._kept
        for one in kept:
            if one.seen == seen and (moved := one.moved_to(now)) is not None:
                return moved
        fresh = _Kept(seen, now, reckon())
        rest = [one for one in kept if one.seen != seen]
        self._kept = (fresh, *rest[: MOST_KEPT - 1])
        return fresh.spans


def _moved(span: Span | None, passed: float) -> Span | None:
    """What starts now, starts now; a ``latest`` below 0 has passed."""
    if span is None or span == NOW:
        return span
    return Span(max(0.0, span.earliest_seconds - passed), span.latest_seconds - passed)
