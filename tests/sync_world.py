"""A fake CRM, a real warehouse, and the runs between them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import Crm, Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from ingestion.sync.load.tables.stored import StoredTable
from tests import delta_client
from tests.fake_crm import FAKE, FakeSource

ROOT = Path(__file__).parents[1]


@dataclass
class World:
    """A source, a warehouse, and the runs between them."""

    source: FakeSource
    url: str
    pipelines_dir: Path
    warehouse: Warehouse
    lock_wait_seconds: float = 0
    list_keys_every: timedelta = timedelta(days=1)
    crm: Crm = FAKE

    @property
    def is_of_duckdb(self) -> bool:
        """Whether DuckDB loads it: its decimals are short, and it has no index."""
        return self.warehouse.is_duckdb or self.warehouse.is_delta

    def run(self, model: Model, *, reporter: Reporter | None = None, **options: Any) -> ModelResult:
        return run_model(self.prepared(model, reporter, **options), ModelResult(model.name))

    def prepared(self, model: Model, reporter: Reporter | None = None, **options: Any) -> Run:
        return Run(
            crm=self.crm,
            model=model,
            source=self.source,
            options=SyncOptions(**options),
            warehouse=self.warehouse,
            pipelines_dir=self.pipelines_dir,
            lock_wait_seconds=self.lock_wait_seconds,
            reporter=reporter or SilentReporter(),
            list_keys_every=self.list_keys_every,
        )

    def rows(self, model: Model, *, deleted: bool | None = False) -> list[dict[str, Any]]:
        """The rows of a table; ``deleted`` None: all of them."""
        dataset = self.warehouse.dataset(self.crm.name)
        table = StoredTable.read(dataset, model.name).table
        assert table is not None
        query = sa.select(table)
        if deleted is not None:
            mark = table.c["_deleted_at"]
            query = query.where(mark.is_not(None) if deleted else mark.is_(None))
        with dataset.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def table(self, name: str) -> str:
        """A table as a statement names it."""
        schema = self.warehouse.dataset(self.crm.name).schema
        return f"{schema}.{name}" if schema else name

    def execute(self, statement: str) -> None:
        """As somebody with a database client would."""
        if self.warehouse.is_delta:
            delta_client.execute(
                delta_client.folder_of(self.warehouse.dataset(self.crm.name)), statement
            )
            return
        if self.warehouse.is_duckdb:
            with duckdb.connect(
                str(self.warehouse.dataset(self.crm.name).engine.url.database)
            ) as client:
                client.execute(statement)
            return
        with self.warehouse.dataset(self.crm.name).engine.begin() as connection:
            if self.warehouse.is_mariadb:  # quotes and backslashes as with the others
                connection.exec_driver_sql("SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
            connection.exec_driver_sql(statement)
            if self.warehouse.is_mariadb:
                connection.exec_driver_sql("SET sql_mode = DEFAULT")

    def drop_index(self, name: str, table: str) -> None:
        on = f" ON {self.table(table)}" if self.warehouse.is_mariadb else ""
        self.execute(f"DROP INDEX {name if on else self.table(name)}{on}")

    def drop_dataset(self) -> None:
        """As before the first load."""
        dataset = self.warehouse.dataset(self.crm.name)
        if dataset.files is not None:
            shutil.rmtree(delta_client.folder_of(dataset), ignore_errors=True)
        elif dataset.schema is None:
            path = Path(str(dataset.engine.url.database))
            self.warehouse.close()
            for part in path.parent.glob(f"{path.name}*"):
                part.unlink()
        elif dataset.exists:
            rest = " CASCADE" if self.warehouse.is_postgres else ""
            self.execute(f"DROP SCHEMA {dataset.schema}{rest}")

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        dataset = self.warehouse.dataset(self.crm.name)
        if dataset.files is not None:  # the engine knows tables that were asked for
            for folder in delta_client.folder_of(dataset).iterdir():
                dataset.has_table(folder.name)
        with dataset.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def ids(self, model: Model, *, deleted: bool | None = False) -> list[Any]:
        return sorted(row["id"] for row in self.rows(model, deleted=deleted))

    def in_another_process(self, rows: int, models: str, step: str = "") -> subprocess.Popen[str]:
        words = [self.url, str(self.pipelines_dir), str(rows), models, *filter(None, [step])]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.sync_process", *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def counts(result: ModelResult) -> tuple[int, int, int, int]:
    """processed, created, updated, deleted."""
    return (result.processed, result.created, result.updated, result.deleted)
