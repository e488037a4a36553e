"""The part that dlt plays: one pipeline per model, extracted, normalized and loaded.

The working folder of a pipeline lives as long as a run. What a killed run left there is thrown
away by the next one, which takes state and schema from the warehouse, where they were committed
together with the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import dlt
import sqlalchemy as sa
from dlt.common.configuration.providers import CustomLoaderDocProvider
from dlt.common.configuration.utils import get_resolved_traces
from dlt.common.runtime.collector_base import Collector
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.common.schema.utils import normalize_table_identifiers, pipeline_state_table
from dlt.extract import DltSource
from dlt.extract.hints import make_hints
from dlt.pipeline.pipeline import Pipeline

from ingestion.sync.common.convert import OWN_COLUMNS
from ingestion.sync.common.locks import lock
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.warehouse import Dataset, Warehouse
from ingestion.sync.common.window import to_state
from ingestion.sync.through_dlt.indexes import ensure_key_index
from ingestion.sync.through_dlt.reading import Reading

STATE_TABLE = "_dlt_pipeline_state"
LOAD_ID = "_dlt_load_id"
KEPT_STATES = 20
WATERMARK = "watermark"
# dlt adds this column to its state table with the first load.
ROW_ID: TColumnSchema = {
    "name": "_dlt_id",
    "data_type": "text",
    "nullable": False,
    "unique": True,
    "row_key": True,
}
DLT_SETTINGS: dict[str, Any] = {
    # A drained load would outlive the deadline of a cancel.
    "runtime": {"intercept_signals": False},
    "enable_runtime_trace": False,
    # A Celery child may not have children of its own.
    "normalize": {"workers": 1},
    "load": {"workers": 1, "truncate_staging_dataset": True, "raise_on_failed_jobs": True},
}


@cache
def configure_dlt() -> None:
    """Give dlt our settings; DLT's own environment variables stand above them."""
    provider = CustomLoaderDocProvider("data warehouse", lambda: DLT_SETTINGS, False)
    dlt.config.register_provider(provider)


class ReportingCollector(Collector):
    """Feeds the reporter from dlt's steps; this is also where a stop ends a step."""

    def __init__(self, model: str, reporter: Reporter) -> None:
        self._model = model
        self._reporter = reporter

    def update(
        self,
        name: str,
        inc: int = 1,
        total: int | None = None,
        inc_total: int | None = None,
        message: str | None = None,
        label: str | None = None,
    ) -> None:
        self._reporter.check()

    def _start(self, step: str) -> None:
        name = step.split(" ", 1)[0].lower()
        if name != "extract":  # reported where the reading begins
            self._reporter.step(self._model, name)

    def _stop(self) -> None: ...


def staging_name(crm: str, model: str) -> str:
    """The dataset that a model's rows are staged in; none shares it."""
    return f"{crm}_staging_{model}"


@contextmanager
def opened(
    crm: str, model: str, *, warehouse: Warehouse, pipelines_dir: Path, reporter: Reporter
) -> Iterator[Pipeline]:
    """The pipeline of a model, with the state that the warehouse has. Needs the model's lock."""
    configure_dlt()
    # dlt notes how it found each setting, for each thread, and without its own traces never forgets
    # it: a megabyte a run, with the pipelines and the engines that the settings belong to.
    get_resolved_traces().logging_enabled = False
    name = f"{crm}_{model}"
    shutil.rmtree(pipelines_dir / name, ignore_errors=True)
    pipeline = dlt.pipeline(
        name,
        pipelines_dir=str(pipelines_dir),
        # Pipelines that share a staging dataset lose rows (dlt #4297).
        destination=dlt.destinations.sqlalchemy(
            warehouse.main_engine, staging_dataset_name_layout=staging_name("%s", model)
        ),
        dataset_name=crm,
        progress=ReportingCollector(model, reporter),
    )
    try:
        yield pipeline
    finally:
        if pipeline.is_active:
            pipeline.deactivate()
        shutil.rmtree(pipelines_dir / name, ignore_errors=True)


def create_dataset(
    pipeline: Pipeline,
    *,
    warehouse: Warehouse,
    lock_dir: Path,
    wait_seconds: float,
    reporter: Reporter,
) -> None:
    """Create the dataset and dlt's own tables, once: two pipelines that do so at the same time
    fail (dlt #1711)."""
    dataset = warehouse.dataset(pipeline.dataset_name)
    if dataset.has_table(STATE_TABLE):
        return
    with lock(
        f"{dataset.name}.dataset",
        warehouse=warehouse,
        lock_dir=lock_dir,
        wait_seconds=wait_seconds,
        check=reporter.check,
    ):
        if dataset.has_table(STATE_TABLE):
            return
        warehouse.prepare()
        _create_own_tables(pipeline)
        # dlt finds the last state by the loads that have ended well; they become many.
        ensure_key_index(dataset, "_dlt_loads", ("load_id",), unique=False)


def prune_state(dataset: Dataset, pipeline_name: str) -> None:
    """Drop old states of a pipeline: dlt adds one with every load that moves the watermark, and
    looks through all of them at the start of every run."""
    columns: tuple[sa.ColumnClause[str], ...] = (sa.column("pipeline_name"), sa.column(LOAD_ID))
    state = sa.table(STATE_TABLE, *columns, schema=dataset.schema)
    is_own = state.c.pipeline_name == pipeline_name
    newest = sa.select(state.c[LOAD_ID]).where(is_own).order_by(state.c[LOAD_ID].desc())
    with dataset.engine.connect() as connection:
        oldest_kept = connection.execute(newest.offset(KEPT_STATES).limit(1)).scalar()
        if oldest_kept is not None:
            connection.execute(sa.delete(state).where(is_own, state.c[LOAD_ID] <= oldest_kept))
        connection.commit()


def _create_own_tables(pipeline: Pipeline) -> None:
    with pipeline._maybe_destination_capabilities():
        schema = Schema(pipeline.dataset_name)
    state_table = pipeline_state_table()
    state_table["columns"]["_dlt_id"] = ROW_ID
    schema.update_table(normalize_table_identifiers(state_table, schema.naming))
    schema._bump_version()
    with pipeline._get_destination_clients(schema)[0] as client:
        client.initialize_storage()
        client.update_stored_schema()


def stored_watermark(pipeline: Pipeline, model: str) -> dict[str, Any] | None:
    """What the last committed load has left as the watermark."""
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    resources = sources.get(pipeline.pipeline_name, {}).get("resources", {})
    found: dict[str, Any] | None = resources.get(model, {}).get(WATERMARK)
    return found


def zoneless_columns(pipeline: Pipeline, model: str) -> set[str]:
    """The timestamps that are kept without a zone; SQLite's own types do not tell."""
    if pipeline.default_schema_name is None:
        return set()
    columns = pipeline.default_schema.tables.get(model, {}).get("columns", {})
    return {name for name, column in columns.items() if column.get("timezone") is False}


def extract(pipeline: Pipeline, reading: Reading, batches: Iterator[list[dict[str, Any]]]) -> None:
    """Hand the rows to dlt; the new watermark is kept in the pipeline's state with them."""
    model = reading.model.name
    resource = dlt.resource(
        lambda: _rows(reading, batches),
        name=model,
        primary_key=reading.converter.key_columns,
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        columns=column_hints(reading.converter.types),
        max_table_nesting=0,
    )
    schema = Schema(pipeline.pipeline_name)
    # Every column has a type of its own; dlt must not guess that a text is a time.
    schema.remove_type_detection("iso_timestamp")
    pipeline.extract(DltSource(schema, pipeline.pipeline_name, [resource]))


def _rows(reading: Reading, batches: Iterator[list[dict[str, Any]]]) -> Iterator[Any]:
    told = dict(reading.converter.types)
    for rows in batches:
        new = {n: t for n, t in reading.converter.types.items() if told.get(n) != t}
        told.update(new)
        yield dlt.mark.with_hints(rows, make_hints(columns=column_hints(new))) if new else rows
    if reading.new_watermark is not None:
        dlt.current.resource_state()[WATERMARK] = to_state(reading.new_watermark)


def column_hints(types: dict[str, str]) -> dict[str, TColumnSchema]:
    ours_last = sorted(types.items(), key=lambda named: named[0] in OWN_COLUMNS)
    return {name: _hint(name, data_type) for name, data_type in ours_last} | {
        # Of the rows of one key in one load the last one wins.
        "_dlt_id": {"name": "_dlt_id", "dedup_sort": "desc"}
    }


def _hint(name: str, data_type: str) -> TColumnSchema:
    if data_type == "datetime":
        return {"name": name, "data_type": "timestamp", "timezone": False}
    return {"name": name, "data_type": data_type}  # type: ignore[typeddict-item]
