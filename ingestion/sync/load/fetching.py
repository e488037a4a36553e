"""Fetches a model's pages, in a thread that is one batch ahead of what is converted and staged."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Final

from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.source import (
    CrmSource,
    Meter,
    Model,
    Page,
    StaysInThread,
    Window,
)
from ingestion.sync.common.threads.ahead import ReadAhead, Size

# Pages are put together up to one of these, and no more than these are fetched ahead.
BATCH_RECORDS: Final = 2_000
BATCH_BYTES: Final = 16_000_000
# A list that has been left half read for longer is read again: its pages may have shifted.
LONGEST_PAUSE_SECONDS: Final = 60.0
AHEAD: Final = Size(pages=20, records=BATCH_RECORDS, bytes_read=BATCH_BYTES)


@dataclass(frozen=True)
class Fetched:
    """``bytes_read``: what the CRM sent for the page. ``is_cut``: no more records were asked for
    than it has."""

    page: Page
    bytes_read: int
    is_cut: bool = False

    @property
    def size(self) -> Size:
        return Size(1, len(self.page.records), self.bytes_read)


@dataclass
class Fetching:
    """Of one model, in one window after the other."""

    source: CrmSource
    model: Model
    options: SyncOptions
    meter: Meter
    reporter: Reporter
    _ahead: ReadAhead[Fetched] | None = None
    _is_used: bool = True

    def start(self, window: Window) -> None:
        """Let the first pages of the window be fetched before anybody asks for them."""
        if not isinstance(self.source, StaysInThread):
            self._ahead, self._is_used = self._begun(window), False

    def pages(self, window: Window) -> Generator[Fetched, None, None]:
        """In the order of the source; ``window``: the one that was started, where one was. When the
        generator is closed nothing is being fetched any more."""
        if isinstance(self.source, StaysInThread):
            return self._pages(window)
        if self._ahead is None or self._is_used or self._ahead.has_waited(LONGEST_PAUSE_SECONDS):
            self.close()
            self.start(window)
        assert self._ahead is not None
        self._is_used = True
        return iter(self._ahead)

    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()

    def _begun(self, window: Window) -> ReadAhead[Fetched]:
        return ReadAhead(
            lambda: self._pages(window),
            size=lambda fetched: fetched.size,
            most=AHEAD,
            reporter=self.reporter,
            name=self.model.name,
        )

    def _pages(self, window: Window) -> Generator[Fetched, None, None]:
        room = self.options.max_records
        pages = self.source.pages(self.model, window, batch_size=self.options.batch_size)
        read = self.meter.bytes_read
        with closing(pages) if isinstance(pages, Generator) else nullcontext():
            for page in pages:
                read, before = self.meter.bytes_read, read
                if room is not None and len(page.records) >= room:
                    # A page that is cut does not hold all there is for its owners.
                    yield Fetched(Page(page.records[:room]), read - before, is_cut=True)
                    return
                room = None if room is None else room - len(page.records)
                yield Fetched(page, read - before)
