"""Pages by key, not by offset: a page costs the same wherever it stands, and rows that come or go
do not shift those after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import Column, ColumnElement, Date, DateTime, Select, and_, not_, or_, select, true

from ingestion.sync.common.source import Watermark, Window
from ingestion.sync.common.window import before_clock_change
from ingestion.sync.genius.tables import ReflectedTable


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
        and_(not_(_has_no_time(table, cursor)), _within(cursor, window, zone)),
    )
    untouched = Pass(
        table.columns,
        table.order,
        and_(_has_no_time(table, cursor), _added_within(table, window, zone)),
    )
    return [changed, untouched] if cursor.nullable or table.has_zero_dates else [changed]


def _added_within(table: ReflectedTable, window: Window, zone: tzinfo) -> ColumnElement[bool]:
    """Every run reads the rows whose cursor tells no time: nothing else would ever show a change of
    one. Of a window with an end, which somebody asked for, those that were added in it."""
    added = table.column(table.model.added_column)
    if added is None or window.until is None:
        return true()
    return or_(_has_no_time(table, added), _within(added, window, zone))


def _has_no_time(table: ReflectedTable, column: Column[Any]) -> ColumnElement[bool]:
    """Old MySQL schemas write zeros for no time, because the column may not be null."""
    if not table.has_zero_dates:
        return column.is_(None)
    first = date.min if isinstance(column.type, Date) else datetime.min  # noqa: DTZ901 - MySQL's
    return or_(column.is_(None), column < first)


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


def _follows(order: tuple[Column[Any], ...], values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Row comparison in words that every database knows and every index can serve."""
    branches = [
        and_(*(c == v for c, v in zip(order[:n], values[:n], strict=True)), order[n] > values[n])
        for n in range(len(order))
    ]
    return and_(order[0] >= values[0], or_(*branches))
