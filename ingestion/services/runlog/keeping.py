"""Keeps with a run what is logged while it runs: by its syncs, by what they use, and of its pages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db.models import Max
from structlog.contextvars import get_contextvars

from ingestion.models import RunLine
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.security.secrets import mask_error
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Meter

# Of a long run the beginning and the end are kept.
KEPT_FIRST, KEPT_LAST = 200, 1800
WRITE_SECONDS, WRITE_LINES = 1.0, 100
PAGE_SECONDS = 1.0
LONGEST_TEXT = 2000
# Where what belongs to a run is logged; the second may hand nothing on to the first.
LOGGERS = ("ingestion", "ingestion.sync")

logger = logging.getLogger("ingestion.sync.run")


@contextmanager
def kept(run_id: int | None) -> Iterator[None]:
    """While it lasts, what this process logs with this run bound is kept with the run; nothing of
    a run that has no row."""
    if run_id is None:
        yield
        return
    handler = RunLogHandler(run_id)
    found = [logging.getLogger(name) for name in LOGGERS]
    for one in found:
        one.addHandler(handler)
    try:
        yield
    finally:
        for one in found:
            one.removeHandler(handler)
        handler.flush()


def write_due() -> None:
    """What other threads of the run have logged while this one waited for them."""
    for handler in logging.getLogger(LOGGERS[0]).handlers:
        if isinstance(handler, RunLogHandler):
            handler.write_due()


class RunLogHandler(logging.Handler):
    """Writes lines in batches, and never raises: a sync does not fail because its log cannot be
    written."""

    def __init__(self, run_id: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._run_id = run_id
        self._clock = clock
        self._lines: list[RunLine] = []
        self._written_at = clock()
        self._number: int | None = None
        self._own = threading.RLock()
        self._is_writing = False
        # Only this thread has a connection to the database; others leave their lines to it.
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        bound = get_contextvars()
        is_own = threading.get_ident() == self._thread
        if bound.get("run") != self._run_id or (is_own and self._is_writing):
            return
        # It comes twice where the one logger hands on to the other.
        if getattr(record, "kept_with", None) == self._run_id:
            return
        record.kept_with = self._run_id
        with self._own:
            self._lines.append(
                RunLine(
                    run_id=self._run_id,
                    at=datetime.fromtimestamp(record.created, UTC),
                    level=record.levelname.lower(),
                    model=str(bound.get("model") or "")[:100],
                    text=self._text(record),
                )
            )
            if is_own:
                self.write_due()

    def write_due(self) -> None:
        """Those that have waited long enough. In the thread that made the handler."""
        with self._own:
            is_due = self._clock() - self._written_at >= WRITE_SECONDS
            if is_due or len(self._lines) >= WRITE_LINES:
                self.flush()

    def flush(self) -> None:
        with self._own:
            lines, self._lines = self._lines, []
            self._written_at = self._clock()
            if not lines:
                return
            self._is_writing = True
            try:
                self._write(lines)
            except DATABASE_ERRORS:
                # They stand in the log file all the same.
                self._number = None
            finally:
                self._is_writing = False

    def _write(self, lines: list[RunLine]) -> None:
        if self._number is None:
            of_run = RunLine.objects.filter(run_id=self._run_id)
            self._number = of_run.aggregate(last=Max("number"))["last"] or 0
        for line in lines:
            self._number += 1
            line.number = self._number
        RunLine.objects.bulk_create(lines)
        if self._number > KEPT_FIRST + KEPT_LAST:
            middle = {"number__gt": KEPT_FIRST, "number__lte": self._number - KEPT_LAST}
            RunLine.objects.filter(run_id=self._run_id, **middle).delete()

    def _text(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            problem = record.exc_info[1]
            text = f"{text} ({type(problem).__name__}: {problem})"
        return mask_error(text).replace("\x00", "")[:LONGEST_TEXT]


class LoggingReporter:
    """Logs the steps and pages of a run, and hands them on. Of pages at most one line a second."""

    def __init__(
        self, inner: Reporter, meter: Meter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inner = inner
        self._meter = meter
        self._clock = clock
        self._model = ""
        self._pages = self._rows = 0
        self._told_at: float | None = None

    def step(self, model: str, step: str) -> None:
        self._turn_to(model)
        logger.info("%s: %s begins", model, step)
        self._inner.step(model, step)

    def advance(self, model: str, *, rows: int) -> None:
        self._turn_to(model)
        self._pages += 1
        self._rows += rows
        now = self._clock()
        if self._told_at is None or now - self._told_at >= PAGE_SECONDS:
            self._told_at = now
            text = "%s: page %d, %d rows so far, %d requests, %d throttled"
            counted = (self._pages, self._rows, self._meter.requests, self._meter.throttled)
            logger.info(text, model, *counted)
        self._inner.advance(model, rows=rows)

    def check(self) -> None:
        write_due()
        self._inner.check()

    def check_known(self) -> None:
        self._inner.check_known()

    def _turn_to(self, model: str) -> None:
        if model != self._model:
            self._model, self._pages, self._rows, self._told_at = model, 0, 0, None


def log_result(found: ModelResult) -> None:
    """What a model's run did, or why it failed."""
    if found.error:
        logger.error("%s failed: %s", found.model, found.error)
        return
    if found.skipped:
        logger.info("%s was passed over: %s", found.model, found.skipped)
        return
    for change in found.schema_changes:
        logger.info("%s: schema change: %s", found.model, change)
    if found.failed:
        logger.warning("%s: %d records were rejected", found.model, found.failed)
    if found.warning:
        logger.warning("%s: %s", found.model, found.warning)
    logger.info(
        "%s is merged: %d rows read, %d new, %d changed, %d gone, %d rejected; %d requests, "
        "%d throttled, %d bytes",
        *(found.model, found.processed, found.created, found.updated, found.deleted),
        *(found.failed, found.requests, found.throttled, found.bytes_read),
    )
