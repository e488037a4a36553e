"""Reads Genius' tables straight from its database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import true
from sqlalchemy.engine import Connection, RowMapping

from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.genius.database import database_url, open_engine
from ingestion.sync.genius.failures import explained
from ingestion.sync.genius.keyset import Pass, passes
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

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._zone = time_zone(context.settings, TIME_ZONE)
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
        with explained(self._url, table.model.table), self._engine.connect() as connection:
            for part in passes(table, window, zone=self._zone):
                yield from self._pages_of(part, table, connection, size=size)

    def keys(self, model: Model) -> Iterator[Sequence[Record]]:
        """Rows are deleted without a trace: only the keys that are left tell."""
        table = self._table(model)
        part = Pass(table.order, table.order, true())
        with explained(self._url, table.model.table), self._engine.connect() as connection:
            for rows in self._rows_of(part, connection, size=MOST_PAGE_ROWS):
                yield [table.to_key(row) for row in rows]

    def close(self) -> None:
        self._engine.dispose()

    def _count_query(self) -> None:
        self._context.meter.requests += 1

    def _table(self, model: Model) -> ReflectedTable:
        if not isinstance(model, GeniusModel):
            raise TypeError(f"{model.name} is not a model of Genius")
        if model.name not in self._tables:
            with explained(self._url, model.table), self._engine.connect() as connection:
                self._tables[model.name] = reflect(connection, model)
        return self._tables[model.name]

    def _pages_of(
        self, part: Pass, table: ReflectedTable, connection: Connection, *, size: int
    ) -> Iterator[Page]:
        for rows in self._rows_of(part, connection, size=size):
            yield Page([table.to_record(row) for row in rows])

    def _rows_of(
        self, part: Pass, connection: Connection, *, size: int
    ) -> Iterator[Sequence[RowMapping]]:
        after = None
        while True:
            self._context.reporter.check()
            rows = connection.execute(part.page(after, size=size)).mappings().all()
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = part.position(rows[-1])
