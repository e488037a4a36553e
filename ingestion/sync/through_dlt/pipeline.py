"""One model's run: lock, read, compare, mark what is gone, load, tell what was done."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from ingestion.sync.common.failures import cause_of
from ingestion.sync.common.locks import HeldLock, lock
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import AdaptsModels
from ingestion.sync.common.window import from_state, in_words, utc_now
from ingestion.sync.load.run import Run
from ingestion.sync.through_dlt import loading
from ingestion.sync.through_dlt.deletions import gone_keys
from ingestion.sync.through_dlt.indexes import ensure_key_index, ensure_staging_index
from ingestion.sync.through_dlt.reading import Reading
from ingestion.sync.through_dlt.schema_changes import schema_changes, vanished_columns
from ingestion.sync.through_dlt.table import StoredTable

logger = logging.getLogger(__name__)


def run_model(run: Run, result: ModelResult) -> ModelResult:
    """Run one model and fill ``result`` as it goes, so that a failed run has its counts too.

    Raises SyncError, SyncStopped, and what ends the process; nothing is left pending.
    """
    before = replace(run.meter)
    try:
        with _locked(run) as held, _opened(run) as pipeline:
            _run(run, pipeline, held, result)
    except BaseException as problem:
        cause = cause_of(problem)
        if cause is problem:
            raise
        # The caller is told in one sentence; how it came about stands in the log.
        logger.info("%s: %s", run.name, cause, exc_info=problem)
        raise cause from problem
    finally:
        result.requests = run.meter.requests - before.requests
        result.throttled = run.meter.throttled - before.throttled
        result.bytes_read = run.meter.bytes_read - before.bytes_read
    return result


def _locked(run: Run) -> AbstractContextManager[HeldLock]:
    return lock(
        run.name,
        warehouse=run.warehouse,
        lock_dir=run.lock_dir,
        wait_seconds=run.lock_wait_seconds,
        check=run.reporter.check,
    )


def _opened(run: Run) -> AbstractContextManager[Pipeline]:
    return loading.opened(
        run.crm.name,
        run.model.name,
        warehouse=run.warehouse,
        pipelines_dir=run.pipelines_dir,
        reporter=run.reporter,
    )


def _run(run: Run, pipeline: Pipeline, held: HeldLock, result: ModelResult) -> None:
    reading = _begin(run, pipeline, result)
    with _timed(result, "extract"):
        run.reporter.step(run.model.name, "extract")
        _extract(run, pipeline, reading)
    reading.vanished = vanished_columns(reading)
    gone = _gone(reading)
    if run.options.dry_run:
        result.deleted += len(gone)
    else:
        # The marks come first: the load moves the watermark past the time when the rows went.
        held.verify()
        _mark(run, reading, gone)
        _load(run, pipeline, reading)
    _tell(run, reading)


def _begin(run: Run, pipeline: Pipeline, result: ModelResult) -> Reading:
    if not run.options.dry_run:
        loading.create_dataset(
            pipeline,
            warehouse=run.warehouse,
            lock_dir=run.lock_dir,
            wait_seconds=run.lock_wait_seconds,
            reporter=run.reporter,
        )
    if run.dataset.exists:
        pipeline.sync_destination()
    table = StoredTable.read(run.dataset, run.model.name)
    for column in loading.zoneless_columns(pipeline, run.model.name) & table.columns.keys():
        table.columns[column] = "datetime"
    source = run.source
    return Reading(
        model=source.adapted(run.model) if isinstance(source, AdaptsModels) else run.model,
        source=source,
        options=run.options,
        table=table,
        result=result,
        reporter=run.reporter,
        watermark=from_state(loading.stored_watermark(pipeline, run.model.name)),
        now=utc_now(),
    )


def _extract(run: Run, pipeline: Pipeline, reading: Reading) -> None:
    """Read to the end; dlt takes part only when there is something to load."""
    with closing(reading.batches()) as batches:
        if run.options.dry_run:
            for _ in batches:
                pass
            return
        first = next(batches, None)
        if first is not None:
            loading.extract(pipeline, reading, chain([first], batches))
        elif reading.new_watermark != reading.watermark:
            loading.extract(pipeline, reading, iter(()))


def _gone(reading: Reading) -> list[dict[str, Any]]:
    """The keys of rows that are gone; none when an empty answer would say that all are."""
    if not reading.table.exists:
        return []
    existing = reading.existing_keys()
    live = reading.table.live_rows() if existing is not None and not existing else 0
    if live and not reading.options.force:
        reading.warn(
            f"the CRM answered with no record where the warehouse has {live}; nothing was marked "
            "as deleted. If they are gone, run with --full --force"
        )
        return []
    return gone_keys(reading.table, reading.changes, reading.owners, existing=existing)


def _mark(run: Run, reading: Reading, gone: list[dict[str, Any]]) -> None:
    if not gone:
        return
    run.reporter.step(run.model.name, "mark_deleted")
    with _timed(reading.result, "mark_deleted"):
        reading.result.deleted += reading.table.mark_deleted(
            gone, reading.converter, at=reading.now
        )


def _load(run: Run, pipeline: Pipeline, reading: Reading) -> None:
    if not pipeline.has_pending_data:
        return
    with _timed(reading.result, "normalize"):
        pipeline.normalize()
    model, key_columns = run.model.name, reading.converter.key_columns
    with _timed(reading.result, "load"):
        staging = loading.staging_name(run.crm.name, model)
        ensure_staging_index(run.warehouse, staging, model, key_columns)
        pipeline.load()
        if reading.changes.has_rows:
            ensure_key_index(run.dataset, model, key_columns)
        loading.prune_state(run.dataset, pipeline.pipeline_name)


def _tell(run: Run, reading: Reading) -> None:
    result = reading.result
    if result.failed:
        key = ", ".join(run.model.key)
        reading.warn(f"{result.failed} records have no key ({key}) and were left out")
    result.watermark = in_words(reading.new_watermark)
    result.schema_changes = schema_changes(reading)
    for change in result.schema_changes:
        logger.info("%s: %s", run.name, change)


@contextmanager
def _timed(result: ModelResult, step: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        spent = result.seconds.get(step, 0.0) + time.monotonic() - began
        result.seconds[step] = round(spent, 3)
