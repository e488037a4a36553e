"""The faults that a database can have: it is locked, or somebody has altered a table.

There is no HTTP in between, so nothing is counted: a fault lasts until it is ended.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from sqlalchemy import Connection, inspect
from sqlalchemy.engine import Engine

TABLE = "prospect"
NEW = "added_by_fault"
# A column that is renamed, and one that holds text in place of numbers.
VANISHED, RETYPED = "county", "year_built"
ASIDE = "_before_fault"
OTHER_VALUE = "not known"


class GeniusFaults:
    """``errors`` locks the file, so that nobody can read; ``column`` alters the table of prospects.
    Only SQLite's file can be locked from here; another server's tables can be altered."""

    NAMES: ClassVar[frozenset[str]] = frozenset({"errors", "column"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_force: frozenset[str] = frozenset()
        self._file_lock: sqlite3.Connection | None = None
        self._lock = threading.RLock()

    def set(self, faults: frozenset[str]) -> None:
        """Have these faults and no others. Repairs a table that a killed process left altered, too."""
        with self._lock:
            self._unlock()
            self._restore_columns()
            self._in_force = faults
            self._begin()

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Inside, the database has no faults: the sandbox itself has to read and change it."""
        with self._lock:
            faults = self._in_force
            if faults:
                self.set(frozenset())
            try:
                yield
            finally:
                if faults:
                    self.set(faults)

    def _begin(self) -> None:
        if "column" in self._in_force:
            self._alter_columns()
        if "errors" in self._in_force:
            self._lock_file()

    def _lock_file(self) -> None:
        """The mode locks readers out as well, whom a write lock alone admits."""
        file = self._engine.url.database
        if self._engine.dialect.name != "sqlite" or file is None:
            raise NotImplementedError("only SQLite's file can be locked from here")
        connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
        connection.isolation_level = None
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        self._file_lock = connection

    def _unlock(self) -> None:
        if self._file_lock is not None:
            self._file_lock.close()
            self._file_lock = None

    def _alter_columns(self) -> None:
        with self._engine.begin() as connection:
            _alter(connection, f"RENAME COLUMN {VANISHED} TO {VANISHED}{ASIDE}")
            _alter(connection, f"RENAME COLUMN {RETYPED} TO {RETYPED}{ASIDE}")
            _alter(connection, f"ADD COLUMN {RETYPED} VARCHAR(20)")
            _alter(connection, f"ADD COLUMN {NEW} VARCHAR(20)")
            connection.exec_driver_sql(
                f"UPDATE {TABLE} SET {NEW} = 'new', {RETYPED} = '{OTHER_VALUE}'"  # noqa: S608
            )

    def _restore_columns(self) -> None:
        if not inspect(self._engine).has_table(TABLE):
            return
        found = {column["name"] for column in inspect(self._engine).get_columns(TABLE)}
        if NEW not in found:
            return
        with self._engine.begin() as connection:
            _alter(connection, f"DROP COLUMN {NEW}")
            _alter(connection, f"DROP COLUMN {RETYPED}")
            for name in (VANISHED, RETYPED):
                _alter(connection, f"RENAME COLUMN {name}{ASIDE} TO {name}")


def _alter(connection: Connection, change: str) -> None:
    connection.exec_driver_sql(f"ALTER TABLE {TABLE} {change}")
