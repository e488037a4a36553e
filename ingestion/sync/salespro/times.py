"""SalesPro's times: a time of day without a zone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.sync.common.source import Columns, Record


def with_zone(records: Iterable[Record], columns: Columns, zone: ZoneInfo) -> list[Record]:
    """The records with the times of their columns as moments."""
    names = {name for name, kind in columns.items() if kind == "timestamp"}
    return [dict(_zoned(record, names, zone)) for record in records]


def _zoned(record: Record, names: set[str], zone: ZoneInfo) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        yield name, moment(value, zone) if name in names else value


def moment(value: Any, zone: ZoneInfo) -> Any:
    """``2026-01-12 15:20:11`` in ``zone`` as a moment in UTC; anything else as it is."""
    if not isinstance(value, str) or not value:
        return value
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # 9999-12-31 west of Greenwich has no moment in UTC
        return value
