"""A warehouse, the project's own sync commands, and SQL on what they loaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from django.core.management import call_command

from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.misfits import misfit_values
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable


class CommandWorld:
    """``settings``: pytest-django's, which point at a warehouse of this test alone."""

    def __init__(self, crm: str, settings: Any) -> None:
        self.crm = crm
        self._settings = settings

    def configure(self, environment: Mapping[str, str]) -> None:
        self._settings.INGESTION_CRM_ENVIRONMENT = dict(environment)

    @property
    def is_sqlite(self) -> bool:
        return bool(self._settings.INGESTION_WAREHOUSE_URL.startswith("sqlite"))

    def sync(self, model: str, **options: Any) -> SyncResult:
        handle = RunHandle(SilentReporter())
        call_command(f"sync_{self.crm}_{model}", run=handle, **options)
        assert handle.result is not None
        return handle.result

    def execute(self, *statements: str) -> None:
        """As somebody with a database client would."""
        with self._dataset() as dataset, dataset.engine.begin() as connection:
            if dataset.schema:
                is_postgres = dataset.engine.dialect.name == "postgresql"
                connection.exec_driver_sql(
                    f"SET search_path = {dataset.schema}, public"
                    if is_postgres
                    else f"USE {dataset.schema}"
                )
            for statement in statements:
                connection.exec_driver_sql(statement)

    @property
    def is_mariadb(self) -> bool:
        return bool(self._settings.INGESTION_WAREHOUSE_URL.startswith(("mysql", "mariadb")))

    def drop_schema(self) -> None:
        with self._dataset() as dataset:
            self.execute(f"DROP SCHEMA {dataset.schema}{'' if self.is_mariadb else ' CASCADE'}")

    def rows(self, model: str) -> dict[Any, dict[str, Any]]:
        """Every row of a table by its id, without a difference in how the warehouses keep times."""
        with self._dataset() as dataset, dataset.engine.connect() as connection:
            table = StoredTable.read(dataset, model).table
            assert table is not None
            found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
        key = "id" if "id" in table.c else "number1"
        assert len({row[key] for row in found}) == len(found)
        return {row[key]: {name: _plain(value) for name, value in row.items()} for row in found}

    def _dataset(self) -> _Opened:
        return _Opened(self._settings.INGESTION_WAREHOUSE_URL, self.crm)


class _Opened:
    def __init__(self, url: str, crm: str) -> None:
        self._warehouse, self._crm = Warehouse(url), crm

    def __enter__(self) -> Any:
        return self._warehouse.dataset(self._crm)

    def __exit__(self, *_: object) -> None:
        self._warehouse.close()


def counts_of(result: SyncResult) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in result.counts.items() if count}


def aside(row: Mapping[str, Any], column: str) -> Any:
    """The value in ``_misfits``."""
    return misfit_values(row["_misfits"])[column]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return value.isoformat(sep=" ")
    if isinstance(value, float):
        return Decimal(repr(value))
    return value
