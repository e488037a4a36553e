"""Pages by key, not by offset: a page costs the same wherever it stands, and rows that come or go
do not shift those after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy import Column, ColumnElement, Date, DateTime, Select, and_, or_, select, true

from ingestion.sync.common.source import Watermark, Window
from ingestion.sync.genius.tables import ReflectedTable

LONGEST_CLOCK_CHANGE = timedelta(hours=2)


@dataclass(frozen=True)
class Pass:
    """Some rows of a table, in an order that no two of them share."""

    columns: Sequence[Column[Any]]
    order: tuple[Column[Any], ...]
    where: ColumnElement[bool]

    def page(self, after: tuple[Any, ...] | None, *, size: int) -> Select[Any]:
        """``after``: the values that the last row of the page before has in ``order``."""
        wanted = select(*self.columns).where(self.where).order_by(*self.order).limit(size)
        return wanted if after is None else wanted.where(_follows(self.order, after))

    def position(self, row: Any) -> tuple[Any, ...]:
        return tuple(row[column.name] for column in self.order)


def passes(table: ReflectedTable, window: Window, *, zone: tzinfo) -> list[Pass]:
    """What has to be read for a window. Without a cursor everything is."""
    cursor = table.column(table.model.cursor)
    if window.is_full or cursor is None:
        return [Pass(table.columns, table.order, true())]
    changed = Pass(
        table.columns,
        (cursor, *(column for column in table.order if column is not cursor)),
        and_(cursor.is_not(None), _within(cursor, window, zone)),
    )
    untouched = Pass(
        table.columns, table.order, and_(cursor.is_(None), _added_within(table, window, zone))
    )
    return [changed, untouched] if cursor.nullable else [changed]


def _added_within(table: ReflectedTable, window: Window, zone: tzinfo) -> ColumnElement[bool]:
    """A row that tells no time at all is always read: nothing else would ever show a change."""
    added = table.column(table.model.added_column)
    return true() if added is None else or_(added.is_(None), _within(added, window, zone))


def _within(column: Column[Any], window: Window, zone: tzinfo) -> ColumnElement[bool]:
    """Both ends belong to the window."""
    lower, upper = true(), true()
    if window.since is not None:
        lower = column >= _bound(column, before_clock_change(window.since, zone), zone)
    if window.until is not None:
        upper = column <= _bound(column, window.until, zone)
    return and_(lower, upper)


def _bound(column: Column[Any], value: Watermark, zone: tzinfo) -> Any:
    """The value in the column's own form: with a zone, without one, or a mere day."""
    if not isinstance(value, datetime):
        return value
    local = value.replace(tzinfo=zone) if value.tzinfo is None else value.astimezone(zone)
    if isinstance(column.type, Date):
        return local.date()
    if isinstance(column.type, DateTime) and column.type.timezone:
        return local
    return local.replace(tzinfo=None)


def before_clock_change(since: Watermark, zone: tzinfo) -> Watermark:
    """In autumn the server's clock shows an hour twice: what happens in the second pass is
    stamped with times that lie before those of the first."""
    if not isinstance(since, datetime):
        return since
    local = since.replace(tzinfo=zone) if since.tzinfo is None else since.astimezone(zone)
    later = (local.astimezone(UTC) + LONGEST_CLOCK_CHANGE).astimezone(zone)
    set_back = (local.utcoffset() or timedelta(0)) - (later.utcoffset() or timedelta(0))
    return since - max(set_back, timedelta(0))


def _follows(order: tuple[Column[Any], ...], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Row comparison in words that every database knows and every index can serve."""
    branches = [
        and_(*(c == v for c, v in zip(order[:n], values[:n], strict=True)), order[n] > values[n])
        for n in range(len(order))
    ]
    return and_(order[0] >= values[0], or_(*branches))
