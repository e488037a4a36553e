"""Sums of keys in ranges, so that a comparison of keys does not have to read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, cast, func, select

from ingestion.sync.genius.tables import ReflectedTable


def is_summable(table: ReflectedTable) -> bool:
    """Whether one whole number that is never null tells rows apart, and is its own primary key."""
    keys = list(table.model.key)
    if len(keys) != 1 or [c.name for c in table.table.primary_key] != keys:
        return False
    column = table.table.c[keys[0]]
    return isinstance(column.type, Integer) and table.data_types[keys[0]] == "bigint"


def sums(table: ReflectedTable, size: int) -> Select[Any]:
    """Number, count, and the sums of remainders and of their squares, of each range with a key."""
    key = table.table.c[table.model.key[0]]
    rest = key % size
    number = _number(key, size).label("number")
    return select(number, func.count(), func.sum(rest), func.sum(rest * rest)).group_by(number)


def is_in_range(table: ReflectedTable, number: int, size: int) -> ColumnElement[bool]:
    """In words that an index serves. The range around zero has negative keys too."""
    key = table.table.c[table.model.key[0]]
    first = number * size if number > 0 else (number - 1) * size + 1
    last = (number + 1) * size - 1 if number >= 0 else number * size
    return and_(key >= first, key <= last)


def _number(key: ColumnElement[Any], size: int) -> ColumnElement[Any]:
    """The quotient, cut towards zero."""
    return cast((key - key % size) / size, BigInteger)
