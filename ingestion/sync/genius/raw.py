"""Genius' tables, read a second time: one statement, every value as a text that the server writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    String,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy import cast as as_text
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Engine
from sqlalchemy.types import NullType

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Model, SourceContext
from ingestion.sync.genius.database import database_url, open_engine
from ingestion.sync.genius.failures import explained
from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.tables import MySqlFloat, MySqlTime, ReflectedTable, reflect
from ingestion.sync.raw import reader
from ingestion.sync.raw.reader import Abilities, Count, RawRecord
from ingestion.sync.raw.stored import text_of

ROWS_PER_FETCH = 2_000
DOUBLES = (mysql.DOUBLE, MySqlFloat)
TEXTS = (Integer, Numeric, DateTime, Date, Boolean, JSON, MySqlTime)


class RawReader(reader.RawReader):
    """Needs no keys and no pages. Of columns that have no one way to be written nothing is read."""

    def __init__(self, context: SourceContext) -> None:
        super().__init__(context)
        self.zone = time_zone(self.settings, TIME_ZONE)
        self._context = context
        self._url = database_url(self.settings[DATABASE_URL])
        self._engine = open_engine(
            self._url, timeout_seconds=context.timeout_seconds, on_query=self._count_query
        )

    def close(self) -> None:
        self._engine.dispose()

    def abilities(self, model: Model) -> Abilities:
        return Abilities("a query of its own, without pages", "COUNT(*)")

    def count(self, model: Model) -> Count | None:
        with self._explained(model), self._engine.connect() as connection:
            table = reflect(connection, cast(GeniusModel, model)).table
            (found,) = connection.execute(select(func.count()).select_from(table)).one()
        return Count(int(found))

    def read(self, model: Model) -> Iterator[RawRecord] | None:
        return self._rows(cast(GeniusModel, model))

    def _rows(self, model: GeniusModel) -> Iterator[RawRecord]:
        with self._explained(model), self._engine.connect() as connection:
            table = reflect(connection, model)
            columns = {c.name: _written(c, self._engine) for c in table.columns}
            known = {name: column for name, column in columns.items() if column is not None}
            statement = select(*(column.label(name) for name, column in known.items()))
            options = connection.execution_options(yield_per=ROWS_PER_FETCH)
            with closing(options.execute(statement.select_from(table.table))) as found:
                for row in found:
                    yield _record(table, dict(zip(known, map(text_of, row), strict=True)))

    def _explained(self, model: Model) -> Any:
        return explained(self._url, cast(GeniusModel, model).table)

    def _count_query(self) -> None:
        self._context.meter.requests += 1


def _written(column: Column[Any], engine: Engine) -> ColumnElement[Any] | None:
    """A column as its server writes it; None where other ways are as good."""
    kind = column.type
    if isinstance(kind, mysql.SET):
        return None
    if isinstance(kind, String | Enum):
        return type_coerce(column, String)
    if engine.dialect.name == "sqlite":  # its own texts of numbers lack digits
        return type_coerce(column, NullType) if isinstance(kind, TEXTS) else None
    if isinstance(kind, DOUBLES):
        return as_text(type_coerce(column, Float) * literal_column("1e0"), String)
    return as_text(column, String) if isinstance(kind, TEXTS) else None


def _record(table: ReflectedTable, fields: dict[str, str | None]) -> RawRecord:
    return RawRecord(tuple(fields.get(name) or "" for name in table.model.key), fields)
