"""The table of types: what a column is declared as, and what is read from a declaration."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ingestion.sync.load.columns.types import (
    ARROW,
    WIDENS,
    declared,
    of_postgresql,
    of_sqlite,
)

# Data type; in SQLite; in PostgreSQL; what its values are in memory.
TYPES = [
    ("text", "TEXT", "character varying", pa.string()),
    ("bigint", "BIGINT", "bigint", pa.int64()),
    ("double", "DOUBLE", "double precision", pa.float64()),
    ("decimal", "", "numeric", pa.string()),
    ("bool", "BOOLEAN", "boolean", pa.bool_()),
    ("timestamp", "DATETIME", "timestamp with time zone", pa.timestamp("us", "UTC")),
    ("datetime", "DATETIME", "timestamp without time zone", pa.timestamp("us")),
    ("date", "DATE", "date", pa.date32()),
    ("time", "TIME", "time without time zone", pa.string()),
    ("json", "JSON", "jsonb", pa.string()),
    ("binary", "BLOB", "bytea", pa.binary()),
]


@pytest.mark.parametrize(("data_type", "sqlite", "postgresql", "arrow"), TYPES)
def test_how_a_type_is_declared_and_found_again(
    data_type: str, sqlite: str, postgresql: str, arrow: pa.DataType
) -> None:
    assert declared(data_type, "sqlite") == sqlite
    assert declared(data_type, "postgresql") == postgresql
    assert of_postgresql(postgresql) == data_type
    # SQLite has one word for both; the map says which of them a column is.
    assert of_sqlite(sqlite) == ("timestamp" if data_type == "datetime" else data_type)
    assert ARROW[data_type] == arrow
    assert set(ARROW) == {row[0] for row in TYPES}


@pytest.mark.parametrize(
    ("name", "data_type"),
    [
        ("text", "text"),
        ("integer", "bigint"),
        ("smallint", "bigint"),
        ("real", "double"),
        ("json", "json"),
        ("inet", "text"),
    ],
)
def test_types_on_a_server_that_others_have_declared(name: str, data_type: str) -> None:
    assert of_postgresql(name) == data_type


@pytest.mark.parametrize(
    ("name", "data_type"),
    [
        ("VARCHAR(20)", "text"),
        ("integer", "bigint"),
        ("REAL", "double"),
        ("FLOAT", "double"),
        ("NUMERIC", "decimal"),
        ("DECIMAL(38, 9)", "decimal"),
        (" numeric (10)", "decimal"),
        ("TIMESTAMP", "timestamp"),
        ("datetime", "timestamp"),
        ("blob", "binary"),
    ],
)
def test_types_in_a_file_that_others_have_declared(name: str, data_type: str) -> None:
    assert of_sqlite(name) == data_type


def test_only_whole_numbers_widen_and_only_without_loss() -> None:
    assert WIDENS == {"bigint": "decimal"}
