"""A PostgreSQL warehouse: rows are staged by COPY, in temporary tables; those of a first load in a
schema of their own, where they become the table."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, cast

import psycopg
import pyarrow as pa
from psycopg import errors, sql
from psycopg.pq import TransactionStatus
from pyarrow import csv

from ingestion.sync.common.locks import HeldLock
from ingestion.sync.common.names import MAX_IDENTIFIER_LENGTH
from ingestion.sync.common.values import Decimals
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.columns.batch import SEQUENCE, Batch
from ingestion.sync.load.columns.column_map import FACTS, OF_DLT
from ingestion.sync.load.columns.hashing import text_values
from ingestion.sync.load.columns.types import Dialect, declared, is_narrow, of_postgresql
from ingestion.sync.load.tables.session import Row, RowRefused
from ingestion.sync.load.tables.views import without_views

# PostgreSQL ends at 1 600; some are ours.
MOST_COLUMNS: Final = 1_585
REFUSALS: Final = (errors.DataError, errors.ProgramLimitExceeded, errors.IntegrityError)
_MISFIT_VALUES: Final = (
    "(SELECT jsonb_object_agg(key, CASE WHEN value -> 'reason' IS NULL THEN value"
    " ELSE coalesce(value -> 'value', value) END) FROM jsonb_each({}::text::jsonb))"
)
CSV: Final = csv.WriteOptions(include_header=False)


class PostgresSession:
    """Keeps the Session contract."""

    dialect: Dialect = "postgresql"
    most_columns = MOST_COLUMNS
    decimals: Decimals | None = None

    def __init__(self, warehouse: Warehouse, crm: str, model: str, *, is_dry: bool) -> None:
        self.is_dry = is_dry
        self.can_publish = not is_dry
        self._schema, self._model = crm, model
        self._stages: list[str] = []
        self._planned: dict[str, str] = {}
        self.held: HeldLock | None = None
        self._published: str | None = None  # the stage that will become the table
        self._warehouse = warehouse
        self._connection = cast("psycopg.Connection[Row]", warehouse.lend())
        if not self._connection.autocommit:  # a new one
            self._connection.rollback()
            self._connection.autocommit = True
            # What has no zone in a text is in UTC. What is staged need not outlive the server.
            self._connection.execute("SET TIME ZONE 'UTC'")
            warehouse.is_pooled = self._meets_other_sessions()
            if not warehouse.is_pooled:  # there, others would find it in their session
                self._connection.execute(
                    "SET client_min_messages = warning; SET synchronous_commit = off"
                )
        self._cursor = self._connection.cursor()
        if is_dry and self.is_pooled:
            # Temporary tables stay in one session, and so does a transaction.
            self._cursor.execute("BEGIN")

    def _meets_other_sessions(self) -> bool:
        """A pooler gives its clients process ids of its own."""
        found = self._connection.execute("SELECT pg_backend_pid()").fetchone()
        return found is None or found[0] != self._connection.info.backend_pid

    @property
    def is_pooled(self) -> bool:
        return self._warehouse.is_pooled

    def take_lock(self, number: int) -> bool:
        ((is_taken,),) = self.rows("SELECT pg_try_advisory_lock(?)", (number,))
        return bool(is_taken)

    def release_lock(self, number: int) -> None:
        with suppress(psycopg.Error):
            self.rows("SELECT pg_advisory_unlock(?)", (number,))

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self._cursor.execute(_query(statement, parameters), tuple(parameters) or None)
        return max(self._cursor.rowcount, 0)

    def make_unique(self, table: str, name: str, keys: Sequence[str]) -> bool:
        index, columns = self.quote(name), ", ".join(map(self.quote, keys))
        try:
            with self._connection.transaction():
                self.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {table} ({columns})")
        except errors.UniqueViolation:
            return False
        return True

    def drop_unique(self, table: str, name: str) -> None:
        place = table.rpartition(".")[0]  # an index stands where its table does
        self.execute(f"DROP INDEX {place}.{self.quote(name)}")

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        self._cursor.execute(_query(statement, parameters), tuple(parameters) or None)
        return self._cursor.fetchall()

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        is_outermost = self._connection.info.transaction_status == TransactionStatus.IDLE
        with self._connection.transaction(force_rollback=rollback):
            if is_outermost:
                self._connection.execute("SET LOCAL synchronous_commit TO DEFAULT")
                if self.held is not None:
                    self.held.fence(self.rows)
            yield

    def using_dataset(self, *, writes: bool = False) -> AbstractContextManager[None]:
        return nullcontext()

    def moment(self, at: datetime) -> Any:
        return at

    def differs(self, one: str, other: str) -> str:
        return f"{one} IS DISTINCT FROM {other}"

    def misfits_differ(self, one: str, other: str) -> str:
        values = self.differs(*(_MISFIT_VALUES.format(misfits) for misfits in (one, other)))
        return f"({self.differs(one, other)} AND {values})"

    def quote(self, name: str) -> str:
        return sql.Identifier(name).as_string(None)

    def table(self, name: str) -> str:
        return f"{self.quote(self._schema)}.{self.quote(name)}"

    def staged(self, stage: str) -> str:
        if stage in self._planned:  # it is made when it is first wanted: most never are
            self.execute(self._planned.pop(stage))
            self._stages.append(stage)
        return self._stage_name(stage)

    def _stage_name(self, stage: str) -> str:
        if stage != self._published and self._has_temporary:
            return f"pg_temp.{self.quote(f'staged_{stage}')}"
        name = self._model if stage == self._published else f"{self._model}__{stage}"
        return f"{self.quote(self._staging)}.{self.quote(name[:MAX_IDENTIFIER_LENGTH])}"

    @property
    def _has_temporary(self) -> bool:
        """A temporary table is its session's; behind a pooler there is one for a transaction alone."""
        return self.is_dry or not self.is_pooled

    @property
    def has_dataset(self) -> bool:
        return self._has_schema(self._schema)

    @property
    def _staging(self) -> str:
        return f"{self._schema}_staging"

    def create_dataset(self) -> None:
        self._create_schema(self._schema)

    def columns_of(self, table: str) -> dict[str, str]:
        found = self.rows(
            "SELECT attname, format_type(coalesce(nullif(typbasetype, 0), atttypid), NULL)"
            " FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
            " WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (self.table(table),),
        )
        return {name: of_postgresql(kind) for name, kind in found}

    def add_column(self, table: str, name: str, data_type: str) -> None:
        kind = declared(data_type, self.dialect)
        self.execute(f"ALTER TABLE {table} ADD COLUMN {self.quote(name)} {kind}")

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        found = self.columns_of(table)
        with without_views(self, self.table(table)) as views:
            for name, data_type in types.items():
                self._retype(self.table(table), {name: data_type}, was=found.get(name))
        return views

    def retype_staged(self, types: Mapping[str, str]) -> None:
        self._retype(self.staged("rows"), types)

    def adopt(self, table: str, types: Mapping[str, str]) -> None:
        found = self.columns_of(table)
        for name in OF_DLT:
            if name in found:
                self.execute(
                    f"ALTER TABLE {self.table(table)} ALTER {self.quote(name)} DROP NOT NULL"
                )
        # Where that release staged its rows.
        self.execute(f"DROP SCHEMA IF EXISTS {self.quote(f'{self._staging}_{table}')} CASCADE")

    def narrowed(self, table: str) -> dict[str, str]:
        found = self.rows(
            "SELECT attname, format_type(atttypid, atttypmod), format_type(atttypid, NULL)"
            " FROM pg_attribute WHERE attrelid = to_regclass(?) AND attnum > 0"
            " AND NOT attisdropped",
            (self.table(table),),
        )
        return {name: told for name, told, kind in found if told != kind or is_narrow(kind)}

    def _retype(self, table: str, types: Mapping[str, str], *, was: str | None = None) -> None:
        for name, data_type in types.items():
            column, kind = self.quote(name), declared(data_type, self.dialect)
            # Zeros that say nothing belong to the declaration of a number, not to the number.
            value = f"trim_scale({column})" if (was, data_type) == ("decimal", "text") else column
            self.execute(f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {value}::{kind}")

    def create_stage(
        self,
        stage: str,
        columns: Mapping[str, str],
        *,
        keys: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        # An unlogged table would be written to disk at once, which takes longer than a small load.
        kind = "" if defaults is not None else "TEMP" if self._has_temporary else "UNLOGGED"
        if defaults is not None:
            self._published = stage
        if kind != "TEMP":
            self._create_schema(self._staging)
            self.execute(f"DROP TABLE IF EXISTS {self._stage_name(stage)}")
        default = {
            name: f" DEFAULT {sql.Literal(value).as_string(self._connection)}"
            for name, value in (defaults or {}).items()
        }
        named = ", ".join(
            f"{self.quote(name)} {declared(data_type, self.dialect)}{default.get(name, '')}"
            for name, data_type in columns.items()
        )
        self._planned[stage] = f"CREATE {kind} TABLE {self._stage_name(stage)} ({named})"
        if self.is_dry:  # made within the load, it would end with the load
            self.staged(stage)

    def stage(self, stage: str, batch: Batch) -> None:
        names = ", ".join(self.quote(name) for name in batch.texts)
        written = io.BytesIO()
        csv.write_csv(pa.table(dict(batch.texts)), written, CSV)
        into = f"COPY {self.staged(stage)} ({names}) FROM STDIN (FORMAT csv)"
        try:
            with self._apart(), self._cursor.copy(_query(into)) as copy:
                copy.write(written.getbuffer())
        except REFUSALS as refused:
            raise RowRefused(str(refused).splitlines()[0]) from refused

    def _apart(self) -> AbstractContextManager[Any]:
        """Refused rows must not end the one transaction of a dry run behind a pooler."""
        return self._connection.transaction() if self.is_dry and self.is_pooled else nullcontext()

    def values(self, array: pa.Array, data_type: str) -> list[Any]:
        return text_values(array, data_type)

    def insert(self, stage: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(self.quote(name) for name in columns)
        with self._cursor.copy(_query(f"COPY {self.staged(stage)} ({names}) FROM STDIN")) as copy:
            for row in rows:
                copy.write_row(row)

    def publish(self, table: str) -> None:
        staged = self.staged("rows")
        for name in FACTS:
            self.execute(f"ALTER TABLE {staged} ALTER {self.quote(name)} DROP DEFAULT")
        self.execute(f"ALTER TABLE {staged} DROP COLUMN {self.quote(SEQUENCE)}")
        self.execute(f"ALTER TABLE {staged} SET SCHEMA {self.quote(self._schema)}")
        self._stages.remove("rows")

    def prepare_merge(self) -> None:
        self.execute(f"ANALYZE {self.staged('rows')}")

    def drop_stages(self) -> None:
        if self._stages:
            names = ", ".join(map(self.staged, self._stages))
            self.execute(f"DROP TABLE IF EXISTS {names}")
        self._stages, self._planned = [], {}

    def close(self) -> None:
        """The connection is another model's then, unless something of this one is left in it."""
        is_idle = self._connection.info.transaction_status == TransactionStatus.IDLE
        if is_idle and not self._stages and not self.is_dry:
            self._cursor.close()
            self._warehouse.take_back(self._connection)
        else:
            self._connection.close()

    def _has_schema(self, name: str) -> bool:
        return bool(self.rows("SELECT 1 FROM pg_namespace WHERE nspname = ?", (name,)))

    def _create_schema(self, name: str) -> None:
        """Two that create the same at once fail, also with IF NOT EXISTS."""
        if self._has_schema(name):
            return
        number = int.from_bytes(
            blake2b(f"schema:{name}".encode(), digest_size=8).digest(), signed=True
        )
        with self.transaction():
            self.execute("SELECT pg_advisory_xact_lock(?)", (number,))
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {self.quote(name)}")


def _query(statement: str, parameters: Sequence[Any] = ()) -> sql.SQL:
    """Statements are made of quoted names and fixed words; values come as parameters."""
    if parameters:
        statement = statement.replace("%", "%%").replace("?", "%s")
    return sql.SQL(statement)
