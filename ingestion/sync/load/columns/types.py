"""The table of types: how each data type is declared, and into which wider one it may grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import pyarrow as pa

from ingestion.sync.common.values import Decimals

Dialect = Literal["sqlite", "postgresql", "duckdb", "mariadb"]


class Declared(NamedTuple):
    """The words of CREATE TABLE."""

    sqlite: str
    postgresql: str
    duckdb: str
    mariadb: str


# MariaDB's other collations take texts for equal that differ in case, accents or blanks at the end.
BY_BYTES: Final = "utf8mb4_nopad_bin"

# A column without a type has no affinity in SQLite: it keeps a number as it is given.
DECLARED: Final[dict[str, Declared]] = {
    "text": Declared("TEXT", "character varying", "VARCHAR", f"LONGTEXT COLLATE {BY_BYTES}"),
    "bigint": Declared("BIGINT", "bigint", "BIGINT", "BIGINT"),
    "double": Declared("DOUBLE", "double precision", "DOUBLE", "DOUBLE"),
    "decimal": Declared("", "numeric", "DECIMAL(38,10)", "DECIMAL(65,20)"),
    "bool": Declared("BOOLEAN", "boolean", "BOOLEAN", "BOOLEAN"),
    "timestamp": Declared(
        "DATETIME", "timestamp with time zone", "TIMESTAMP WITH TIME ZONE", "DATETIME(6)"
    ),
    "datetime": Declared("DATETIME", "timestamp without time zone", "TIMESTAMP", "DATETIME(6)"),
    "date": Declared("DATE", "date", "DATE", "DATE"),
    "time": Declared("TIME", "time without time zone", "TIME", "TIME(6)"),
    "json": Declared("JSON", "jsonb", "JSON", "JSON"),
    "binary": Declared("BLOB", "bytea", "BLOB", "LONGBLOB"),
}

# The widest decimals that these have, of which a column fixes how many digits stand behind the point.
OF_DUCKDB: Final = Decimals(whole=28, places=10)
OF_MARIADB: Final = Decimals(whole=45, places=20)
DECIMALS: Final = {"duckdb": OF_DUCKDB, "mysql": OF_MARIADB, "mariadb": OF_MARIADB}

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

# As SHOW COLUMNS names them, without what stands in brackets.
_OF_MARIADB: Final[dict[str, str]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "bigint"),
    **dict.fromkeys(("double", "float"), "double"),
    "decimal": "decimal",
    **dict.fromkeys(("datetime", "timestamp"), "timestamp"),
    "date": "date",
    "time": "time",
    **dict.fromkeys(
        ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "binary"
    ),
}
# An index of MariaDB takes 3 072 bytes; a character may take four.
KEY_CHARACTERS: Final = 768
# Columns of keys that are never longer; the other columns of such a key get what these leave.
_SHORT_KEYS: Final = {"model": 64, "place": 16, "fingerprint": 64}


def declared(data_type: str, dialect: Dialect) -> str:
    return getattr(DECLARED[data_type], dialect)  # type: ignore[no-any-return]


def key_declared(name: str, data_type: str, dialect: Dialect, keys: Sequence[str]) -> str:
    """A column of the key ``keys``, which is indexed."""
    if dialect != "mariadb" or data_type != "text":
        return declared(data_type, dialect)
    return f"VARCHAR({_key_characters(name, keys)}) COLLATE {BY_BYTES}"


def _key_characters(name: str, keys: Sequence[str]) -> int:
    if name in _SHORT_KEYS:
        return _SHORT_KEYS[name]
    short = [_SHORT_KEYS[key] for key in keys if key in _SHORT_KEYS]
    return (KEY_CHARACTERS - sum(short)) // (len(keys) - len(short))


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


def of_mariadb(name: str, collation: str | None) -> str:
    """The data type of a column as SHOW COLUMNS describes it; others take texts."""
    if name == "tinyint(1)":
        return "bool"
    if name == "longtext" and collation == "utf8mb4_bin":  # what MariaDB makes of JSON
        return "json"
    if name.endswith("unsigned") and name.startswith("bigint"):
        return "decimal"
    return _OF_MARIADB.get(name.split("(")[0].split()[0], "text")


def of_sqlite(name: str) -> str:
    """The data type of a column by its declaration, where no map says more."""
    bare = name.upper().split("(")[0].strip()
    if bare in ("NUMERIC", "DECIMAL"):
        return "decimal"
    return _OF_SQLITE.get(bare, "text")
