"""A DuckDB warehouse: a dataset is a file; rows are staged in temporary tables of a database in
memory, and the file is open only while something is looked up or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import duckdb
import pyarrow as pa

from ingestion import private_files
from ingestion.sync.common.errors import SyncBusy
from ingestion.sync.common.files import duckdb_file
from ingestion.sync.common.names import MISFITS
from ingestion.sync.common.values import Decimals
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.columns.batch import Batch
from ingestion.sync.load.columns.hashing import text_values
from ingestion.sync.load.columns.types import DECLARED, OF_DUCKDB, Dialect, declared, of_duckdb
from ingestion.sync.load.tables.session import Row, RowRefused

# DuckDB has no limit of its own; each column of a table that is written takes some memory.
MOST_COLUMNS: Final = 1_500
# What is beyond it goes to files.
MEMORY: Final = "1GB"
DATASET: Final = "_dataset"
FROM_DECIMAL: Final = ("decimal", "text")
BATCH: Final = "_batch"
REFUSALS: Final = (duckdb.DataError, duckdb.IntegrityError, duckdb.InvalidInputException)
_MISFIT_VALUES: Final = (
    "list_transform(map_entries(CAST({} AS MAP(VARCHAR, JSON))), lambda entry: entry.key || '=' ||"
    " CAST(CASE WHEN json_exists(entry.value, '$.reason') AND json_exists(entry.value, '$.value')"
    " THEN json_extract(entry.value, '$.value') ELSE entry.value END AS VARCHAR))"
)


class DuckdbSession:
    """Keeps the Session contract."""

    dialect: Dialect = "duckdb"
    most_columns = MOST_COLUMNS
    decimals: Decimals | None = OF_DUCKDB
    can_publish = False

    def __init__(self, warehouse: Warehouse, crm: str, model: str, *, is_dry: bool) -> None:
        self._begin(f"{crm}.{model}", is_dry=is_dry)
        self._path = Path(str(warehouse.dataset(crm).engine.url.database))
        # Where it is there already a dry run looks into it, too.
        self._is_imagined = is_dry and not self._path.exists()
        self._may_read = self._may_write = self._is_imagined
        if self._is_imagined:
            self._connection.execute(f"ATTACH ':memory:' AS {DATASET}")

    def _begin(self, name: str, *, is_dry: bool) -> None:
        """A database in memory, which has no dataset yet."""
        self.is_dry = is_dry
        self._name = name
        self._opened = ExitStack()
        self._is_in_transaction = False
        self._spilled = self._opened.enter_context(TemporaryDirectory(prefix="duckdb-"))
        config = {**duckdb_file.CONFIG, "memory_limit": MEMORY, "temp_directory": self._spilled}
        self._connection = duckdb.connect(":memory:", config=config)
        self._opened.callback(self._connection.close)
        self._connection.execute("SET TimeZone = 'UTC'; SET integer_division = true")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        found = self._answer(statement, parameters)
        is_count = found and isinstance(found[0][0], int)
        return int(found[0][0]) if is_count else 0

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._answer(statement, parameters)

    def _answer(self, statement: str, parameters: Sequence[Any]) -> list[Row]:
        with ExitStack() as stack:
            if f"{DATASET}." in statement:
                stack.enter_context(self.using_dataset())
            return self._connection.execute(statement, list(parameters)).fetchall()

    def make_unique(self, table: str, name: str, keys: Sequence[str]) -> bool:
        """Makes none: an index of DuckDB forbids to change its table's columns, and rows of a key
        that was deleted in the same transaction."""
        columns = ", ".join(map(self.quote, keys))
        there = " AND ".join(f"{self.quote(key)} IS NOT NULL" for key in keys)
        twice = f"SELECT 1 FROM {table} WHERE {there} GROUP BY {columns} HAVING count(*) > 1"
        return not self.rows(f"{twice} LIMIT 1")

    def drop_unique(self, table: str, name: str) -> None:
        """There is none."""

    @contextmanager
    def using_dataset(self, *, writes: bool = False) -> Iterator[None]:
        if self._may_write or (self._may_read and not writes) or not (writes or self.has_dataset):
            yield
            return
        if self._may_read:
            raise RuntimeError("a dataset that is open to be read cannot be written")
        if writes:
            private_files.make_folder(self._path.parent)
            duckdb_file.make(self._path)
        with ExitStack() as stack:
            self._open(stack, writes=writes)
            self._may_read, self._may_write = True, writes
            try:
                yield
            finally:
                self._may_read = self._may_write = False
                self._connection.execute(f"DETACH {DATASET}")

    def _open(self, stack: ExitStack, *, writes: bool) -> None:
        holding = duckdb_file.opened(
            self._path,
            lambda: self._attach(writes=writes),
            who=self._name,
            writes=writes,
            wait_seconds=duckdb_file.BUSY_SECONDS,
        )
        try:
            stack.enter_context(holding)
        except duckdb_file.FileBusy as busy:
            raise SyncBusy(str(busy)) from busy

    def _attach(self, *, writes: bool) -> None:
        path = str(self._path).replace("'", "''")
        mode = "READ_WRITE" if writes else "READ_ONLY"
        self._connection.execute(f"ATTACH '{path}' AS {DATASET} ({mode})")

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        """DuckDB has no savepoints: what goes wrong inside another one ends that, too."""
        if self._is_in_transaction:
            yield
            return
        with self.using_dataset(writes=True):
            self._connection.begin()
            self._is_in_transaction = True
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            else:
                (self._connection.rollback if rollback else self._connection.commit)()
            finally:
                self._is_in_transaction = False

    def moment(self, at: datetime) -> Any:
        return at

    def differs(self, one: str, other: str) -> str:
        return f"{one} IS DISTINCT FROM {other}"

    def misfits_differ(self, one: str, other: str) -> str:
        values = self.differs(*(_MISFIT_VALUES.format(misfits) for misfits in (one, other)))
        return f"({self.differs(one, other)} AND {values})"

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def table(self, name: str) -> str:
        return f"{DATASET}.{self.quote(name)}"

    def staged(self, stage: str) -> str:
        return f"temp.{self.quote(f'staged_{stage}')}"

    @property
    def has_dataset(self) -> bool:
        return not self._is_imagined and self._path.exists()

    def create_dataset(self) -> None:
        """Opening the file to write has made it."""

    def columns_of(self, table: str) -> dict[str, str]:
        return {name: of_duckdb(kind) for name, kind in self._declared(table).items()}

    def _declared(self, table: str) -> dict[str, str]:
        with self.using_dataset():
            found = self._connection.execute(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ?"
                " AND schema_name = 'main' AND table_name = ? ORDER BY column_index",
                [DATASET, table],
            )
            return dict(found.fetchall())

    def add_column(self, table: str, name: str, data_type: str) -> None:
        kind = declared(data_type, self.dialect)
        self.execute(f"ALTER TABLE {table} ADD COLUMN {self.quote(name)} {kind}")

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        was = self.columns_of(table)
        for name, data_type in types.items():
            of, kind = self.table(table), (was.get(name), data_type)
            value = self._text_of_decimal(name, MISFITS in was) if kind == FROM_DECIMAL else None
            self._retype(of, name, data_type, value)
        return []

    def retype_staged(self, types: Mapping[str, str]) -> None:
        for name, data_type in types.items():
            self._retype(self.staged("rows"), name, data_type)

    def _retype(self, table: str, name: str, data_type: str, value: str | None = None) -> None:
        column, kind = self.quote(name), declared(data_type, self.dialect)
        using = value or f"CAST({column} AS {kind})"
        self.execute(f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {using}")

    def _text_of_decimal(self, name: str, has_misfits: bool) -> str:
        """With the numbers that stand aside because they are too long for a decimal."""
        # Zeros that say nothing belong to the declaration of a number, not to the number.
        bare = f"rtrim(rtrim(CAST({self.quote(name)} AS VARCHAR), '0'), '.')"
        if not has_misfits:
            return bare
        reason, value = (
            f"json_extract_string({MISFITS}, '$.{self.quote(name)}.{part}')"
            for part in ("reason", "value")
        )
        return f"coalesce({bare}, CASE WHEN {reason} = 'too_long' THEN {value} END)"

    def adopt(self, table: str, types: Mapping[str, str]) -> None:
        """No earlier release has loaded into DuckDB."""

    def narrowed(self, table: str) -> dict[str, str]:
        ours = {kinds.duckdb for kinds in DECLARED.values()}
        return {name: kind for name, kind in self._declared(table).items() if kind not in ours}

    def create_stage(
        self,
        stage: str,
        columns: Mapping[str, str],
        *,
        keys: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        named = ", ".join(
            f"{self.quote(name)} {declared(data_type, self.dialect)}"
            for name, data_type in columns.items()
        )
        name = self.staged(stage).removeprefix("temp.")
        self.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({named})")

    def stage(self, stage: str, batch: Batch) -> None:
        try:
            self._insert(stage, pa.table(dict(batch.columns)))
        except REFUSALS as refused:
            raise RowRefused(str(refused).splitlines()[0]) from refused

    def values(self, array: pa.Array, data_type: str) -> list[Any]:
        return text_values(array, data_type)

    def insert(self, stage: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        arrays = [
            pa.array([None if value is None else str(value) for value in column], pa.string())
            for column in zip(*rows, strict=True)
        ]
        if rows:
            self._insert(stage, pa.table(arrays, names=list(columns)))

    def _insert(self, stage: str, rows: pa.Table) -> None:
        names = ", ".join(map(self.quote, rows.column_names))
        self._connection.register(BATCH, rows)
        try:
            self.execute(f"INSERT INTO {self.staged(stage)} ({names}) SELECT {names} FROM {BATCH}")
        finally:
            self._connection.unregister(BATCH)

    def publish(self, table: str) -> None:
        """Raises RuntimeError: temporary tables cannot leave their connection."""
        raise RuntimeError("DuckDB cannot make a table of staged rows: ask can_publish first.")

    def prepare_merge(self) -> None:
        """DuckDB knows how many rows there are."""

    def drop_stages(self) -> None:
        """They end with the connection."""

    def close(self) -> None:
        self._opened.close()
