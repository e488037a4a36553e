"""Reads a model's window page by page, and puts what it reads into the staging tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow.compute as pc

from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import ModelResult, SyncOptions, Verdict
from ingestion.sync.common.source import (
    ColumnRecords,
    CrmSource,
    Meter,
    Model,
    Record,
    Watermark,
    Window,
    zone_of,
)
from ingestion.sync.common.window import (
    Highest,
    is_in_future,
    later,
    moves_watermark,
    window_for,
)
from ingestion.sync.load.columns.batch import Batch, Batcher
from ingestion.sync.load.columns.steps import Steps
from ingestion.sync.load.fetching import BATCH_BYTES, BATCH_RECORDS, Fetched, Fetching
from ingestion.sync.load.owners import Owners
from ingestion.sync.load.stager import Stager

logger = logging.getLogger(__name__)

CURSORS: Final = frozenset({"text", "bigint", "timestamp", "datetime"})


@dataclass
class Reading:
    """One reading of one model."""

    crm: str
    model: Model
    source: CrmSource
    options: SyncOptions
    batcher: Batcher
    stager: Stager
    result: ModelResult
    reporter: Reporter
    meter: Meter
    steps: Steps
    watermark: Watermark | None  # of the last committed run
    now: datetime
    was_cut: bool = False
    has_unread: bool = False
    replays: bool = False  # reads what was rejected before
    has_begun: bool = False
    owners: Owners = field(default_factory=Owners)
    merged: set[str] = field(default_factory=set)
    verdict: Verdict | None = None
    after_batch: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        zone = zone_of(self.source)
        if self.watermark is not None and is_in_future(self.watermark, now=self.now, zone=zone):
            # An earlier release took it from a clock that ran ahead: what came since lies before it.
            self.watermark = None
        self.window = window_for(self.model, self.options, self.watermark, now=self.now)
        self._highest = Highest(now=self.now, zone=zone)
        self._fetching = Fetching(self.source, self.model, self.options, self.meter, self.reporter)

    def start(self) -> None:
        """The first pages are fetched from now on."""
        self._fetching.start(self.window)

    def close(self) -> None:
        """Nothing is being read any more."""
        self._fetching.close()

    def read(self) -> None:
        """To the end of the window; all there is where the window says that it was set back."""
        self.read_window()
        if self._is_set_back():
            logger.info("the record of the watermark is not there any more; everything is read")
            self.window = Window()
            self.read_window()

    def _is_set_back(self) -> bool:
        """A delta begins before the watermark, so it finds the record that the watermark is of. Where
        nothing so late is there, that record has gone, or the source was set back to an earlier
        state, and what came since may lie before the watermark."""
        if self.model.incremental != "cursor" or self.watermark is None or self.window.is_full:
            return False
        if self.options.mode != "delta" or self.options.max_records or self.is_partial:
            return False
        highest = self._highest.value
        return highest is None or later(highest, self.watermark) != highest

    def read_window(self) -> None:
        with closing(self._gathered()) as batches:
            for records in batches:
                self._read_batch(records)
                self.after_batch()
        if self._has_keys:
            with self.steps.timed("stage"):
                self.begin()
                self.owners.stage(self.stager)

    def _read_batch(self, records: Sequence[Record]) -> None:
        with self.steps.timed("convert"):
            batch = self.batcher.batch(records)
        self._see_cursor(batch)
        with self.steps.timed("stage"):
            self.begin()
            self.stager.add(batch)
            if self.owners.is_many:
                self.owners.stage(self.stager)

    def begin(self) -> None:
        """The staging tables, once the first records have told the key's types."""
        if not self.has_begun and self._has_keys:
            self.stager.begin()
            self.has_begun = True

    @property
    def new_watermark(self) -> Watermark | None:
        """Where the next delta run goes on."""
        if not moves_watermark(self.model, self.options):
            return self.watermark
        if self.model.incremental == "run_start":
            return later(self.watermark, self.now)
        if self.is_whole:  # what an earlier run saw may have been set back
            return self._highest.value
        return later(self.watermark, self._highest.value)

    @property
    def is_whole(self) -> bool:
        """Whether everything was read that there is."""
        return self.window.is_full and not self.was_cut

    @property
    def is_partial(self) -> bool:
        """Whether less was read than up to now."""
        asked = self.options.start_date or self.options.end_date
        return bool(self.was_cut or self.has_unread or asked)

    def warn(self, warning: str) -> None:
        """Makes the run partial; earlier warnings stay."""
        self.result.warning = "; ".join(filter(None, (self.result.warning, warning)))

    @property
    def _has_keys(self) -> bool:
        return all(name in self.batcher.map.columns for name in self.model.key)

    def _gathered(self) -> Generator[Sequence[Record], None, None]:
        """Records of several pages, as long as they are few and small."""
        records: list[Record] = []
        read = 0
        with closing(self._fetching.pages(self.window)) as pages:
            while True:
                with self.steps.timed("extract"):
                    fetched = next(pages, None)
                if fetched is None:
                    break
                self._note(fetched)
                page = fetched.page
                self.result.processed += len(page.records)
                self.reporter.advance(self.model.name, rows=len(page.records))
                if not records and _stays_in_columns(page.records):
                    yield from _in_batches(page.records)
                    continue
                records.extend(page.records)
                read += fetched.bytes_read
                if len(records) >= BATCH_RECORDS or read >= BATCH_BYTES:
                    yield from _in_batches(records)
                    records, read = [], 0
        yield from _in_batches(records)

    def _note(self, fetched: Fetched) -> None:
        """What a page tells of the window beside its records."""
        page = fetched.page
        if page.unread:
            self.has_unread = True
            self.warn(page.unread)
        if page.scope:
            self.owners.add(page.scope)
        self.was_cut = self.was_cut or fetched.is_cut
        self.merged |= page.merged

    def _see_cursor(self, batch: Batch) -> None:
        """The converted value counts: a CRM may tell its times as text."""
        cursor = self.model.cursor
        if cursor is None or self.model.incremental != "cursor":
            return
        column = self.batcher.map.columns.get(cursor)
        if column is not None and column.data_type in CURSORS and column.name in batch.columns:
            array = batch.columns[column.name]
            # One that lies in the future does not count; the others have to be looked at then.
            if not self._highest.see([pc.max(array).as_py()]):
                self._highest.see(array.to_pylist())


def _stays_in_columns(records: Sequence[Record]) -> bool:
    """Small pages are put together, record by record."""
    return isinstance(records, ColumnRecords) and len(records) >= BATCH_RECORDS // 2


def _in_batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), BATCH_RECORDS):
        yield records[start : start + BATCH_RECORDS]
