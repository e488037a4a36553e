"""Types and values as databases tell them, and as they are landed."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from ingestion.sync.genius.settings import GeniusModel
from ingestion.sync.genius.tables import MySqlTime, ReflectedTable, data_type

NAIVE = datetime.fromisoformat("2026-01-12 15:20:11")
MODEL = GeniusModel("things", table="thing")

TYPES: list[tuple[Any, str]] = [
    (sa.Boolean(), "bool"),
    (mysql.TINYINT(display_width=1), "bigint"),  # may hold 2; only a declared boolean is one
    (mysql.BIGINT(unsigned=True), "bigint"),
    (mysql.YEAR(), "bigint"),
    (mysql.BIT(1), "bigint"),
    (postgresql.BIT(3), "text"),
    (sa.Numeric(12, 2), "decimal"),
    (sa.Float(), "double"),
    (mysql.DOUBLE(asdecimal=False), "double"),
    (postgresql.DOUBLE_PRECISION(), "double"),
    (sa.DateTime(), "datetime"),
    (mysql.TIMESTAMP(), "datetime"),
    (postgresql.TIMESTAMP(timezone=True), "timestamp"),
    (sa.Date(), "date"),
    (sa.Time(), "time"),
    (MySqlTime(), "time"),
    (postgresql.TIME(timezone=True), "text"),
    (sa.LargeBinary(), "binary"),
    (mysql.BINARY(16), "binary"),
    (sa.JSON(), "json"),
    (postgresql.JSONB(), "json"),
    (postgresql.ARRAY(sa.Integer()), "json"),
    (mysql.ENUM("a", "b"), "text"),
    (mysql.SET("a", "b"), "text"),
    (sa.Uuid(), "text"),
    (postgresql.INET(), "text"),
    (postgresql.INTERVAL(), "text"),
    (sa.types.NullType(), "text"),
]


@pytest.mark.parametrize(("declared", "expected"), TYPES, ids=lambda value: repr(value)[:40])
def test_a_declared_type_becomes_a_column_type(declared: Any, expected: str) -> None:
    assert data_type(declared) == expected


def landed(kind: Any, value: Any) -> Any:
    table = sa.Table("thing", sa.MetaData(), sa.Column("value", kind))
    return ReflectedTable(table, MODEL).to_records([(value,)])[0]["value"]


VALUES: list[tuple[Any, Any, Any]] = [
    (MySqlTime(), timedelta(hours=14, minutes=30, microseconds=5), time(14, 30, 0, 5)),
    (MySqlTime(), timedelta(0), time(0, 0)),
    (MySqlTime(), timedelta(hours=25), "1 day, 1:00:00"),
    (MySqlTime(), timedelta(hours=-1), "-1 day, 23:00:00"),
    (sa.Time(), time(9, 15), time(9, 15)),
    (mysql.DATETIME(), "0000-00-00 00:00:00", None),
    (mysql.DATETIME(6), "0000-00-00 00:00:00.000000", None),
    (mysql.DATE(), "0000-00-00", None),
    (mysql.DATE(), "2026-00-12", "2026-00-12"),
    (sa.DateTime(), NAIVE, NAIVE),
    (sa.Date(), date(2026, 1, 12), date(2026, 1, 12)),
    (sa.Numeric(12, 2), Decimal("12400.00"), Decimal("12400.00")),
    (mysql.BIT(8), b"\x05", 5),
    (mysql.SET("x", "y"), {"y", "x"}, "x,y"),
    (sa.LargeBinary(), memoryview(b"ab"), b"ab"),
    (sa.Uuid(), UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (sa.String(), "02134", "02134"),
    (sa.String(), None, None),
]


def same_in_every_process(value: Any) -> str:
    """Of a name; the repr of some values holds an address or depends on the seed of hashes."""
    if isinstance(value, memoryview):
        return f"memoryview({bytes(value)!r})"
    return repr(sorted(value) if isinstance(value, set) else value)[:40]


@pytest.mark.parametrize(("kind", "given", "expected"), VALUES, ids=same_in_every_process)
def test_a_value_is_landed_as_what_it_means(kind: Any, given: Any, expected: Any) -> None:
    assert landed(kind, given) == expected
    assert type(landed(kind, given)) is type(expected)
