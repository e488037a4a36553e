"""Gives a dataset's table what dbt, Metabase and people look for, after it was loaded."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from ingestion.conf import warehouse_conf
from ingestion.services.data.comments import comment
from ingestion.services.data.tables import known_model
from ingestion.sync.common.names import column_name
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import SyncOptions

SCHEMA_OF_VIEWS: Final = "{crm}_views"


def complete(crm_source: str, model: str) -> None:
    """Primary key, comments, index and view, where they are missing. Raises UnknownDataset, SyncBusy
    while the model is loaded, and SyncError."""
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.columns.steps import Steps
    from ingestion.sync.load.pipeline import opened
    from ingestion.sync.load.replay import NO_SOURCE
    from ingestion.sync.load.run import Run
    from ingestion.sync.load.tables.readers import Readers
    from ingestion.sync.load.tables.table import Table

    one, declared = crm(crm_source), known_model(crm_source, model)
    with closing(Warehouse(warehouse_conf().url)) as warehouse:
        if not (warehouse.is_sqlite or warehouse.is_postgres):
            return
        run = Run(
            one,
            declared,
            NO_SOURCE,
            SyncOptions(),
            warehouse,
            warehouse_conf().pipelines_dir,
            lock_wait_seconds=0,
        )
        with opened(run, Steps()) as session:
            table = Table.read(session, one.name, model)
            fields = {c.name: c.source_name for c in table.map.in_table.values()}
            columns = table.map.columns
            keys = [columns[k].name if k in columns else column_name(k) for k in declared.key]
            comments = {name: comment(one.name, name, fields.get(name)) for name in table.found}
            about = f"{model} of {one.title}. {declared.note}".strip()
            schema = SCHEMA_OF_VIEWS.format(crm=one.name)
            if all(name in table.found for name in keys):
                Readers(session, table, keys, schema, about, comments).make()
