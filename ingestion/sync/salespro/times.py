"""SalesPro's times: a time of day without a zone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion.sync.common.source import Columns, Record

# As Athena writes a timestamp with time zone: 2026-01-12 15:20:11.000 America/New_York.
NAMED_ZONE: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([A-Z+-][\w:/+-]*)")


def with_zone(records: Iterable[Record], columns: Columns, zone: ZoneInfo) -> list[Record]:
    """The records with the times of their columns as moments."""
    names = {name for name, kind in columns.items() if kind == "timestamp"}
    return [dict(_zoned(record, names, zone)) for record in records]


def _zoned(record: Record, names: set[str], zone: ZoneInfo) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        yield name, moment(value, zone) if name in names else value


def moment(value: Any, zone: ZoneInfo) -> Any:
    """``2026-01-12 15:20:11`` in ``zone``, or in the one that it names, as a moment in UTC; anything
    else as it is."""
    if not isinstance(value, str) or not value:
        return value
    try:
        found = _read(value)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # 9999-12-31 west of Greenwich has no moment in UTC
        return value


def _read(text: str) -> datetime:
    """Raises ValueError."""
    named = NAMED_ZONE.fullmatch(text)
    if named is None:
        return datetime.fromisoformat(text)
    if named[2][0] in "+-":
        return datetime.fromisoformat(named[1] + named[2])
    try:
        return datetime.fromisoformat(named[1]).replace(tzinfo=ZoneInfo(named[2]))
    except ZoneInfoNotFoundError:
        raise ValueError from None
