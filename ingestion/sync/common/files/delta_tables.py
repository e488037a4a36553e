"""Delta tables: each a folder of Parquet files with a log of commits, on a disk or in S3.

A commit is one object of the log, which is made only where there is none of its number: two that
begin at one version cannot both be kept, on any machine. In S3 that is a conditional put. Credentials
come from the environment, as AWS's own tools read them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
import pyarrow.dataset
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    Schema,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    TableNotFoundError,
)

from ingestion import private_files

logger = logging.getLogger(__name__)

# How long S3 is asked; on a disk these mean nothing.
OPTIONS: Final = {
    "connect_timeout": "5s",
    "timeout": "60s",
    "max_retries": "3",
    "retry_timeout": "60s",
}
# What Delta has no type for is a text; its field says what it is, by the names of DuckDB's types.
DUCKDB_TYPE: Final = "duckdb_type"
AS_TEXT: Final = ("JSON", "TIME")
# Every so many commits small files are put together, and files that no version of the last week
# needs go.
TIDIED_EVERY: Final = 50
KEPT_HOURS: Final = 168
OVERTAKEN: Final = "Somebody else has written to {} meanwhile, and nothing was written over it; run the sync again."
UNFIT: Final = re.compile(r"Unsupported|not supported")
REFUSED: Final = re.compile(r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|403 Forbidden")
# Who reads or writes a file has so many of its rows in memory.
ROWS_AT_ONCE: Final = 20_000
_WRITER: Final = WriterProperties(compression="SNAPPY", max_row_group_size=ROWS_AT_ONCE)
BATCH: Final = "_batch"
_COLORS: Final = re.compile(r"\x1b\[[0-9;]*m")
_TOLD_BY_S3: Final = re.compile(r"<Code>(\w+)</Code><Message>([^<]*)")


class DeltaTrouble(Exception):
    """The files cannot be read or written now; the message says why, in a sentence."""


class DeltaRefused(DeltaTrouble):
    """The store refuses the credentials, or what they ask for."""


class DeltaUnfit(DeltaTrouble):
    """The table is not one that can be read or written here; waiting does not help."""


class DeltaOvertaken(DeltaTrouble):
    """Somebody else has committed since the table was read: nothing was written."""


@contextmanager
def told(place: str) -> Iterator[None]:
    """The library's errors as DeltaTrouble. ``place``: what is read or written."""
    try:
        yield
    except CommitFailedError as problem:
        raise DeltaOvertaken(OVERTAKEN.format(place)) from problem
    except DeltaProtocolError as problem:
        raise DeltaUnfit(f"{place} needs what is not supported: {_words(problem)}") from problem
    except (DeltaError, OSError) as problem:
        words = _words(problem)
        kind = DeltaUnfit if UNFIT.search(words) else DeltaTrouble
        raise (DeltaRefused if REFUSED.search(words) else kind)(
            f"{place} cannot be read or written: {words}"
        ) from problem


def _words(problem: Exception) -> str:
    """In one line: what S3 itself says, or the innermost of what the library does."""
    text = _COLORS.sub("", str(problem))
    if found := _TOLD_BY_S3.search(text):
        return f"S3 answered {found[1]}: {found[2]}"
    lines = [line.strip(" ↳\n") for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), type(problem).__name__)


@dataclass(frozen=True)
class Folder:
    """One CRM's tables. ``url``: file:///… or s3://…; ``looked_at``: tables that were asked for and
    are there, which ``show`` makes views of."""

    url: str
    looked_at: set[str] = field(default_factory=set)

    def place(self, name: str) -> str:
        return f"{self.url}/{name}"

    def has(self, name: str) -> bool:
        """Raises DeltaTrouble."""
        # DeltaTable.is_deltatable lets no other thread of the process run while it asks S3.
        is_there = self.open(name) is not None
        if is_there:
            self.looked_at.add(name)
        return is_there

    def open(self, name: str) -> DeltaTable | None:
        """At its newest version; None where there is none. Raises DeltaTrouble."""
        with told(self.place(name)):
            return _opened(self.place(name))

    def size(self, name: str) -> int | None:
        """Bytes of the newest version; None where there is no table. Raises DeltaTrouble."""
        table = self.open(name)
        if table is None:
            return None
        files = pa.table(table.get_add_actions(flatten=True))
        return sum(int(size) for size in files["size_bytes"].to_pylist())

    def make(self) -> None:
        """On a disk the folder, which is its owner's alone."""
        place = urlsplit(self.url)
        if place.scheme == "file":
            private_files.make_folder(Path(unquote(place.path)))

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Views of the tables that were looked at, as they are now. Raises DeltaTrouble."""
        for name in sorted(self.looked_at):
            if table := self.open(name):
                connection.execute(f"CREATE VIEW {quoted(name)} AS {select(connection, table)}")


def _opened(place: str) -> DeltaTable | None:
    try:
        return DeltaTable(place, storage_options=OPTIONS)
    except TableNotFoundError:
        return None


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def select(connection: duckdb.DuckDBPyConnection, table: DeltaTable) -> str:
    """A query of all rows, with the types that they had in DuckDB; of the files it reads what it
    needs. Raises DeltaTrouble."""
    name = quoted("_files_of_" + table.table_uri.rstrip("/").rpartition("/")[2])
    with told(table.table_uri):
        connection.register(name.strip('"'), table.to_pyarrow_dataset())
    return _select(table, name)


def copy(connection: duckdb.DuckDBPyConnection, table: DeltaTable, target: str) -> None:
    """All rows into a table that is there, batch by batch. Raises DeltaTrouble."""
    with told(table.table_uri):
        batches = table.to_pyarrow_dataset().to_batches(
            batch_size=ROWS_AT_ONCE,
            batch_readahead=1,
            fragment_readahead=1,
            use_threads=False,
            fragment_scan_options=pyarrow.dataset.ParquetFragmentScanOptions(pre_buffer=False),
        )
        for batch in batches:
            connection.register(BATCH, batch)
            connection.execute(f"INSERT INTO {target} BY NAME {_select(table, BATCH)}")
            connection.unregister(BATCH)


def _select(table: DeltaTable, source: str) -> str:
    columns = (_read(f.name, f.metadata.get(DUCKDB_TYPE)) for f in table.schema().fields)
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608 - names only


def _read(name: str, duckdb_type: object) -> str:
    column = quoted(name)
    return f"CAST({column} AS {duckdb_type}) AS {column}" if duckdb_type in AS_TEXT else column


def rows(
    connection: duckdb.DuckDBPyConnection,
    types: Mapping[str, str],
    source: str,
    *,
    batch_rows: int,
    parameters: Sequence[Any] = (),
) -> pa.RecordBatchReader:
    """Batches as ``write`` and ``merge`` take them. ``types``: of DuckDB, by column; ``source``: what
    stands behind FROM, with ``parameters``."""
    columns = ", ".join(
        f"CAST({quoted(n)} AS VARCHAR) AS {quoted(n)}" if kind in AS_TEXT else quoted(n)
        for n, kind in types.items()
    )
    # Names are quoted, and values are parameters.
    found = connection.execute(f"SELECT {columns} FROM {source}", list(parameters))  # noqa: S608
    reader = found.to_arrow_reader(batch_rows)
    return pa.RecordBatchReader.from_batches(_marked(reader.schema, types), reader)


def _marked(schema: pa.Schema, types: Mapping[str, str]) -> pa.Schema:
    return pa.schema(
        f.with_metadata({DUCKDB_TYPE: types[f.name]}) if types[f.name] in AS_TEXT else f
        for f in schema
    )


def fields(
    connection: duckdb.DuckDBPyConnection, types: Mapping[str, str], source: str
) -> list[Field]:
    """Columns as Delta declares them."""
    with rows(connection, types, f"{source} LIMIT 0", batch_rows=1) as none:
        return [Field.from_arrow(f) for f in none.schema]


@dataclass(frozen=True)
class Commits:
    """Writes of one run. ``about`` stands in the log of each commit, for people."""

    about: Mapping[str, str]

    def strict(self) -> CommitProperties:
        """Right after the version that was read, or not at all."""
        return CommitProperties(custom_metadata=dict(self.about), max_commit_retries=0)

    def beside_others(self) -> CommitProperties:
        """After commits of others, too, unless they have touched the same part."""
        return CommitProperties(custom_metadata=dict(self.about))

    def declare(self, place: str, columns: list[Field], *, split_by: str) -> DeltaTable:
        """A table without rows, unless it is there. Raises DeltaTrouble."""
        with told(place):
            return DeltaTable.create(
                place,
                Schema(columns),
                mode="ignore",
                partition_by=[split_by],
                storage_options=OPTIONS,
                commit_properties=self.beside_others(),
            )

    def create(self, place: str, found: pa.RecordBatchReader) -> DeltaTable:
        """A table of these rows, where there is none. Raises DeltaTrouble."""
        with told(place):
            if _opened(place) is not None:
                raise DeltaOvertaken(OVERTAKEN.format(place))
            write_deltalake(
                place,
                found,
                mode="error",
                storage_options=OPTIONS,
                commit_properties=self.strict(),
                writer_properties=_WRITER,
            )
            return DeltaTable(place, storage_options=OPTIONS)

    def replace(self, table: DeltaTable, found: pa.RecordBatchReader) -> None:
        """All rows and columns. Raises DeltaTrouble."""
        with told(table.table_uri):
            write_deltalake(
                table,
                found,
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=self.strict(),
                writer_properties=_WRITER,
            )

    def add_columns(self, table: DeltaTable, added: list[Field]) -> None:
        """Raises DeltaTrouble."""
        with told(table.table_uri):
            table.alter.add_columns(added, commit_properties=self.strict())

    def merge(self, table: DeltaTable, found: pa.RecordBatchReader, keys: Sequence[str]) -> None:
        """Rows by their key; only files that have one of them are written again. Raises
        DeltaTrouble."""
        same = " AND ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys)
        with told(table.table_uri):
            merging = table.merge(
                found,
                predicate=same,
                source_alias="s",
                target_alias="t",
                commit_properties=self.strict(),
                writer_properties=_WRITER,
            )
            merging.when_matched_update_all().when_not_matched_insert_all().execute()

    def replace_part(
        self, table: DeltaTable, found: pa.RecordBatchReader, *, column: str, value: str
    ) -> None:
        """The rows that have this value, which their table is split by. Raises DeltaTrouble."""
        literal = value.replace("'", "''")
        with told(table.table_uri):
            write_deltalake(
                table,
                found,
                mode="overwrite",
                predicate=f"{column} = '{literal}'",
                commit_properties=self.beside_others(),
                writer_properties=_WRITER,
            )


def tidy(table: DeltaTable, part: tuple[str, str] | None = None) -> None:
    """Now and then; before the table is read, since others' commits are seen after it. ``part``: column
    and value of the rows that nobody else writes. Raises DeltaTrouble."""
    if not table.version() or table.version() % TIDIED_EVERY:
        return
    filters = [(part[0], "=", part[1])] if part else None
    try:
        with told(table.table_uri):
            table.optimize.compact(partition_filters=filters, max_concurrent_tasks=1)
            table.vacuum(retention_hours=KEPT_HOURS, dry_run=False)
    except DeltaOvertaken:
        logger.info("%s is being loaded; it is tidied another time", table.table_uri)
