"""Reads a model's window page by page and keeps what has to be loaded."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingestion.sync.common.convert import Converter
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import (
    CrmSource,
    ListsKeys,
    Model,
    Page,
    Record,
    Watermark,
    zone_of,
)
from ingestion.sync.common.window import Highest, later, moves_watermark, window_for
from ingestion.sync.through_dlt.changes import Changes
from ingestion.sync.through_dlt.deletions import Owners
from ingestion.sync.through_dlt.table import StoredTable


@dataclass
class Reading:
    """One reading of one model. What it has learned is complete once ``batches`` has ended."""

    model: Model
    source: CrmSource
    options: SyncOptions
    table: StoredTable
    result: ModelResult
    reporter: Reporter
    watermark: Watermark | None  # of the last committed run
    now: datetime
    owners: Owners = field(default_factory=Owners)
    was_cut: bool = False
    vanished: set[str] = field(default_factory=set)  # columns that the CRM no longer delivers

    def __post_init__(self) -> None:
        self.window = window_for(self.model, self.options, self.watermark, now=self.now)
        self.converter = Converter.build(
            self.model, existing=self.table.columns, declared=self.source.columns(self.model)
        )
        self.changes = Changes(
            self.converter,
            self.table,
            self.result,
            force=self.options.force,
            stamp_prefix=f"{int(self.now.timestamp() * 1_000_000):x}-",
        )
        self._highest = Highest(now=self.now, zone=zone_of(self.source))

    def batches(self) -> Generator[list[dict[str, Any]], None, None]:
        """The rows that have to be loaded, a list for each page that has some."""
        for page in self._pages():
            rows = self.changes.rows_to_load(page.records)
            self._see_cursors(page.records)
            self.reporter.advance(self.model.name, rows=len(page.records))
            if rows:
                yield rows

    @property
    def new_watermark(self) -> Watermark | None:
        """Where the next delta run goes on."""
        if not moves_watermark(self.model, self.options):
            return self.watermark
        if self.model.incremental == "run_start":
            return later(self.watermark, self.now)
        return later(self.watermark, self._highest.value)

    def existing_keys(self) -> set[str] | None:
        """The keys of all records that there are; None when this run cannot tell."""
        if self.model.deletions != "full_run" or self._is_partial:
            return None
        if self.window.is_full:
            return self.changes.seen
        if isinstance(self.source, ListsKeys) and self.table.exists:
            return {*self.changes.seen, *self._listed_keys(self.source)}
        return None

    def warn(self, warning: str) -> None:
        """Makes the run partial; earlier warnings stay."""
        self.result.warning = "; ".join(filter(None, (self.result.warning, warning)))

    @property
    def _is_partial(self) -> bool:
        return bool(self.was_cut or self.options.start_date or self.options.end_date)

    def _listed_keys(self, source: ListsKeys) -> Iterator[str]:
        for records in source.keys(self.model):
            self.reporter.check()
            for record in records:
                yield self.converter.key_of(self.converter.values_of(record))

    def _pages(self) -> Generator[Page, None, None]:
        room = self.options.max_records
        pages = self.source.pages(self.model, self.window, batch_size=self.options.batch_size)
        with closing(pages) if isinstance(pages, Generator) else nullcontext():
            for page in pages:
                if page.unread:
                    self.was_cut = True
                    self.warn(page.unread)
                if room is not None and len(page.records) >= room:
                    self.was_cut = True
                    # A page that is cut does not hold all there is for its owners.
                    yield Page(page.records[:room])
                    return
                room = None if room is None else room - len(page.records)
                if page.scope:
                    self.owners.add(page.scope)
                yield page

    def _see_cursors(self, records: Sequence[Record]) -> None:
        """The converted value counts: a CRM may tell its times as text."""
        cursor = self.model.cursor
        if cursor is None or self.model.incremental != "cursor":
            return
        self._highest.see(self.converter.value_of(record, cursor) for record in records)
