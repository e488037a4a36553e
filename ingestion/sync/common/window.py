"""What a run has to read, and where the next one goes on: the watermark.

The watermark is kept in the pipeline's state, as ``{"kind": ..., "value": ...}``, and is committed
with the load. It is the highest cursor value seen (``incremental="cursor"``) or the time when the
run began (``run_start``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.source import Model, Watermark, Window

FORCE7 = timedelta(days=7)
# Naive cursors are in the time of a server that may be ahead of UTC.
EASTERNMOST = timedelta(hours=14)


def window_for(
    model: Model, options: SyncOptions, watermark: Watermark | None, *, now: datetime
) -> Window:
    """What this run reads. A model that is not incremental is always read in full, unless a
    window is asked for by date."""
    if options.start_date or options.end_date:
        return Window(since=options.start_date, until=options.end_date)
    if options.mode == "full" or model.incremental == "full":
        return Window()
    if options.mode == "force7":
        return Window(since=now - FORCE7)
    if watermark is None:
        return Window()
    return Window(since=_reduced(watermark, model.overlap_seconds))


def moves_watermark(model: Model, options: SyncOptions) -> bool:
    """Only a run that reads all there is up to now may tell the next one to start later."""
    return (
        model.incremental != "full"
        and options.mode in ("delta", "full")
        and not (options.start_date or options.end_date)
        and options.max_records is None
    )


class Highest:
    """The highest cursor value so far; values of a clock that runs ahead do not count."""

    def __init__(self, *, now: datetime) -> None:
        self.value: Watermark | None = None
        self._now = now

    def see(self, values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, datetime | str | int) and not self._is_in_future(value):
                self.value = later(self.value, value)

    def _is_in_future(self, value: Watermark) -> bool:
        if not isinstance(value, datetime):
            return False
        if value.tzinfo is None:
            return value > self._now.replace(tzinfo=None) + EASTERNMOST
        return value > self._now


def later(one: Watermark | None, other: Watermark | None) -> Watermark | None:
    """The higher of two watermarks; the second where they cannot be compared."""
    if one is None or other is None:
        return other if one is None else one
    try:
        return one if one > other else other  # type: ignore[operator]
    except TypeError:
        return other


def to_state(watermark: Watermark) -> dict[str, Any]:
    if isinstance(watermark, datetime):
        return {"kind": "datetime", "value": watermark.isoformat()}
    return {"kind": type(watermark).__name__, "value": watermark}


def from_state(state: Mapping[str, Any] | None) -> Watermark | None:
    if not state:
        return None
    value: Watermark = state["value"]
    return datetime.fromisoformat(str(value)) if state["kind"] == "datetime" else value


def in_words(watermark: Watermark | None) -> str | None:
    return watermark.isoformat() if isinstance(watermark, datetime) else _text(watermark)


def _text(watermark: str | int | None) -> str | None:
    return None if watermark is None else str(watermark)


def _reduced(watermark: Watermark, overlap_seconds: float) -> Watermark:
    """Only times can be reduced; other cursors are read from their value on, inclusive."""
    if isinstance(watermark, datetime):
        return watermark - timedelta(seconds=overlap_seconds)
    return watermark


def utc_now() -> datetime:
    return datetime.now(UTC)
