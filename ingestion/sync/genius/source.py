"""Reads Genius' tables straight from its database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import true
from sqlalchemy.engine import Connection, Row

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import (
    Columns,
    KeyRange,
    Model,
    Page,
    Record,
    SourceContext,
    Window,
)
from ingestion.sync.genius.database import connect_args, database_url, open_engine
from ingestion.sync.genius.failures import explained
from ingestion.sync.genius.key_sums import is_in_range, is_summable, sums
from ingestion.sync.genius.keyset import Pass, passes
from ingestion.sync.genius.server_text import (
    STATEMENT_ROWS,
    TextConnection,
    can_read,
    columns_of,
    connected,
    value_of,
)
from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.tables import ReflectedTable, reflect

PAGE_ROWS = 2_000
MOST_PAGE_ROWS = 10_000


class Source:
    """Keeps CrmSource for Genius.

    All pages of one model come from one read-only transaction at repeatable read, so that a full
    read is a state that the table really had, and its highest ``updated_at`` a watermark that
    nothing unseen lies before.
    """

    stays_in_thread = True

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self.zone = time_zone(context.settings, TIME_ZONE)
        self._url = database_url(context.settings[DATABASE_URL])
        self._engine = open_engine(
            self._url, timeout_seconds=context.timeout_seconds, on_query=self._count_query
        )
        self._tables: dict[str, ReflectedTable] = {}

    def columns(self, model: Model) -> Columns:
        return self._table(model).data_types

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        table = self._table(model)
        size = min(batch_size or PAGE_ROWS, MOST_PAGE_ROWS)
        read = self._by_texts if can_read(self._url, table) else self._by_values
        with explained(self._url, table.model.table):
            yield from map(Page, read(table, passes(table, window, zone=self.zone), size))

    def keys(self, model: Model) -> Iterator[Sequence[Record]]:
        """Rows are deleted without a trace: only the keys that are left tell."""
        table = self._table(model)
        part = Pass(table.order, table.order, true())
        with explained(self._url, table.model.table), self._engine.connect() as connection:
            for rows in self._rows_of(part, connection, size=MOST_PAGE_ROWS):
                yield [table.to_key(row._mapping) for row in rows]

    def key_ranges(self, model: Model, size: int) -> Iterator[KeyRange] | None:
        table = self._table(model)
        return self._ranges(table, size) if is_summable(table) else None

    def keys_in(self, model: Model, number: int, size: int) -> Iterator[Sequence[Record]]:
        table = self._table(model)
        part = Pass(table.order, table.order, is_in_range(table, number, size))
        with explained(self._url, table.model.table), self._engine.connect() as connection:
            for rows in self._rows_of(part, connection, size=MOST_PAGE_ROWS):
                yield [table.to_key(row._mapping) for row in rows]

    def _ranges(self, table: ReflectedTable, size: int) -> Iterator[KeyRange]:
        with explained(self._url, table.model.table), self._engine.connect() as connection:
            for row in connection.execute(sums(table, size)):
                yield KeyRange(*map(int, row))

    def close(self) -> None:
        self._engine.dispose()

    def _count_query(self) -> None:
        self._context.meter.add(requests=1)

    def _table(self, model: Model) -> ReflectedTable:
        if not isinstance(model, GeniusModel):
            raise TypeError(f"{model.name} is not a model of Genius")
        if model.name not in self._tables:
            with explained(self._url, model.table), self._engine.connect() as connection:
                self._tables[model.name] = reflect(connection, model)
        return self._tables[model.name]

    def _by_values(
        self, table: ReflectedTable, parts: Sequence[Pass], size: int
    ) -> Iterator[Sequence[Record]]:
        with self._engine.connect() as connection:
            for part in parts:
                for rows in self._rows_of(part, connection, size=size):
                    yield table.to_records(rows)

    def _by_texts(
        self, table: ReflectedTable, parts: Sequence[Pass], size: int
    ) -> Iterator[Sequence[Record]]:
        options = connect_args(self._url, self._context.timeout_seconds)
        with connected(self._url, options, self._count_query) as connection:
            for part in parts:
                for rows in self._texts_of(part, connection, size=size):
                    yield columns_of(table, rows, connection.dialect)

    def _texts_of(
        self, part: Pass, connection: TextConnection, *, size: int
    ) -> Iterator[Sequence[Sequence[Any]]]:
        after = None
        while True:
            self._context.reporter.check()
            count = 0
            for rows in connection.pages(part.page(after, size=STATEMENT_ROWS), size=size):
                count += len(rows)
                yield rows
                self._context.reporter.check()
            if count < STATEMENT_ROWS:
                return
            last = zip(part.columns, rows[-1], strict=True)
            after = part.position({column.name: value_of(column, text) for column, text in last})

    def _rows_of(
        self, part: Pass, connection: Connection, *, size: int
    ) -> Iterator[Sequence[Row[Any]]]:
        after = None
        while True:
            self._context.reporter.check()
            rows = connection.execute(part.page(after, size=size)).all()
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = part.position(rows[-1]._mapping)
