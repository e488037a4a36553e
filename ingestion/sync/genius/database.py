"""Opens Genius' database for reading: any database that SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from ingestion.sync.common.errors import CredentialsError, PermanentError
from ingestion.sync.genius.mysql_connection import MySqlConnection
from ingestion.sync.genius.settings import DATABASE_URL

EXAMPLE_URL = "mysql+pymysql://user:password@host:3306/genius"
# A page that takes longer comes from a server that hangs.
QUERY_SECONDS = 600

# Drivers that are installed, for URLs that name none.
_DRIVERS = {
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}


def database_url(text: str) -> URL:
    """Raises CredentialsError for what is no URL, and PermanentError for a file that is not there:
    SQLite would make an empty one."""
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        # The text may hold the password: it is not repeated, nor is the error that quotes it.
        raise CredentialsError(
            f"{DATABASE_URL} is not a database URL; it looks like {EXAMPLE_URL}."
        ) from None
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise PermanentError(f"{DATABASE_URL} names a file that is not there: {url.database}.")
    return url


def open_engine(url: URL, *, timeout_seconds: float, on_query: Callable[[], None]) -> Engine:
    """Every transaction sees one unchanging state of the data. ``on_query`` is called before each
    query. Raises PermanentError where the database's driver is not installed."""
    kind = url.get_backend_name()
    try:
        engine = create_engine(
            url,
            poolclass=NullPool,  # a connection must not stand idle while rows are loaded
            connect_args=connect_args(url, timeout_seconds),
            **_READ_ONLY_SNAPSHOT.get(kind, {}),
        )
    except (NoSuchModuleError, ImportError):
        raise PermanentError(
            f"{DATABASE_URL} asks for {url.drivername}, which is not installed; "
            "mysql+pymysql and postgresql+psycopg are."
        ) from None
    event.listen(engine, "before_cursor_execute", lambda *_: on_query())
    if url.get_driver_name() == "pymysql":
        event.listen(engine, "do_connect", _open_mysql)
    if kind == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin)
    return engine


_READ_ONLY_SNAPSHOT: dict[str, dict[str, Any]] = {
    "mysql": {"isolation_level": "REPEATABLE READ"},
    "mariadb": {"isolation_level": "REPEATABLE READ"},
    "postgresql": {
        "isolation_level": "REPEATABLE READ",
        "execution_options": {"postgresql_readonly": True},
    },
}


def connect_args(url: URL, timeout_seconds: float) -> dict[str, Any]:
    """What the URL itself says stands above these."""
    seconds = max(1, int(timeout_seconds))
    of_mysql = {
        "connect_timeout": seconds,
        "read_timeout": QUERY_SECONDS,
        "write_timeout": QUERY_SECONDS,
    }
    by_driver: dict[str, dict[str, Any]] = {
        "pymysql": of_mysql,
        "mysqldb": of_mysql,
        "psycopg": {"connect_timeout": seconds},
        "psycopg2": {"connect_timeout": seconds},
        "pysqlite": {"timeout": seconds},
    }
    wanted = by_driver.get(url.get_driver_name(), {})
    return {name: value for name, value in wanted.items() if name not in url.query}


def _open_mysql(_dialect: object, _record: object, _words: object, options: dict[str, Any]) -> Any:
    return MySqlConnection(**options)


def _leave_transactions_to_us(connection: Any, _record: object) -> None:
    """Python's sqlite3 begins none for a SELECT, so two pages would see two states."""
    connection.isolation_level = None
    connection.execute("PRAGMA query_only = ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
