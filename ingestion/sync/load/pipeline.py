"""One model's run: lock, read into the staging tables, compare, merge, report."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ingestion.sync.common.errors import SyncBusy, SyncError, TooManyRejected
from ingestion.sync.common.failures import cause_of
from ingestion.sync.common.locks import Waiting, advisory_lock, local_lock, transaction_lock
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import AdaptsModels, Meter, StaysInThread
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.common.window import utc_now
from ingestion.sync.load import rejected
from ingestion.sync.load.columns.batch import Batcher, longest_part_bytes
from ingestion.sync.load.columns.rejects import Rejects
from ingestion.sync.load.columns.steps import Steps
from ingestion.sync.load.keys import compare
from ingestion.sync.load.loading import Loading
from ingestion.sync.load.reading import Reading
from ingestion.sync.load.report import report
from ingestion.sync.load.run import Run
from ingestion.sync.load.stager import Stager
from ingestion.sync.load.tables.session import Session
from ingestion.sync.load.tables.sqlite import SqliteSession
from ingestion.sync.load.tables.table import Table

if TYPE_CHECKING:
    from ingestion.sync.common.locks import LockConnection
    from ingestion.sync.load.tables.postgres import PostgresSession

logger = logging.getLogger(__name__)


def run_model(run: Run, result: ModelResult) -> ModelResult:
    """Run one model and fill ``result`` as it goes, so that a failed run has its counts too.

    Raises SyncError, SyncStopped, and what ends the process; nothing half-loaded stays behind.
    """
    with closing(ModelRun(run, result)) as model_run, model_run.measured():
        model_run.begin()
        model_run.finish()
    return result


class ModelRun:
    """One model's run in two parts, between which another model's may be finished. Each raises what
    ``run_model`` does. After either part ``result`` has what was counted so far."""

    def __init__(self, run: Run, result: ModelResult) -> None:
        self.run = run
        self.result = result
        self._steps = Steps(result.seconds)
        self._meter = Meter()
        self._opened = ExitStack()
        self._is_begun, self._begun_at = False, 0.0
        self._failure: SyncError | None = None

    def begin(self) -> None:
        """Take the lock, look at the table and let the first pages be fetched."""
        if self._failure is not None:
            raise self._failure
        if not self._is_begun:
            self._begin(self.run.lock_wait_seconds)

    def begin_early(self) -> bool:
        """Before its turn, if it can be: what goes wrong then is raised in its turn. Not where
        another run holds the lock, nor where no page can be fetched meanwhile."""
        if self.run.model.after_others or isinstance(self.run.source, StaysInThread):
            return False
        if self._is_begun or self._failure is not None:
            return True
        try:
            self._begin(0)
        except SyncBusy:
            self.close()
            return False
        except SyncError as problem:
            self.close()
            self._failure = problem
        return True

    def _begin(self, lock_wait_seconds: float) -> None:
        run = replace(self.run, lock_wait_seconds=lock_wait_seconds, meter=self._meter)
        with self.measured():
            session = self._opened.enter_context(opened(run, self._steps))
            with self._steps.timed("prepare"), session.using_dataset():
                self._table = Table.read(session, run.crm.name, run.model.name, run.schema_policy)
                reading = begin(run, self._table, self._steps, self.result)
            self._reading = self._opened.enter_context(closing(reading))
            reading.start()
            self._is_begun, self._begun_at = True, time.monotonic()

    def give_up_early(self, *, after_seconds: float) -> None:
        """What was begun so long before its turn is begun again in its turn: others that wait for
        the lock may have it until then."""
        if self._is_begun and time.monotonic() - self._begun_at > after_seconds:
            self.close()
            self._is_begun = False

    def finish(self, after_batch: Callable[[], None] = lambda: None) -> None:
        """Read, compare, merge, report; give the lock back. ``after_batch`` is called while it
        reads."""
        with self.measured(), self._opened:
            self._reading.after_batch = after_batch
            self.run.reporter.step(self.run.model.name, "extract")
            _read_and_load(self.run, self._reading, self._table)

    def close(self) -> None:
        """Give back what a run holds that is not finished."""
        self._opened.close()

    @contextmanager
    def measured(self) -> Iterator[None]:
        """What happens meanwhile is counted, and each second stands in a step."""
        try:
            with self._meter.counting(), self._steps.timed("other"):
                yield
        except BaseException as problem:
            cause = cause_of(problem)
            if cause is problem:
                raise
            # The caller is told in one sentence; how it came about stands in the log.
            logger.info("%s: %s", self.run.name, cause, exc_info=problem)
            raise cause from problem
        finally:
            self.result.requests = self._meter.requests
            self.result.throttled = self._meter.throttled
            self.result.bytes_read = self._meter.bytes_read


@contextmanager
def opened(run: Run, steps: Steps) -> Iterator[Session]:
    """A connection to the warehouse, which holds the model's lock while it is open. Raises
    SyncBusy."""
    waiting = Waiting(run.name, run.lock_wait_seconds, run.reporter.check)
    with ExitStack() as stack:
        with steps.timed("lock"):
            stack.enter_context(local_lock(waiting, run.lock_dir))
        with steps.timed("connect"):
            session = stack.enter_context(closing(open_session(run)))
        with steps.timed("lock"):
            if run.warehouse.is_pooled:
                pooled = cast("PostgresSession", session)
                pooled.held = stack.enter_context(transaction_lock(waiting, run.warehouse))
            elif run.warehouse.is_postgres or run.warehouse.is_mariadb:
                stack.enter_context(advisory_lock(waiting, cast("LockConnection", session)))
        yield session


def open_session(run: Run) -> Session:
    given = {"run_id": run.run_id} if run.warehouse.is_delta else {}
    return session_kind(run.warehouse)(
        run.warehouse, run.crm.name, run.model.name, is_dry=run.options.dry_run, **given
    )


def session_kind(warehouse: Warehouse) -> Callable[..., Session]:
    """The class that keeps the Session contract for it; only its driver is imported."""
    if warehouse.is_postgres:
        from ingestion.sync.load.tables.postgres import PostgresSession

        return PostgresSession
    if warehouse.is_mariadb:
        from ingestion.sync.load.tables.mariadb import MariadbSession

        return MariadbSession
    if warehouse.is_delta:
        from ingestion.sync.load.delta.session import DeltaSession

        return DeltaSession
    if warehouse.is_duckdb:
        from ingestion.sync.load.tables.duckdb import DuckdbSession

        return DuckdbSession
    return SqliteSession


def _read_and_load(run: Run, reading: Reading, table: Table) -> None:
    session, steps, result = table.session, reading.steps, reading.result
    reading.read()
    if not reading.has_begun:  # nothing came, and nothing is known of the table
        Loading(reading, table).keep_watermark()
        return
    with steps.timed("list_keys"):
        listed = compare(reading, table, run.list_keys_every)
    run.reporter.step(run.model.name, "load")
    with steps.timed("load"):
        loading = Loading(reading, table)
        try:
            reading.batcher.rejects.check(run.model.name, of=result.processed)
        except TooManyRejected:
            result.failed = reading.batcher.rejects.count
            rejected.keep(reading, table)
            raise
        loading.load(listed)
        session.drop_stages()
    report(reading, table, loading)
    for change in result.schema_changes:
        logger.info("%s: %s", run.name, change)


def begin(run: Run, table: Table, steps: Steps, result: ModelResult) -> Reading:
    source, now = run.source, utc_now()
    model = source.adapted(run.model) if isinstance(source, AdaptsModels) else run.model
    table.declare(model, source.columns(model))
    rejects = Rejects(run.mask, run.rejected_records, run.rejected_share)
    longest = longest_part_bytes(table.session.dialect, len(model.key))
    batcher = Batcher(model, table.map, rejects, longest_part_bytes=longest)
    publishes = table.session.can_publish and not table.exists
    return Reading(
        crm=run.crm.name,
        model=model,
        source=source,
        options=run.options,
        batcher=batcher,
        stager=Stager(table.session, batcher, run.run_id, now, publishes=publishes),
        result=result,
        reporter=run.reporter,
        meter=run.meter,
        steps=steps,
        # A table that has to be filled is read whole.
        watermark=None if table.has_to_be_filled else table.state.watermark,
        now=now,
        verdict=run.verdict,
    )
