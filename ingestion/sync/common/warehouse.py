"""Where the rows go: the engine that compares with them, and the dlt destination that loads them.

``WAREHOUSE_URL`` decides. SQLite keeps each dataset (one per CRM) in a file of its own beside the
named one; PostgreSQL and others keep it in a schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dlt
import sqlalchemy as sa
from dlt.common.destination import Destination
from sqlalchemy.engine import URL, make_url

from ingestion.sync.common.errors import PermanentError

# How long a writer waits for another one: SQLite has one writer per dataset.
SQLITE_BUSY_SECONDS = 120
# PostgreSQL's limit; longer names are cut with a tag, the same in every warehouse.
MAX_IDENTIFIER_LENGTH = 63
# dlt asks for a password even where the server trusts us or reads it from elsewhere.
NO_PASSWORD = "none"  # noqa: S105


@dataclass(frozen=True)
class Dataset:
    """One CRM's tables: an engine that reaches them, and the schema that they stand in."""

    name: str
    engine: sa.Engine
    schema: str | None

    def has_table(self, table: str) -> bool:
        return self.exists and sa.inspect(self.engine).has_table(table, schema=self.schema)

    def columns_of(self, table: str) -> dict[str, sa.types.TypeEngine[Any]]:
        """The columns of a table with their types, in order; none where there is no table."""
        if not self.exists:
            return {}
        try:
            found = sa.inspect(self.engine).get_columns(table, schema=self.schema)
        except sa.exc.NoSuchTableError:
            return {}
        return {column["name"]: column["type"] for column in found}

    @property
    def exists(self) -> bool:
        """Looks without creating anything."""
        if self.engine.dialect.name == "sqlite":
            return Path(str(self.engine.url.database)).exists()
        return self.schema in sa.inspect(self.engine).get_schema_names()


class Warehouse:
    """The warehouse of one run. ``close`` gives back its connections."""

    def __init__(self, url: str) -> None:
        """Raises PermanentError when the URL cannot be used."""
        self.url = _parsed(url)
        self._datasets: dict[str, Dataset] = {}

    def __repr__(self) -> str:
        return f"Warehouse({self.url.render_as_string(hide_password=True)})"

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def is_postgres(self) -> bool:
        return self.url.get_backend_name() == "postgresql"

    @property
    def location(self) -> str:
        """Where it is, in words and without a password."""
        if self.is_sqlite:
            return str(self.url.database)
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.url.get_backend_name()} at {self.url.host or 'localhost'}{port}/{self.url.database}"

    def dataset(self, name: str) -> Dataset:
        """The tables of one CRM; nothing is created."""
        if name not in self._datasets:
            self._datasets[name] = self._open_dataset(name)
        return self._datasets[name]

    def destination(self, *, staging_layout: str) -> Destination[Any, Any]:
        """Where dlt loads to. ``staging_layout`` names the staging dataset, ``%s`` the dataset:
        pipelines that share one lose rows (dlt #4297)."""
        if self.is_postgres:
            return dlt.destinations.postgres(
                _dlt_postgres_url(self.url), staging_dataset_name_layout=staging_layout
            )
        return dlt.destinations.sqlalchemy(
            self._main_engine, staging_dataset_name_layout=staging_layout
        )

    def prepare(self) -> None:
        """Make the folder of a SQLite warehouse, and let readers work beside a writer."""
        if not self.is_sqlite:
            return
        Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        with self._main_engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection of its own, for locks."""
        with self._main_engine.connect() as connection:
            yield connection

    def close(self) -> None:
        for dataset in self._datasets.values():
            dataset.engine.dispose()
        self._main_engine.dispose()

    @cached_property
    def _main_engine(self) -> sa.Engine:
        return _engine(self.url)

    def _open_dataset(self, name: str) -> Dataset:
        if not self.is_sqlite:
            return Dataset(name, self._main_engine, schema=name)
        main = Path(str(self.url.database))
        # The file name that dlt gives to an attached dataset.
        path = main.with_name(f"{main.stem}__{name}{main.suffix}")
        return Dataset(name, _engine(self.url.set(database=str(path))), schema=None)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        parsed.get_dialect().import_dbapi()
    except sa.exc.NoSuchModuleError:
        backend = url.split(":", 1)[0].split("+", 1)[0]
        raise PermanentError(
            f"WAREHOUSE_URL names {backend!r}, for which no SQLAlchemy dialect is installed: "
            "install its package, or use sqlite:///path or postgresql://user:password@host/name."
        ) from None
    except ImportError as missing:
        raise PermanentError(
            f"The driver of WAREHOUSE_URL is not installed: {missing.name}."
        ) from missing
    except (sa.exc.ArgumentError, ValueError):
        raise PermanentError(
            "WAREHOUSE_URL is not a database URL: use sqlite:///path or "
            "postgresql://user:password@host/name."
        ) from None
    return _with_a_place(parsed)


def _with_a_place(url: URL) -> URL:
    if url.get_backend_name() != "sqlite":
        return url
    if url.database in (None, "", ":memory:"):
        raise PermanentError(
            "WAREHOUSE_URL names a SQLite database in memory, which ends with the process: "
            "name a file, e.g. sqlite:////var/lib/warehouse/warehouse.sqlite3."
        )
    return url.set(database=str(Path(str(url.database)).absolute()))


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True)
    # A writer takes the write lock at the start: a transaction that reads first and writes later
    # fails at once, without waiting, when another one has written in between.
    return sa.create_engine(
        url, connect_args={"timeout": SQLITE_BUSY_SECONDS, "isolation_level": "IMMEDIATE"}
    )


def _dlt_postgres_url(url: URL) -> str:
    known = url.set(
        drivername="postgresql",
        username=url.username or "postgres",
        password=url.password or NO_PASSWORD,
        # A socket's folder stands in the query, where it wins over the host.
        host=url.host or "localhost",
        port=url.port or 5432,
    )
    return known.render_as_string(hide_password=False)
