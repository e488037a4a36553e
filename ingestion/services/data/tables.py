"""Opens a dataset's table for reading: bounded in time, and unable to write."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ingestion.conf import warehouse_conf
from ingestion.services.data import masking
from ingestion.services.data.errors import TookTooLong, UnknownDataset, WarehouseAway
from ingestion.services.data.masking import Mask
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.names import column_name
from ingestion.sync.common.registry import crm
from ingestion.sync.common.source import Model

if TYPE_CHECKING:
    from ingestion.sync.common.warehouse import Dataset
    from ingestion.sync.load.tables.stored import StoredTable

# SQLite looks at its clock after so many steps of its machine.
STEPS: Final = 10_000


@dataclass(frozen=True)
class DatasetTable:
    """A table as it is now. ``types`` and ``fields`` (of the CRM) by column, in the table's order."""

    crm_source: str
    model: Model
    stored: StoredTable
    table: sa.Table
    types: dict[str, str]
    fields: dict[str, str]

    @property
    def dialect(self) -> str:
        return self.stored.dataset.engine.dialect.name

    @property
    def key(self) -> list[str]:
        """The columns of its key that the table has."""
        names = (self.stored.names.get(name, column_name(name)) for name in self.model.key)
        return [name for name in names if name in self.types]

    @property
    def masks(self) -> dict[str, Mask]:
        return masking.masks(self.crm_source, self.model.name, self.types)

    def hidden(self, *, personal: bool) -> set[str]:
        return masking.hidden(self.crm_source, self.model.name, self.types, personal=personal)


@contextmanager
def opened(crm_source: str, model: str) -> Iterator[DatasetTable]:
    """Raises UnknownDataset and WarehouseAway."""
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.load.tables.stored import StoredTable

    declared = known_model(crm_source, model)
    try:
        with closing(Warehouse(warehouse_conf().url)) as warehouse:
            stored = StoredTable.read(warehouse.dataset(crm_source), model)
            if stored.table is None:
                raise UnknownDataset(f"No run has loaded {crm_source}.{model} yet.")
            yield _described(crm_source, declared, stored, stored.table)
    except (SyncError, sa.exc.SQLAlchemyError) as problem:
        raise WarehouseAway("The warehouse cannot be read now.") from problem


def known_model(crm_source: str, model: str) -> Model:
    """Raises UnknownDataset."""
    try:
        return crm(crm_source).model(model)
    except LookupError as unknown:
        raise UnknownDataset(f"{unknown.args[0]}.") from unknown


def _described(crm_source: str, model: Model, stored: StoredTable, table: sa.Table) -> DatasetTable:
    from ingestion.sync.load.tables.stored import data_type_of

    types = {
        column.name: stored.types.get(column.name) or _own_type(stored, column, data_type_of)
        for column in table.columns
    }
    fields = {column: field for field, column in stored.names.items()}
    return DatasetTable(crm_source, model, stored, table, types, fields)


def _own_type(stored: StoredTable, column: sa.Column[Any], data_type_of: Any) -> str:
    kind: str = data_type_of(stored.dataset, getattr(column.type, "kind", column.type))
    return kind


@contextmanager
def reading(dataset: Dataset, seconds: float) -> Iterator[sa.Connection]:
    """A connection that cannot write, and stops a statement after its time. Raises TookTooLong."""
    with dataset.engine.connect() as connection:
        name = dataset.engine.dialect.name
        try:
            if name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
                yield connection
            elif name == "sqlite":
                with _bounded_sqlite(connection, seconds):
                    yield connection
            elif name == "duckdb":
                with _bounded_duckdb(connection, seconds):
                    yield connection
            else:
                with _bounded_mariadb(connection, seconds):
                    yield connection
        except sa.exc.DatabaseError as problem:
            if _was_stopped(problem):
                raise TookTooLong(
                    f"The warehouse did not answer within {seconds:g} s; ask for less, for instance "
                    "by a filter on the key."
                ) from problem
            raise


@contextmanager
def _bounded_sqlite(connection: sa.Connection, seconds: float) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    ends_at = time.monotonic() + seconds
    connection.exec_driver_sql("PRAGMA query_only = ON")
    driver.set_progress_handler(lambda: time.monotonic() >= ends_at, STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)
        connection.exec_driver_sql("PRAGMA query_only = OFF")


@contextmanager
def _bounded_duckdb(connection: sa.Connection, seconds: float) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    stop = threading.Timer(seconds, driver.interrupt)
    stop.start()
    try:
        yield
    finally:
        stop.cancel()


@contextmanager
def _bounded_mariadb(connection: sa.Connection, seconds: float) -> Iterator[None]:
    connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
    connection.exec_driver_sql(f"SET SESSION max_statement_time = {seconds}")
    connection.commit()  # the settings hold for the next transaction
    try:
        yield
    finally:
        connection.invalidate()  # nobody else gets it with these settings


def _was_stopped(problem: sa.exc.DatabaseError) -> bool:
    told = str(problem.orig).lower()
    return "interrupted" in told or "statement timeout" in told
