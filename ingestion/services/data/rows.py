"""The first rows of a dataset, filtered, sorted, page by page; masked for whoever may not see all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from ingestion.conf import data_conf
from ingestion.services.data.errors import InvalidQuestion, MaskedColumn
from ingestion.services.data.masking import Mask
from ingestion.services.data.tables import DatasetTable, opened, reading
from ingestion.services.infra.cursor import InvalidCursor
from ingestion.sync.common.names import DELETED_AT, SYNCED_AT
from ingestion.sync.common.values import DoesNotFit, fit

MOST_ROWS: Final = 200
LONGEST_TEXT: Final = 500
# What has an order that a reader expects.
SORTABLE: Final = frozenset(
    {"text", "bigint", "double", "decimal", "bool", "timestamp", "datetime", "date", "time"}
)
DELETED: Final = ("no", "yes", "all")


def _contains(column: sa.ColumnElement[Any], value: str) -> sa.ColumnElement[bool]:
    return column.icontains(value, autoescape=True)


OPERATORS: Final[dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "ge": lambda column, value: column >= value,
    "contains": _contains,
    "empty": lambda column, _: column.is_(None),
    "filled": lambda column, _: column.is_not(None),
}
WITHOUT_VALUE: Final = frozenset({"empty", "filled"})


@dataclass(frozen=True)
class Filter:
    """``operator``: one of ``OPERATORS``; ``value``: as a person writes it."""

    column: str
    operator: str
    value: str = ""


@dataclass(frozen=True)
class Question:
    """``sort``: a column, the key without one; ``deleted``: no, yes or all. ``personal``: whether
    the reader may see personal data."""

    crm_source: str
    model: str
    filters: tuple[Filter, ...] = ()
    sort: str = ""
    descending: bool = False
    deleted: str = "no"
    cursor: str = ""
    limit: int = 50
    personal: bool = False


@dataclass(frozen=True)
class Rows:
    """``types``: by column, in the table's order. ``masked``: columns whose values are not shown;
    ``rows`` have None there. ``next_cursor``: None at the end, and where the key itself is masked."""

    crm_source: str
    model: str
    types: dict[str, str]
    masked: dict[str, str]
    rows: list[dict[str, Any]]
    next_cursor: str | None = None
    has_more: bool = False

    def to_dict(self) -> dict[str, Any]:
        columns = [
            {"name": name, "type": kind, "mask": self.masked.get(name, str(Mask.NONE))}
            for name, kind in self.types.items()
        ]
        return {
            "crm_source": self.crm_source,
            "model": self.model,
            "columns": columns,
            "rows": self.rows,
            "has_more": self.has_more,
            "next_cursor": self.next_cursor,
        }


def rows(question: Question) -> Rows:
    """Raises UnknownDataset, InvalidQuestion, InvalidCursor and WarehouseAway."""
    with opened(question.crm_source, question.model) as found:
        return _Asked(question, found).rows()


@dataclass(frozen=True)
class _Asked:
    question: Question
    found: DatasetTable

    def rows(self) -> Rows:
        asked, found = self.question, self.found
        limit = max(1, min(asked.limit, MOST_ROWS))
        hidden = found.hidden(personal=asked.personal)
        read = self._read(hidden, limit + 1)
        shown = [
            {
                name: None if name in hidden else plain(row.get(name), kind)
                for name, kind in found.types.items()
            }
            for row in read[:limit]
        ]
        has_more = len(read) > limit
        may_go_on = has_more and not hidden & set(found.key)
        return Rows(
            asked.crm_source,
            asked.model,
            found.types,
            {name: str(mask) for name, mask in found.masks.items() if name in hidden},
            shown,
            self._cursor(read[limit - 1]) if may_go_on else None,
            has_more,
        )

    def _read(self, hidden: set[str], limit: int) -> list[Mapping[str, Any]]:
        """Masked columns are not read at all."""
        read = [c for c in self.found.table.c if c.name not in hidden]
        query = sa.select(*read).where(*self._conditions(hidden)).limit(limit)
        with reading(self.found.stored.dataset, data_conf().read_seconds) as connection:
            result = connection.execute(query.order_by(*self._order(hidden)))
            return [dict(row) for row in result.mappings()]

    def _conditions(self, hidden: set[str]) -> list[sa.ColumnElement[bool]]:
        table, asked = self.found.table, self.question
        conditions = [self._condition(one, hidden) for one in asked.filters]
        if asked.deleted not in DELETED:
            raise InvalidQuestion(f"deleted must be one of {', '.join(DELETED)}.")
        if DELETED_AT in table.c and asked.deleted != "all":
            mark = table.c[DELETED_AT]
            conditions.append(mark.is_(None) if asked.deleted == "no" else mark.is_not(None))
        if asked.cursor:
            conditions.append(self._after(asked.cursor, hidden))
        return conditions

    def _condition(self, one: Filter, hidden: set[str]) -> sa.ColumnElement[bool]:
        column = self._column(one.column, hidden)
        kind = self.found.types[one.column]
        operator = OPERATORS.get(one.operator)
        if operator is None:
            raise InvalidQuestion(f"There is no operator {one.operator!r}: {', '.join(OPERATORS)}.")
        if one.operator in WITHOUT_VALUE:
            return operator(column, None)
        if one.operator == "contains":
            if kind != "text":
                raise InvalidQuestion(f"{one.column} is no text: contains does not fit it.")
            return operator(column, one.value)
        if kind not in SORTABLE:
            raise InvalidQuestion(f"{one.column} ({kind}) can be compared with nothing.")
        return operator(column, self._bound(one.value, kind))

    def _column(self, name: str, hidden: set[str]) -> sa.Column[Any]:
        if name not in self.found.types:
            raise InvalidQuestion(f"{self.question.model} has no column {name!r}.")
        if name in hidden:
            raise MaskedColumn(
                f"{name} is masked for you: it can be neither filtered by nor sorted by."
            )
        return self.found.table.c[name]

    def _bound(self, text: Any, kind: str) -> Any:
        """A value as the warehouse compares it. Raises InvalidQuestion."""
        try:
            value = fit(text, kind)
        except DoesNotFit as problem:
            raise InvalidQuestion(f"{str(text)[:50]!r} is no {kind}.") from problem
        return bound(value, kind) if self.found.dialect == "sqlite" else value

    @property
    def _sort(self) -> str:
        return "" if self.question.sort in self.found.key[:1] else self.question.sort

    def _order(self, hidden: set[str]) -> list[sa.ColumnElement[Any]]:
        table, asked = self.found.table, self.question
        keys: list[sa.ColumnElement[Any]] = [table.c[name] for name in self._ordering(hidden)]
        if not self._sort:
            return [k.desc() for k in keys] if asked.descending else keys
        column = self._column(self._sort, hidden)
        if self.found.types[self._sort] not in SORTABLE:
            raise InvalidQuestion(f"{self._sort} ({self.found.types[self._sort]}) has no order.")
        # Where nulls come differs from warehouse to warehouse.
        return [column.is_(None), column.desc() if asked.descending else column, *keys]

    def _ordering(self, hidden: set[str]) -> tuple[str, ...]:
        """The key, or what shows nothing of a masked one: an order tells whose value is higher."""
        if not hidden & set(self.found.key):
            return tuple(self.found.key)
        return (SYNCED_AT,) if SYNCED_AT in self.found.types else ()

    def _signature(self) -> str:
        return f"{self._sort}:{self.question.descending}"

    def _cursor(self, row: Mapping[str, Any]) -> str:
        names = [*([self._sort] if self._sort else []), *self.found.key]
        values = [_text(row[name], self.found.types[name]) for name in names]
        text = json.dumps([self._signature(), *values])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _after(self, cursor: str, hidden: set[str]) -> sa.ColumnElement[bool]:
        """What comes behind the row of the cursor, in the order of the question."""
        # Whoever writes a cursor by hand could find a masked key out by halving.
        for name in self.found.key:
            self._column(name, hidden)
        signature, *values = _decoded(cursor)
        names = [*([self._sort] if self._sort else []), *self.found.key]
        if signature != self._signature() or len(values) != len(names) or not self.found.key:
            raise InvalidCursor("This is no cursor of this list.")
        typed = [
            None if value is None else self._bound(value, self.found.types[name])
            for name, value in zip(names, values, strict=True)
        ]
        columns = [self.found.table.c[name] for name in names]
        if not self._sort:
            return _behind(columns, typed, descending=self.question.descending)
        (column, *keys), (value, *key_values) = columns, typed
        same = _behind(keys, key_values, descending=False)
        if value is None:
            return sa.and_(column.is_(None), same)
        further = column < value if self.question.descending else column > value
        return sa.or_(column.is_(None), further, sa.and_(column == value, same))


def _behind(columns: list[Any], values: list[Any], *, descending: bool) -> sa.ColumnElement[bool]:
    """A row's values compared one after the other."""
    (first, *others), (value, *other_values) = columns, values
    further: sa.ColumnElement[bool] = first < value if descending else first > value
    if not others:
        return further
    return sa.or_(
        further,
        sa.and_(first == value, _behind(others, other_values, descending=descending)),
    )


def _decoded(cursor: str) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as problem:
        raise InvalidCursor("This is no cursor of this list.") from problem
    if not isinstance(found, list) or not all(isinstance(v, str | None) for v in found):
        raise InvalidCursor("This is no cursor of this list.")
    return found


def _text(value: Any, kind: str) -> str | None:
    """A value of a row for a cursor, whole."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return _moment(value, kind)
    return str(value)


def bound(value: Any, kind: str) -> Any:
    """A value as SQLite compares it with what the load has written."""
    from ingestion.sync.load.tables.sqlite import exact

    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return utc.isoformat(" ", "microseconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return exact(str(value)) if isinstance(value, Decimal) else value


def plain(value: Any, kind: str) -> Any:
    """A value as JSON has it: numbers that JSON cannot hold and times as text, long texts cut."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return _moment(value, kind)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return _cut(bytes(value[: LONGEST_TEXT // 2]).hex())
    if isinstance(value, dict | list):
        return _cut(json.dumps(value, ensure_ascii=False, default=str))
    return _cut(str(value))


def _moment(value: datetime, kind: str) -> str:
    """SQLite keeps times with a zone in UTC, without a word about it."""
    if kind == "timestamp" and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
