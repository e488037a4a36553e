"""The table of types: how each data type is declared, and into which wider one it may grow."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import pyarrow as pa

from ingestion.sync.common.values import Decimals

Dialect = Literal["sqlite", "postgresql", "duckdb"]


class Declared(NamedTuple):
    """The words of CREATE TABLE."""

    sqlite: str
    postgresql: str
    duckdb: str


# A column without a type has no affinity in SQLite: it keeps a number as it is given.
DECLARED: Final[dict[str, Declared]] = {
    "text": Declared("TEXT", "character varying", "VARCHAR"),
    "bigint": Declared("BIGINT", "bigint", "BIGINT"),
    "double": Declared("DOUBLE", "double precision", "DOUBLE"),
    "decimal": Declared("", "numeric", "DECIMAL(38,10)"),
    "bool": Declared("BOOLEAN", "boolean", "BOOLEAN"),
    "timestamp": Declared("DATETIME", "timestamp with time zone", "TIMESTAMP WITH TIME ZONE"),
    "datetime": Declared("DATETIME", "timestamp without time zone", "TIMESTAMP"),
    "date": Declared("DATE", "date", "DATE"),
    "time": Declared("TIME", "time without time zone", "TIME"),
    "json": Declared("JSON", "jsonb", "JSON"),
    "binary": Declared("BLOB", "bytea", "BLOB"),
}

# DuckDB's widest decimal has 38 digits, of which a column fixes how many stand behind the point.
OF_DUCKDB: Final = Decimals(whole=28, places=10)

# Only without loss: every whole number is a decimal; not every one is a double.
WIDENS: Final[dict[str, str]] = {"bigint": "decimal"}

# What somebody may say yes to: every value comes back from the other type as it was.
ACCEPTABLE: Final[dict[str, tuple[str, ...]]] = {
    "bigint": ("decimal", "text"),
    "decimal": ("text",),
    "date": ("text",),
}

ARROW: Final[dict[str, pa.DataType]] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "decimal": pa.string(),  # as canonical text: Arrow's decimals have a fixed number of places
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "datetime": pa.timestamp("us"),
    "date": pa.date32(),
    "time": pa.string(),
    "json": pa.string(),
    "binary": pa.binary(),
}

# As information_schema names them.
_OF_POSTGRESQL: Final[dict[str, str]] = {
    **{declared.postgresql: name for name, declared in DECLARED.items()},
    "text": "text",
    "integer": "bigint",
    "smallint": "bigint",
    "real": "double",
    "json": "json",
}
_OF_SQLITE: Final[dict[str, str]] = {
    "TEXT": "text",
    "BIGINT": "bigint",
    "INTEGER": "bigint",
    "DOUBLE": "double",
    "REAL": "double",
    "FLOAT": "double",
    "": "decimal",
    "BOOLEAN": "bool",
    "DATETIME": "timestamp",
    "TIMESTAMP": "timestamp",
    "DATE": "date",
    "TIME": "time",
    "JSON": "json",
    "BLOB": "binary",
}


# As duckdb_columns() names them, without what stands in brackets.
_OF_DUCKDB: Final[dict[str, str]] = {
    **{declared.duckdb.split("(")[0]: name for name, declared in DECLARED.items()},
    **dict.fromkeys(("INTEGER", "SMALLINT", "TINYINT", "UINTEGER", "USMALLINT"), "bigint"),
    "HUGEINT": "decimal",
    "FLOAT": "double",
}


def declared(data_type: str, dialect: Dialect) -> str:
    return getattr(DECLARED[data_type], dialect)  # type: ignore[no-any-return]


def of_postgresql(name: str) -> str:
    """The data type of a column by its name in information_schema; others take texts."""
    return _OF_POSTGRESQL.get(name, "text")


def is_narrow(name: str) -> bool:
    """Whether a type of PostgreSQL takes less than the data type that its columns have here."""
    known = {*(declared.postgresql for declared in DECLARED.values()), "text", "json"}
    return name not in known


def of_duckdb(name: str) -> str:
    """The data type of a column by its name in duckdb_columns(); others take texts."""
    return _OF_DUCKDB.get(name.split("(")[0], "text")


def of_sqlite(name: str) -> str:
    """The data type of a column by its declaration, where no map says more."""
    bare = name.upper().split("(")[0].strip()
    if bare in ("NUMERIC", "DECIMAL"):
        return "decimal"
    return _OF_SQLITE.get(bare, "text")
