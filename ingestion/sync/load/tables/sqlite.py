"""A SQLite warehouse: a dataset is a file; rows are staged in temporary tables of the connection."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from ingestion import private_files
from ingestion.sync.common.misfits import misfit_values
from ingestion.sync.common.values import Decimals, plain_decimal
from ingestion.sync.common.warehouse import SQLITE_BUSY_SECONDS, Warehouse
from ingestion.sync.load.columns.batch import Batch
from ingestion.sync.load.columns.hashing import text_values
from ingestion.sync.load.columns.typed import json_text
from ingestion.sync.load.columns.types import Dialect, declared, of_sqlite
from ingestion.sync.load.tables.rebuild import rebuild
from ingestion.sync.load.tables.session import Row, RowRefused

# SQLite ends at 2 000; some are ours.
MOST_COLUMNS: Final = 1_985
IN_MEMORY: Final = ":memory:"
# A number of at most so many characters comes back from a double as it went in.
EXACT_CHARACTERS: Final = 15
TRY_EVERY_SECONDS: Final = 0.05


class SqliteSession:
    """Keeps the Session contract."""

    dialect: Dialect = "sqlite"
    most_columns = MOST_COLUMNS
    decimals: Decimals | None = None
    can_publish = False

    def __init__(self, warehouse: Warehouse, crm: str, model: str, *, is_dry: bool) -> None:
        self.is_dry = is_dry
        self._path = Path(str(warehouse.dataset(crm).engine.url.database))
        self.has_dataset = self._path.exists()
        place = IN_MEMORY if is_dry and not self.has_dataset else str(self._path)
        if place != IN_MEMORY:
            private_files.make_folder(self._path.parent)
        self._connection = sqlite3.connect(
            place,
            timeout=SQLITE_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=private_files.PrivateConnection,
        )
        for function in (same_json, misfit_texts, exact_text):
            self._connection.create_function(function.__name__, 1, function, deterministic=True)
        self.execute("PRAGMA temp_store = FILE")
        self.execute("PRAGMA synchronous = NORMAL")
        if not is_dry:
            self._let_readers_in()

    def _let_readers_in(self) -> None:
        """Readers work beside a writer then. SQLite does not wait for others that say the same."""
        deadline = time.monotonic() + SQLITE_BUSY_SECONDS
        while True:
            try:
                self.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(TRY_EVERY_SECONDS)

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        return max(self._connection.execute(statement, parameters).rowcount, 0)

    def make_unique(self, table: str, name: str, keys: Sequence[str]) -> bool:
        place, _, on = table.partition(".")  # an index stands where its table does
        index, columns = f"{place}.{self.quote(name)}", ", ".join(map(self.quote, keys))
        try:
            self.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {index} ON {on} ({columns})")
        except sqlite3.IntegrityError:
            return False
        return True

    def drop_unique(self, table: str, name: str) -> None:
        self.execute(f"DROP INDEX {table.partition('.')[0]}.{self.quote(name)}")

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def transaction(self, *, rollback: bool = False) -> Iterator[None]:
        begin, commit, back = (
            ("SAVEPOINT inner", "RELEASE inner", "ROLLBACK TO inner")
            if self._connection.in_transaction
            else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        )
        self.execute(begin)
        try:
            yield
        except BaseException:
            self.execute(back)
            raise
        self.execute(back if rollback else commit)

    def using_dataset(self, *, writes: bool = False) -> AbstractContextManager[None]:
        return nullcontext()

    def moment(self, at: datetime) -> Any:
        return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

    def differs(self, one: str, other: str) -> str:
        return f"{one} IS NOT {other}"

    def misfits_differ(self, one: str, other: str) -> str:
        values = self.differs(f"misfit_texts({one})", f"misfit_texts({other})")
        return f"({self.differs(one, other)} AND {values})"

    def quote(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def table(self, name: str) -> str:
        return f"main.{self.quote(name)}"

    def staged(self, stage: str) -> str:
        return f"temp.{self.quote(f'staged_{stage}')}"

    def create_dataset(self) -> None:
        """Opening the file has made it."""

    def columns_of(self, table: str) -> dict[str, str]:
        found = self.rows("SELECT name, type FROM pragma_table_info(?)", (table,))
        return {name: of_sqlite(kind) for name, kind in found}

    def add_column(self, table: str, name: str, data_type: str) -> None:
        kind = declared(data_type, self.dialect)
        self.execute(f"ALTER TABLE {table} ADD COLUMN {self.quote(name)} {kind}")

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        rebuild(self, table, types)
        return []

    def retype_staged(self, types: Mapping[str, str]) -> None:
        """A temporary column is made for one kind, and filled so far with values that are equal
        in the other."""
        names = [self.quote(name) for name in types]
        for name, data_type in zip(names, types.values(), strict=True):
            self.execute(f"ALTER TABLE {self.staged('rows')} RENAME COLUMN {name} TO _old")
            self.add_column(self.staged("rows"), name.strip('"'), data_type)
            self.execute(f"UPDATE {self.staged('rows')} SET {name} = _old")
            self.execute(f"ALTER TABLE {self.staged('rows')} DROP COLUMN _old")

    def adopt(self, table: str, types: Mapping[str, str]) -> None:
        rebuild(self, table, {name: kind for name, kind in types.items() if kind == "decimal"})
        # Where that release staged its rows.
        for suffix in ("", "-wal", "-shm"):
            file = f"{self._path.stem}_staging_{table}{self._path.suffix}{suffix}"
            self._path.with_name(file).unlink(missing_ok=True)

    def narrowed(self, table: str) -> dict[str, str]:
        """SQLite's declarations keep nothing out."""
        return {}

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
        self.execute(f"DROP TABLE IF EXISTS {self.staged(stage)}")
        self.execute(f"CREATE TEMP TABLE {self.staged(stage).removeprefix('temp.')} ({named})")

    def stage(self, stage: str, batch: Batch) -> None:
        columns = [bound(array, batch.types[name]) for name, array in batch.columns.items()]
        try:
            self.insert(stage, list(batch.columns), list(zip(*columns, strict=True)))
        except (sqlite3.DataError, OverflowError, UnicodeEncodeError) as refused:
            raise RowRefused(str(refused)) from refused

    def values(self, array: pa.Array, data_type: str) -> list[Any]:
        return bound(array, data_type)

    def insert(self, stage: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(self.quote(name) for name in columns)
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {self.staged(stage)} ({names}) VALUES ({marks})"
        self.execute("SAVEPOINT staging")
        try:
            self._connection.executemany(statement, rows)
        except BaseException:
            self.execute("ROLLBACK TO staging")
            raise
        finally:
            self.execute("RELEASE staging")

    def publish(self, table: str) -> None:
        """Raises RuntimeError: temporary tables cannot leave their connection."""
        raise RuntimeError("SQLite cannot make a table of staged rows: ask can_publish first.")

    def prepare_merge(self) -> None:
        """Without figures SQLite takes both for equally large, and reads the whole table for a few
        staged rows."""
        self.execute("PRAGMA analysis_limit = 400")
        self.execute(f"ANALYZE {self.staged('rows')}")

    def drop_stages(self) -> None:
        """They end with the connection."""

    def close(self) -> None:
        self._connection.close()


def bound(array: pa.Array, data_type: str) -> list[Any]:
    """The values of a column as SQLite keeps them. Times as SQLAlchemy reads them; a decimal as an
    integer or a double where that is the same number, else as text."""
    convert = _BOUND.get(data_type)
    if convert is None:
        return text_values(array, data_type)
    return convert(array)


def exact(text: str) -> int | float | str:
    """A canonical decimal as the smallest kind of value that is equal to it."""
    if "." not in text:
        number = int(text)
        return number if -(2**63) <= number < 2**63 else text
    found = float(text)
    if len(text) <= EXACT_CHARACTERS or _plain(found) == text:
        return found
    return text


def _plain(value: float) -> str:
    return plain_decimal(Decimal(repr(value)))


def _decimals(array: pa.Array) -> list[Any]:
    return [None if text is None else exact(text) for text in array.to_pylist()]


def exact_text(value: Any) -> Any:
    """A number with all its digits."""
    return plain_decimal(Decimal(repr(value))) if isinstance(value, int | float) else value


def same_json(text: Any) -> Any:
    """JSON in the one form, whoever wrote it."""
    try:
        return json_text(json.loads(text)) if isinstance(text, str) else text
    except ValueError:
        return text


def misfit_texts(text: Any) -> Any:
    """``_misfits`` without reasons, in the one form."""
    if not isinstance(text, str):
        return text
    return json_text(misfit_values(json.loads(text)))


_AS_IT_IS: Final[Callable[[pa.Array], list[Any]]] = pa.Array.to_pylist
_BOUND: Final[dict[str, Callable[[pa.Array], list[Any]]]] = {
    "decimal": _decimals,
    **dict.fromkeys(("text", "bigint", "double", "json", "time", "binary"), _AS_IT_IS),
    "bool": lambda array: array.cast(pa.int64()).to_pylist(),
}
