"""Empty PostgreSQL databases for tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

CREATE = sql.SQL("CREATE DATABASE {}")
# What a test writes need not survive a power cut, and each commit would wait for the disk.
WAIT_FOR_NO_DISK = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off")
DROP = sql.SQL("DROP DATABASE {} WITH (FORCE)")
THROW_OUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
SCHEMAS = r"""SELECT nspname FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'"""


class PostgresDatabases:
    """Emptied and lent again: to create and to drop a database waits for the disk again and again.

    Raises psycopg.OperationalError where no server answers.
    """

    def __init__(self, server_url: str) -> None:
        self._base = server_url.rsplit("/", 1)[0]
        self._admin = psycopg.connect(server_url, autocommit=True, connect_timeout=3)
        self._free: list[str] = []

    @contextmanager
    def lend(self) -> Iterator[Callable[[], str]]:
        """Gives URLs of empty databases, for as long as the context lasts."""
        lent: list[str] = []

        def new_database() -> str:
            lent.append(self._free.pop() if self._free else self._create())
            return self._url(lent[-1])

        yield new_database
        for name in lent:
            self._empty(name)
            self._free.append(name)

    def close(self) -> None:
        for name in self._free:
            self._admin.execute(DROP.format(sql.Identifier(name)))
        self._admin.close()

    def _url(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _create(self) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        for statement in (CREATE, WAIT_FOR_NO_DISK):
            self._admin.execute(statement.format(sql.Identifier(name)))
        return name

    def _empty(self, name: str) -> None:
        self._admin.execute(THROW_OUT, [name])
        with psycopg.connect(self._url(name)) as connection:
            for (schema,) in connection.execute(SCHEMAS).fetchall():
                drop = sql.SQL("DROP SCHEMA {} CASCADE")
                connection.execute(drop.format(sql.Identifier(schema)))
            connection.execute("CREATE SCHEMA public")
