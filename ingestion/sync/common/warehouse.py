"""Where the rows go: one engine per CRM's tables.

``WAREHOUSE_URL`` decides. SQLite and DuckDB keep each dataset (one per CRM) in a file of its own
beside the named one; PostgreSQL keeps it in a schema, MariaDB in a database of its own. Delta tables
stand in a folder; DuckDB reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from ingestion import private_files
from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    SyncBusy,
    TransientError,
)
from ingestion.sync.common.names import COLUMNS_TABLE
from ingestion.warehouse_urls import SUPPORTED, is_delta, problem_of

if TYPE_CHECKING:
    from ingestion.sync.common.files.delta_tables import Folder

# How long a writer waits for another one: SQLite has one writer per dataset.
SQLITE_BUSY_SECONDS = 120


@dataclass(frozen=True)
class Dataset:
    """One CRM's tables: an engine that reaches them, and the schema that they stand in. ``files``: of
    Delta tables; the engine knows those that were asked for."""

    name: str
    engine: sa.Engine
    schema: str | None
    files: Folder | None = None

    def has_table(self, table: str) -> bool:
        if self.files is not None:
            with delta_errors():
                return self.files.has(table)
        return self.exists and sa.inspect(self.engine).has_table(table, schema=self.schema)

    def table(self, name: str, *columns: str) -> sa.TableClause | None:
        """A table that is there, with these columns, for a question; None where there is none."""
        if not self.has_table(name):
            return None
        return sa.table(name, *map(sa.column, columns), schema=self.schema)

    def columns_of(self, table: str) -> dict[str, sa.types.TypeEngine[Any]]:
        """The columns of a table with their types, in order; none where there is no table."""
        if not (self.exists if self.files is None else self.has_table(table)):
            return {}
        try:
            found = sa.inspect(self.engine).get_columns(table, schema=self.schema)
        except sa.exc.NoSuchTableError:
            return {}
        return {column["name"]: column["type"] for column in found}

    @property
    def exists(self) -> bool:
        """Looks without creating anything."""
        if self.files is not None:
            return self.has_table(COLUMNS_TABLE)
        if self.schema is None:
            return Path(str(self.engine.url.database)).exists()
        return self.schema in sa.inspect(self.engine).get_schema_names()


class Warehouse:
    """The warehouse of one run. ``close`` gives back its connections."""

    def __init__(self, url: str) -> None:
        """Raises PermanentError when the URL cannot be used."""
        self.url = _parsed(url)
        self._given_url = url
        self._datasets: dict[str, Dataset] = {}
        self._given_back: list[Any] = []
        self.is_pooled = False  # known from the first connection that is lent

    def __repr__(self) -> str:
        return f"Warehouse({self.url.render_as_string(hide_password=True)})"

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @property
    def is_duckdb(self) -> bool:
        return self.url.get_backend_name() == "duckdb"

    @property
    def is_mariadb(self) -> bool:
        return self.url.get_backend_name() in ("mysql", "mariadb")

    @property
    def is_delta(self) -> bool:
        return is_delta(self._given_url)

    def delta_url(self, name: str) -> str:
        """Where the Delta tables of one CRM stand."""
        return f"{self._given_url.rstrip('/')}/{name}"

    def dataset(self, name: str) -> Dataset:
        """The tables of one CRM; nothing is created."""
        if name not in self._datasets:
            self._datasets[name] = self._open_dataset(name)
        return self._datasets[name]

    def prepare(self) -> None:
        """Make the folder of a SQLite warehouse, and let readers work beside a writer."""
        if not self.is_sqlite:
            return
        private_files.make_folder(Path(str(self.url.database)).parent)
        with self.main_engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection of its own, for locks."""
        with self.main_engine.connect() as connection:
            yield connection

    def lend(self) -> Any:
        """The driver's own connection, for COPY: one that was given back, or a new one."""
        if self._given_back:
            return self._given_back.pop()
        lent = self.main_engine.raw_connection()
        connection = lent.driver_connection
        lent.detach()
        return connection

    def take_back(self, connection: Any) -> None:
        """One that ``lend`` gave, as good as new: for the next model of the run."""
        self._given_back.append(connection)

    def close(self) -> None:
        for connection in self._given_back:
            connection.close()
        for dataset in self._datasets.values():
            dataset.engine.dispose()
        if not self.is_delta:
            self.main_engine.dispose()

    @cached_property
    def main_engine(self) -> sa.Engine:
        return engine_of(self.url)

    def _open_dataset(self, name: str) -> Dataset:
        if self.is_postgres:
            return Dataset(name, self.main_engine, schema=name)
        if self.is_mariadb:
            return Dataset(name, self.main_engine, schema=self._database_of(name))
        if self.is_delta:
            return _delta_dataset(name, self.delta_url(name))
        main = Path(str(self.url.database))
        # As dlt named the file of an attached dataset, in earlier releases.
        path = main.with_name(f"{main.stem}__{name}{main.suffix}")
        return Dataset(name, engine_of(self.url.set(database=str(path))), schema=None)

    def _database_of(self, name: str) -> str:
        """Of MariaDB, where a schema is a database and has its name for the whole server. Earlier
        releases named it as the CRM: what they have left is loaded on."""
        inspector = sa.inspect(self.main_engine)
        if inspector.has_table("_dlt_pipeline_state", schema=name):
            return name
        return f"{self.url.database}__{name}"


def _parsed(url: str) -> URL:
    if problem := problem_of(url):
        raise PermanentError(problem)
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except (sa.exc.ArgumentError, ValueError):
        raise PermanentError(
            f"WAREHOUSE_URL is not a database URL; supported are {SUPPORTED}."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() in ("sqlite", "duckdb"):
        return parsed.set(database=str(Path(str(parsed.database)).absolute()))
    return parsed


def engine_of(url: URL) -> sa.Engine:
    """As every connection to a warehouse is made."""
    if url.get_backend_name() == "duckdb":
        return _duckdb_engine(url)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, connect_args=_connect_args(url))
    # A writer takes the write lock at the start: a transaction that reads first and writes later
    # fails at once, without waiting, when another one has written in between.
    return sa.create_engine(
        url,
        connect_args={
            "timeout": SQLITE_BUSY_SECONDS,
            "isolation_level": "IMMEDIATE",
            "factory": private_files.PrivateConnection,
        },
    )


@contextmanager
def delta_errors() -> Iterator[None]:
    """Trouble with Delta tables as the error of a sync."""
    from ingestion.sync.common.files import delta_tables  # an extra

    try:
        yield
    except delta_tables.DeltaOvertaken as problem:
        raise SyncBusy(str(problem)) from problem
    except delta_tables.DeltaRefused as problem:
        raise CredentialsError(str(problem)) from problem
    except delta_tables.DeltaUnfit as problem:
        raise PermanentError(str(problem)) from problem
    except delta_tables.DeltaTrouble as problem:
        raise TransientError(str(problem)) from problem


def _delta_dataset(name: str, url: str) -> Dataset:
    """DuckDB in memory, which reads the tables as they are when a connection is made."""
    from ingestion.sync.common.files.delta_tables import Folder  # an extra
    from ingestion.sync.common.files.duckdb_file import CONFIG

    files = Folder(url)
    engine = sa.create_engine(
        "duckdb:///:memory:", poolclass=sa.NullPool, connect_args={"config": {**CONFIG}}
    )

    def show(connection: Any, record: Any) -> None:
        connection.execute("SET TimeZone = 'UTC'")
        with delta_errors():
            files.show(connection)

    sa.event.listen(engine, "connect", show)
    return Dataset(name, engine, schema=None, files=files)


def _duckdb_engine(url: URL) -> sa.Engine:
    """Reads, and has the file open no longer than a connection is used."""
    from ingestion.sync.common.files.duckdb_file import CONFIG, FileBusy, Readers  # an extra

    engine = sa.create_engine(
        url,
        poolclass=sa.NullPool,
        connect_args={"read_only": True, "config": {**CONFIG}},
    )
    readers = Readers(Path(str(url.database)))

    def connect(*given: Any) -> Any:
        try:
            return readers.connect(*given)
        except FileBusy as busy:
            raise SyncBusy(str(busy)) from busy

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "close", readers.close)
    return engine


def _connect_args(url: URL) -> dict[str, Any]:
    """A pooler hands the next statement to another session, which does not know what was prepared."""
    return {"prepare_threshold": None} if url.drivername == "postgresql+psycopg" else {}
