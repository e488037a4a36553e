"""What a run has to read, and where the next one goes on: the watermark.

The watermark is kept in the pipeline's state, as ``{"kind": ..., "value": ...}``, and is committed
with the load. It is the highest cursor value seen (``incremental="cursor"``) or the time when the
run began (``run_start``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.source import Model, Watermark, Window

FORCE7 = timedelta(days=7)
LONGEST_CLOCK_CHANGE = timedelta(hours=2)
# Ids as MongoDB makes them: eight hex digits of seconds since 1970, then sixteen of their own.
OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
# Whole numbers of these sizes are seconds, milliseconds and microseconds since 1970.
EPOCHS = ((range(10**9, 10**10), 1), (range(10**12, 10**13), 10**3), (range(10**15, 10**16), 10**6))


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
    """The highest cursor value so far; values of a clock that runs ahead do not count. ``zone``:
    that of times without one."""

    def __init__(self, *, now: datetime, zone: tzinfo = UTC) -> None:
        self.value: Watermark | None = None
        self._now = now
        self._zone = zone

    def see(self, values: Iterable[Any]) -> bool:
        """Whether all of them count."""
        counted = True
        for value in values:
            if isinstance(value, datetime | str | int) and not is_in_future(
                value, now=self._now, zone=self._zone
            ):
                self.value = later(self.value, value)
            else:
                counted = False
        return counted


def is_in_future(value: Watermark, *, now: datetime, zone: tzinfo = UTC) -> bool:
    """Whether the cursor tells a moment after ``now``: as a time, a text of one, an id that begins
    with one, or a count of seconds since 1970. What tells no moment is in no future."""
    told = _moment_of(value)
    if told is None:
        return False
    return (told.replace(tzinfo=zone) if told.tzinfo is None else told) > now


def _moment_of(value: Watermark) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, int):
            return _moment_of_epoch(value)
        if OBJECT_ID.fullmatch(value):
            return _moment_of_epoch(int(value[:8], 16))
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _moment_of_epoch(value: int) -> datetime | None:
    units = (unit for sizes, unit in EPOCHS if value in sizes)
    unit = next(units, None)
    return None if unit is None else datetime.fromtimestamp(value / unit, UTC)


def before_clock_change(since: Watermark, zone: tzinfo) -> Watermark:
    """In autumn the server's clock shows an hour twice: what happens in the second pass is
    stamped with times that lie before those of the first."""
    if not isinstance(since, datetime):
        return since
    local = since.replace(tzinfo=zone) if since.tzinfo is None else since.astimezone(zone)
    after = (local.astimezone(UTC) + LONGEST_CLOCK_CHANGE).astimezone(zone)
    set_back = (local.utcoffset() or timedelta(0)) - (after.utcoffset() or timedelta(0))
    return since - max(set_back, timedelta(0))


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
