"""What the database tells of a table: its columns, their types, and the values as they are landed."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import ARRAY, JSON, Column, DateTime, Float, MetaData, Table, Time, literal_column
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Connection
from sqlalchemy.types import TypeEngine, UserDefinedType

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Columns, Record
from ingestion.sync.genius.settings import GeniusModel

# A warehouse must not hold what grants access elsewhere.
SECRET = re.compile(
    r"passw(or)?d|passphrase|^(user_?)?pass$"
    r"|(^|_)(pwd|secret|salt|token|api_?key|private_?key|otp)(_|\d|$)",
    re.IGNORECASE,
)
ZERO_DATE = re.compile(r"0000-00-00( 00:00:00(\.0+)?)?")  # how MySQL writes "no date"
DAY = timedelta(days=1)

_DATA_TYPES: Mapping[type, str] = {
    bool: "bool",
    int: "bigint",
    float: "double",
    Decimal: "decimal",
    datetime: "datetime",
    date: "date",
    time: "time",
    bytes: "binary",
    dict: "json",
    list: "json",
}


class MySqlTime(UserDefinedType[Any]):
    """TIME as the driver gives it, a timedelta: it may lie outside a day, where SQLAlchemy's own
    type raises."""

    cache_ok = True
    python_type = time

    def get_col_spec(self, **_options: Any) -> str:
        return "TIME"


class MySqlFloat(UserDefinedType[Any]):
    """FLOAT as a double: MySQL writes the six digits of it that a person wants to see."""

    cache_ok = True
    python_type = float

    def get_col_spec(self, **_options: Any) -> str:
        return "FLOAT"

    def column_expression(self, column: Any) -> Any:
        return column * literal_column("1e0")


def reflect(connection: Connection, model: GeniusModel) -> ReflectedTable:
    """Raises NoSuchTableError, and PermanentError for a column that the table lacks."""
    table = Table(
        model.table,
        MetaData(),
        autoload_with=connection,
        resolve_fks=False,
        listeners=[("column_reflect", _mend_type)],
    )
    wanted = {*model.key, *filter(None, (model.cursor, model.added_column))}
    if missing := sorted(wanted - set(table.columns.keys())):
        raise PermanentError(
            f"Genius' table {model.table} has no column {', '.join(missing)}: correct the model "
            f"{model.name} in ingestion/sync/genius/settings.py."
        )
    return ReflectedTable(table, model, connection.dialect.name in ("mysql", "mariadb"))


def _mend_type(_inspector: object, _table: object, column: dict[str, Any]) -> None:
    if isinstance(column["type"], mysql.TIME):
        column["type"] = MySqlTime()
    elif isinstance(column["type"], mysql.FLOAT):
        column["type"] = MySqlFloat()
    elif isinstance(column["type"], mysql.DOUBLE):  # SQLAlchemy would round it to ten places
        column["type"] = mysql.DOUBLE(asdecimal=False)


def data_type(kind: TypeEngine[Any]) -> str:
    """The type of a column in the warehouse; ``datetime`` is a time without a zone."""
    if isinstance(kind, DateTime):
        return "timestamp" if kind.timezone else "datetime"
    if isinstance(kind, Time) and kind.timezone:
        return "text"
    if isinstance(kind, JSON | ARRAY):
        return "json"
    if isinstance(kind, mysql.BIT | mysql.YEAR):
        return "bigint"
    if isinstance(kind, Float) and not kind.asdecimal:
        return "double"
    return _DATA_TYPES.get(_python_type(kind), "text")


def _python_type(kind: TypeEngine[Any]) -> type:
    try:
        return kind.python_type
    except NotImplementedError:
        return object


def _as_text(value: Any) -> Any:
    """MySQL's SET comes without an order; addresses, intervals and UUIDs as objects."""
    if isinstance(value, set):
        return ",".join(sorted(value))
    return bytes_as_text(value) if isinstance(value, bytes) else str(value)


def bytes_as_text(value: bytes) -> str:
    """``POINT(1 2)`` for a point of MySQL, whose SRID stands before its well-known binary; other
    bytes as hexadecimal digits."""
    try:
        order, kind, x, y = struct.unpack("<bIdd", value[4:])
    except struct.error:
        return f"0x{value.hex()}"
    return f"POINT({x:g} {y:g})" if (order, kind) == (1, 1) else f"0x{value.hex()}"


def _as_time(value: Any) -> Any:
    """A TIME outside a day stays what it is, in words."""
    if not isinstance(value, timedelta):
        return value
    if not timedelta(0) <= value < DAY:
        return str(value)
    minutes, seconds = divmod(value.seconds, 60)
    return time(minutes // 60, minutes % 60, seconds, value.microseconds)


def _without_zero_date(value: Any) -> Any:
    return None if isinstance(value, str) and ZERO_DATE.fullmatch(value) else value


def _as_number(value: Any) -> Any:
    return int.from_bytes(value) if isinstance(value, bytes) else value


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "text": _as_text,
    "time": _as_time,
    "date": _without_zero_date,
    "datetime": _without_zero_date,
    "timestamp": _without_zero_date,
    "binary": bytes,
    "bigint": _as_number,
}


# Values of these kinds are what their columns mean.
_PLAIN: Mapping[str, type] = {
    "text": str,
    "time": time,
    "date": date,
    "datetime": datetime,
    "timestamp": datetime,
    "binary": bytes,
    "bigint": int,
}


def converted(values: Sequence[Any], kind: str) -> Sequence[Any]:
    """What the driver gave, as it is landed in a column of this data type."""
    convert = _CONVERSIONS.get(kind)
    if convert is None or set(map(type, values)) <= {type(None), _PLAIN[kind]}:
        return values
    return [None if value is None else convert(value) for value in values]


@dataclass(frozen=True)
class ReflectedTable:
    """A table as the database declares it. ``has_zero_dates``: of a kind that may write zeros
    where there is no time."""

    table: Table
    model: GeniusModel
    has_zero_dates: bool = False

    @cached_property
    def columns(self) -> list[Column[Any]]:
        """Those that are read: all but secrets."""
        return [column for column in self.table.columns if not SECRET.search(column.name)]

    @cached_property
    def data_types(self) -> Columns:
        return {column.name: data_type(column.type) for column in self.columns}

    @property
    def order(self) -> tuple[Column[Any], ...]:
        """Columns that no two rows share: the model's key, and the table's own where it differs."""
        names = dict.fromkeys((*self.model.key, *(c.name for c in self.table.primary_key)))
        return tuple(self.table.c[name] for name in names)

    def column(self, name: str | None) -> Column[Any] | None:
        return None if name is None else self.table.c[name]

    def to_records(self, rows: Sequence[Sequence[Any]]) -> list[Record]:
        """Column by column: most have nothing but values that stay as they are."""
        told = zip(self.data_types.items(), zip(*rows, strict=True), strict=True)
        columns = [converted(values, kind) for (_, kind), values in told]
        names = tuple(self.data_types)
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def to_key(self, row: Mapping[Any, Any]) -> Record:
        """The key of a row, as ``to_records`` gives it."""
        return {
            name: row[name] if convert is None else convert(row[name])
            for name, convert in self._key_conversions
        }

    @cached_property
    def _key_conversions(self) -> list[tuple[str, Callable[[Any], Any] | None]]:
        return [(name, _CONVERSIONS.get(self.data_types[name])) for name in self.model.key]
