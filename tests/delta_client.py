"""Somebody with a client of their own, at the Delta tables of one CRM."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from ingestion.sync.common.warehouse import Dataset


def folder_of(dataset: Dataset) -> Path:
    assert dataset.files is not None
    return Path(dataset.files.url.removeprefix("file://"))


def execute(folder: Path, statement: str) -> None:
    """The tables that the statement names, in DuckDB and back; those that it drops go."""
    with duckdb.connect() as client:
        client.execute("SET TimeZone = 'UTC'")
        named = [f for f in folder.iterdir() if f.name in statement.replace('"', " ").split()]
        for table in named:
            client.register("found", DeltaTable(str(table)).to_pyarrow_table())
            client.execute(f'CREATE TABLE "{table.name}" AS SELECT * FROM found')
        client.execute(statement)
        left = {name for (name,) in client.execute("SHOW TABLES").fetchall()}
        for table in named:
            if table.name in left:
                _write(table, client.table(table.name).to_arrow_table())
            else:
                shutil.rmtree(table)


def _write(table: Path, rows: pa.Table) -> None:
    known = {field.name: field for field in DeltaTable(str(table)).schema().fields}
    fields = [
        f.with_metadata(known[f.name].metadata) if f.name in known else f for f in rows.schema
    ]
    write_deltalake(
        DeltaTable(str(table)),
        pa.table(rows.columns, schema=pa.schema(fields)),
        mode="overwrite",
        schema_mode="overwrite",
    )
