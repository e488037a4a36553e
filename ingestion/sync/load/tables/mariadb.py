"""A MariaDB warehouse: a dataset is a database of the server; rows are staged in temporary tables, by
INSERT of many rows at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.names import COLUMNS_TABLE, REJECTED_TABLE, WATERMARKS_TABLE
from ingestion.sync.common.values import Decimals
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.columns.batch import Batch
from ingestion.sync.load.columns.column_map import OF_DLT
from ingestion.sync.load.columns.hashing import text_values
from ingestion.sync.load.columns.types import (
    BY_BYTES,
    KEY_CHARACTERS,
    OF_MARIADB,
    Dialect,
    declared,
    key_declared,
    of_mariadb,
)
from ingestion.sync.load.tables.literals import inserts
from ingestion.sync.load.tables.session import Row, RowRefused
from ingestion.warehouse_urls import problem_of_version

# InnoDB ends at 1 017; some are ours.
MOST_COLUMNS: Final = 985
# Numbers of https://mariadb.com/docs/server/reference/error-codes/mariadb-error-code-reference
NO_SUCH_DATABASE, NO_SUCH_TABLE, TWICE, BEING_DEFINED = 1049, 1146, 1062, 1684
# So often, so long a table is looked at that another run is just making.
TRIES: Final = 100
TRY_EVERY_SECONDS: Final = 0.1
# Too long, out of range, no value of the type, a row or a packet too large, a constraint.
REFUSALS: Final = frozenset(
    {1048, 1118, 1153, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1713, 4025, TWICE}
)
SETTINGS: Final = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT',"
    " time_zone = '+00:00',"
    # A table with more columns than a full row has room for: what does not fit is in _overflow.
    " innodb_strict_mode = OFF,"
    # So long a definition waits for somebody who reads the table: else it is a day.
    " lock_wait_timeout = 120,"
    # A connection may wait for a slow CRM as long as by default: some servers cut it sooner.
    " wait_timeout = 28800"
)
_MISFIT_VALUES: Final = (
    f"REPLACE(REGEXP_REPLACE(JSON_NORMALIZE({{}}) COLLATE {BY_BYTES},"
    " '\\{{\"reason\":\"[a-z_]+\",\"value\":', ''), '}}', '')"
)
# As SHOW COLUMNS names what ``declared`` writes.
OURS: Final = frozenset(
    {
        ("bigint(20)", None),
        ("double", None),
        ("decimal(65,20)", None),
        ("tinyint(1)", None),
        ("datetime(6)", None),
        ("date", None),
        ("time(6)", None),
        ("longblob", None),
        ("longtext", BY_BYTES),
        ("longtext", "utf8mb4_bin"),
        *((f"varchar({KEY_CHARACTERS // keys})", BY_BYTES) for keys in range(1, 9)),
    }
)


class MariadbSession:
    """Keeps the Session contract. Each definition commits what was written before it."""

    dialect: Dialect = "mariadb"
    most_columns = MOST_COLUMNS
    decimals: Decimals | None = OF_MARIADB
    can_publish = False

    def __init__(self, warehouse: Warehouse, crm: str, model: str, *, is_dry: bool) -> None:
        """Raises PermanentError for another server than MariaDB."""
        self.is_dry = is_dry
        self._model = model
        self._warehouse = warehouse
        self._schema = str(warehouse.dataset(crm).schema)
        self._place = str(warehouse.url.database)  # of what is temporary
        self._stages: list[str] = []
        self._is_imagined = self._is_in_transaction = False
        self._errors: Any = warehouse.main_engine.dialect.loaded_dbapi
        self._connection = warehouse.lend()
        self._cursor = self._connection.cursor()
        if not self._connection.get_autocommit():  # a new one
            self._connection.autocommit(True)
            ((version,),) = self.rows("SELECT version()")
            if problem := problem_of_version(version):
                self._connection.close()
                raise PermanentError(problem)
            self.execute(f"SET NAMES utf8mb4 COLLATE {BY_BYTES}")
            self.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            self.execute(SETTINGS)
        ((self._packet_bytes,),) = self.rows("SELECT @@max_allowed_packet")

    def take_lock(self, number: int) -> bool:
        ((is_taken,),) = self.rows("SELECT GET_LOCK(?, 0)", (_lock_name(number),))
        return bool(is_taken)

    def release_lock(self, number: int) -> None:
        with suppress(self._errors.Error):
            self.rows("SELECT RELEASE_LOCK(?)", (_lock_name(number),))

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        if self.is_dry and statement.startswith("CREATE TABLE"):
            statement = statement.replace("CREATE TABLE", "CREATE TEMPORARY TABLE", 1)
        self._send(statement, parameters)
        return max(int(self._cursor.rowcount), 0)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        self._send(statement, parameters)
        return list(self._cursor.fetchall())

    def _send(self, statement: str, parameters: Sequence[Any]) -> None:
        if parameters:
            statement = statement.replace("%", "%%").replace("?", "%s")
        self._cursor.execute(statement, tuple(parameters) or None)

    def make_unique(self, table: str, name: str, keys: Sequence[str]) -> bool:
        """Its texts become short enough for an index where they are not."""
        if self.rows(f"SHOW INDEX FROM {table} WHERE Key_name = ?", (name,)):
            return True
        found = {row[0]: row for row in self._described(table)}
        changes = [
            f"MODIFY {self.quote(key)} {key_declared(key, 'text', self.dialect, keys)}"
            for key in keys
            if found[key][1].endswith(("text", "char"))
        ]
        index = f"ADD UNIQUE INDEX {self.quote(name)} ({', '.join(map(self.quote, keys))})"
        try:
            self.execute(f"ALTER TABLE {table} {', '.join([*changes, index])}")
        except self._errors.IntegrityError as problem:
            if _number_of(problem) != TWICE:
                raise
            return False
        return True

    def drop_unique(self, table: str, name: str) -> None:
        self.execute(f"ALTER TABLE {table} DROP INDEX {self.quote(name)}")

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        """A definition ends it and begins another one. ``rollback``: of a dry run, which works on
        copies of its tables, that end with the connection."""
        if rollback:
            self._copy_tables()
            yield
        elif self._is_in_transaction:
            with self._savepoint():
                yield
        else:
            self._connection.autocommit(False)
            self._is_in_transaction = True
            try:
                yield
                self._connection.commit()
            except BaseException:
                with suppress(self._errors.Error):  # a connection that was cut has nothing left
                    self._connection.rollback()
                raise
            finally:
                self._is_in_transaction = False
                with suppress(self._errors.Error):
                    self._connection.autocommit(True)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self.execute("SAVEPOINT inside")
        try:
            yield
        except BaseException:
            with suppress(self._errors.Error):
                self.execute("ROLLBACK TO SAVEPOINT inside")
            raise

    def _copy_tables(self) -> None:
        """A temporary table stands before the one of its name."""
        if not self.has_dataset:
            return
        for name in (self._model, COLUMNS_TABLE, WATERMARKS_TABLE, REJECTED_TABLE):
            if self.columns_of(name):
                table, copy = self.table(name), self.table(f"_dry_{name}"[:64])
                self.execute(f"CREATE TEMPORARY TABLE {copy} LIKE {table}")
                self.execute(f"INSERT INTO {copy} SELECT * FROM {table}")
                self.execute(f"ALTER TABLE {copy} RENAME TO {table}")

    def using_dataset(self, *, writes: bool = False) -> AbstractContextManager[None]:
        return nullcontext()

    def moment(self, at: datetime) -> Any:
        return at.astimezone(UTC).replace(tzinfo=None)

    def differs(self, one: str, other: str) -> str:
        return f"NOT ({one} <=> {other})"

    def misfits_differ(self, one: str, other: str) -> str:
        """Compares what is left of their texts without the words of a reason."""
        values = self.differs(*(_MISFIT_VALUES.format(misfits) for misfits in (one, other)))
        return f"({self.differs(one, other)} AND {values})"

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def table(self, name: str) -> str:
        return f"{self.quote(self._schema)}.{self.quote(name)}"

    def staged(self, stage: str) -> str:
        return f"{self.quote(self._place)}.{self.quote(f'staged_{stage}')}"

    @property
    def has_dataset(self) -> bool:
        return self._is_imagined or bool(
            self.rows(
                "SELECT 1 FROM information_schema.schemata WHERE schema_name = ?", (self._schema,)
            )
        )

    def create_dataset(self) -> None:
        if self.is_dry and not self.has_dataset:
            self._schema, self._is_imagined = self._place, True
        elif not self.has_dataset:
            self.execute(
                f"CREATE DATABASE IF NOT EXISTS {self.quote(self._schema)}"
                f" CHARACTER SET utf8mb4 COLLATE {BY_BYTES}"
            )

    def columns_of(self, table: str) -> dict[str, str]:
        return {row[0]: of_mariadb(row[1], row[2]) for row in self._described(self.table(table))}

    def _described(self, table: str) -> list[Row]:
        """Of each column of a qualified table: name, type, collation, null, key …"""
        for left in reversed(range(TRIES)):
            try:
                return self.rows(f"SHOW FULL COLUMNS FROM {table}")
            except self._errors.Error as problem:
                number = _number_of(problem)
                if number in (NO_SUCH_DATABASE, NO_SUCH_TABLE):
                    break
                if number != BEING_DEFINED or not left:
                    raise
                time.sleep(TRY_EVERY_SECONDS)
        return []

    def add_column(self, table: str, name: str, data_type: str) -> None:
        kind = declared(data_type, self.dialect)
        self.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {self.quote(name)} {kind}")

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        """Views follow by themselves."""
        self._retype(self.table(table), types)
        return []

    def retype_staged(self, types: Mapping[str, str]) -> None:
        self._retype(self.staged("rows"), types)

    def _retype(self, table: str, types: Mapping[str, str]) -> None:
        found = {row[0]: row for row in self._described(table)}
        keys = [name for name, row in found.items() if row[4]]
        for name, data_type in types.items():
            column, is_key = self.quote(name), name in keys
            kind = (key_declared(name, data_type, self.dialect, keys)) if is_key else None
            self.execute(
                f"ALTER TABLE {table} MODIFY {column} {kind or declared(data_type, self.dialect)}"
            )
            if data_type == "text" and found[name][1].startswith("decimal"):
                # Zeros that say nothing belong to the declaration of a number, not to the number.
                bare = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {column}))"
                self.execute(f"UPDATE {table} SET {column} = {bare} WHERE {column} LIKE '%.%'")

    def adopt(self, table: str, types: Mapping[str, str]) -> None:
        for name, kind, _collation, null, *_ in self._described(self.table(table)):
            if name in OF_DLT and null == "NO":
                self.execute(
                    f"ALTER TABLE {self.table(table)} MODIFY {self.quote(name)} {kind} NULL"
                )
        # Where that release staged its rows.
        staging = self.quote(f"{self._schema}_staging_{table}")
        self.execute(f"DROP DATABASE IF EXISTS {staging}")

    def narrowed(self, table: str) -> dict[str, str]:
        described = self._described(self.table(table))
        return {row[0]: row[1] for row in described if (row[1], row[2]) not in OURS}

    def create_stage(
        self,
        stage: str,
        columns: Mapping[str, str],
        *,
        keys: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        named = [
            f"{self.quote(name)} "
            + (
                key_declared(name, kind, self.dialect, keys)
                if name in keys
                else declared(kind, self.dialect)
            )
            for name, kind in columns.items()
        ]
        if keys and stage != "rows":  # these get theirs when all have come
            named.append(f"INDEX ({', '.join(map(self.quote, keys))})")
        self.execute(f"DROP TEMPORARY TABLE IF EXISTS {self.staged(stage)}")
        self.execute(f"CREATE TEMPORARY TABLE {self.staged(stage)} ({', '.join(named)})")
        self._stages.append(stage)

    def stage(self, stage: str, batch: Batch) -> None:
        names = ", ".join(map(self.quote, batch.texts))
        try:
            with self.transaction():
                for values in inserts(batch.texts, batch.types, self._packet_bytes):
                    self.execute(f"INSERT INTO {self.staged(stage)} ({names}) VALUES {values}")
        except self._errors.Error as refused:
            if _number_of(refused) not in REFUSALS:
                raise
            raise RowRefused(str(refused.args[-1]).splitlines()[0]) from refused

    def values(self, array: pa.Array, data_type: str) -> list[Any]:
        if data_type in ("bool", "binary"):
            found: list[Any] = array.to_pylist()
            return found
        return text_values(array, data_type)

    def insert(self, stage: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names, marks = ", ".join(map(self.quote, columns)), ", ".join(["%s"] * len(columns))
        with self.transaction():
            self._cursor.executemany(
                f"INSERT INTO {self.staged(stage)} ({names}) VALUES ({marks})", list(rows)
            )

    def publish(self, table: str) -> None:
        """Raises RuntimeError: temporary tables cannot leave their connection."""
        raise RuntimeError("MariaDB cannot make a table of staged rows: ask can_publish first.")

    def prepare_merge(self) -> None:
        """InnoDB estimates by looking into the indexes."""

    def drop_stages(self) -> None:
        for stage in self._stages:
            self.execute(f"DROP TEMPORARY TABLE IF EXISTS {self.staged(stage)}")
        self._stages = []

    def close(self) -> None:
        """The connection is another model's then, unless something of this one is left in it."""
        if self._stages or self.is_dry or self._is_in_transaction:
            with suppress(self._errors.Error):
                self._connection.close()
            return
        self._cursor.close()
        self._warehouse.take_back(self._connection)


def _lock_name(number: int) -> str:
    """One of the server's, for all databases."""
    return f"ingestion:{number}"


def _number_of(problem: BaseException) -> Any:
    return problem.args[0] if problem.args else None
