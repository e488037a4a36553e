"""The columns that the CRMs' values are landed in: numbers are numbers, moments have a zone, and
what only looks like a number keeps its leading zeros."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from ingestion.conf import crm_environment
from ingestion.sync.common.convert import Converter
from ingestion.sync.common.registry import crm_settings, crms, open_source
from ingestion.sync.common.source import (
    AdaptsModels,
    CrmSource,
    Model,
    Record,
    SourceContext,
    Window,
)
from ingestion.sync.common.warehouse import Dataset, Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from tests.crms.world import World

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]

# As PostgreSQL declares the columns of each data type.
POSTGRES_TYPES: Mapping[str, str] = {
    "text": "character varying",
    "bigint": "bigint",
    "double": "double precision",
    "decimal": "numeric",
    "bool": "boolean",
    "timestamp": "timestamp with time zone",
    "datetime": "timestamp without time zone",
    "date": "date",
    "time": "time without time zone",
    "json": "jsonb",
    "binary": "bytea",
}
# Of a text: one of no key, or of a key of so many columns.
MARIADB_TYPES: Mapping[str, tuple[tuple[str, str | None], ...]] = {
    "text": (
        ("longtext", "utf8mb4_nopad_bin"),
        *((f"varchar({768 // keys})", "utf8mb4_nopad_bin") for keys in range(1, 9)),
    ),
    "bigint": (("bigint(20)", None),),
    "double": (("double", None),),
    "decimal": (("decimal(65,20)", None),),
    "bool": (("tinyint(1)", None),),
    "timestamp": (("datetime(6)", None),),
    "datetime": (("datetime(6)", None),),
    "date": (("date", None),),
    "time": (("time(6)", None),),
    "json": (("longtext", "utf8mb4_bin"),),
    "binary": (("longblob", None),),
}
# As duckdb_columns() names them.
DUCKDB_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "decimal": "DECIMAL(38,10)",
    "bool": "BOOLEAN",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "datetime": "TIMESTAMP",
    "date": "DATE",
    "time": "TIME",
    "json": "JSON",
    "binary": "BLOB",
}
# As SQLAlchemy hands them out of a SQLite warehouse.
SQLITE_VALUES: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "bigint": int,
    "double": float,
    "decimal": Decimal,
    "bool": bool,
    "timestamp": datetime,
    "datetime": datetime,
    "date": date,
    "time": time,
    "json": (dict, list),
    "binary": bytes,
}
LEADING_ZERO = re.compile(r"0\d+")
ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*")
# Else the test would prove little about them; SalesPro's zip codes stand in JSON.
WITH_LEADING_ZEROS = frozenset(crms()) - {"callrail", "salespro"}
# Kept as the CRM writes them, because they say something beside the moment.
TEXTS_OF_MOMENTS = {("arrivy", "tasks", "start_datetime_original_iso_str")}


class Expected(NamedTuple):
    """What a table has to look like, and what the CRM says."""

    types: Mapping[str, str]
    declared: frozenset[str]
    records: list[Record]
    converter: Converter


@pytest.mark.parametrize("crm", crms())
def test_columns_have_the_types_that_the_crm_declares(world: World, crm: str) -> None:
    world.run()
    zeros: list[str] = []
    with closing(Warehouse(world.warehouse_url)) as warehouse, closing(_source(world)) as source:
        for model in world.crm.models:
            expected = _expected(source, model)
            dataset = warehouse.dataset(crm)
            assert expected.declared
            assert _wrong_columns(dataset, model, expected) == []
            assert _numbers_that_lost_zeros(model, expected) == []
            assert _moments_in_texts(crm, dataset, model, expected) == []
            zeros += _zeros_in(expected)
    assert bool(zeros) == (crm in WITH_LEADING_ZEROS), zeros


def _source(world: World) -> CrmSource:
    return open_source(
        world.crm.name, SourceContext(crm_settings(world.crm.name, crm_environment()))
    )


def _expected(source: CrmSource, model: Model) -> Expected:
    declared = source.columns(model)
    adapted = source.adapted(model) if isinstance(source, AdaptsModels) else model
    converter = Converter.build(adapted, existing={}, declared=declared)
    names = frozenset(converter.name_of(name) for name in {**declared, **adapted.columns})
    records = [r for page in source.pages(model, Window(), batch_size=None) for r in page.records]
    for record in records:
        converter.convert(record)
    return Expected(converter.types, names, records, converter)


def _wrong_columns(dataset: Dataset, model: Model, expected: Expected) -> list[str]:
    if dataset.engine.dialect.name == "sqlite":
        return list(_wrong_in_sqlite(dataset, model, expected))
    if dataset.engine.dialect.name in ("mysql", "mariadb"):
        return list(_wrong_in_mariadb(dataset, model, expected))
    if dataset.engine.dialect.name == "duckdb":
        return list(_wrong_in_duckdb(dataset, model, expected))
    return list(_wrong_in_postgres(dataset, model, expected))


def _wrong_in_postgres(dataset: Dataset, model: Model, expected: Expected) -> Iterator[str]:
    query = sa.text(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = :schema AND table_name = :model"
    )
    with dataset.engine.connect() as connection:
        asked = {"schema": dataset.schema, "model": model.name}
        found = {row.column_name: row.data_type for row in connection.execute(query, asked)}
    for column, data_type in expected.types.items():
        if found.get(column) != POSTGRES_TYPES[data_type]:
            yield f"{model.name}.{column} is {found.get(column)} instead of {data_type}"


def _wrong_in_mariadb(dataset: Dataset, model: Model, expected: Expected) -> Iterator[str]:
    query = sa.text(
        "SELECT column_name AS name, column_type AS kind, collation_name AS collation"
        " FROM information_schema.columns"
        " WHERE table_schema = :schema AND table_name = :model"
    )
    with dataset.engine.connect() as connection:
        asked = {"schema": dataset.schema, "model": model.name}
        rows = connection.execute(query, asked).all()
    found = {row.name: (row.kind, row.collation) for row in rows}
    for column, data_type in expected.types.items():
        if found.get(column) not in MARIADB_TYPES[data_type]:
            yield f"{model.name}.{column} is {found.get(column)} instead of {data_type}"


def _wrong_in_duckdb(dataset: Dataset, model: Model, expected: Expected) -> Iterator[str]:
    query = sa.text("SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = :model")
    with dataset.engine.connect() as connection:
        rows = connection.execute(query, {"model": model.name}).all()
    found = {row.column_name: row.data_type for row in rows}
    for column, data_type in expected.types.items():
        if found.get(column) != DUCKDB_TYPES[data_type]:
            yield f"{model.name}.{column} is {found.get(column)} instead of {data_type}"


def _wrong_in_sqlite(dataset: Dataset, model: Model, expected: Expected) -> Iterator[str]:
    """SQLite knows few types, and keeps to none: the values tell."""
    table = _table(dataset, model)
    for column, data_type in expected.types.items():
        if column not in table.c:
            yield f"{model.name} has no {column}"
            continue
        for value in _values(dataset, table.c[column]):
            if not isinstance(value, SQLITE_VALUES[data_type]):
                yield f"{model.name}.{column} holds {value!r} instead of {data_type}"
                break


def _numbers_that_lost_zeros(model: Model, expected: Expected) -> list[str]:
    """Columns that are no text though a value of them begins with a zero that means something."""
    return sorted(
        {
            f"{model.name}.{name} holds {value!r} and is {kind}"
            for record in expected.records
            for name, value in record.items()
            if isinstance(value, str)
            and LEADING_ZERO.fullmatch(value)
            and (kind := expected.types[expected.converter.name_of(name)]) != "text"
        }
    )


def _zeros_in(expected: Expected) -> list[str]:
    values = (value for record in expected.records for value in record.values())
    return [v for v in values if isinstance(v, str) and LEADING_ZERO.fullmatch(v)]


def _moments_in_texts(crm: str, dataset: Dataset, model: Model, expected: Expected) -> list[str]:
    """Columns of text in which every value is a moment."""
    table = _table(dataset, model)
    texts = [column for column, kind in expected.types.items() if kind == "text"]
    return [
        f"{model.name}.{column}"
        for column in texts
        if (crm, model.name, column) not in TEXTS_OF_MOMENTS
        and (values := list(_values(dataset, table.c[column])))
        and all(ISO_MOMENT.fullmatch(value) for value in values)
    ]


def _table(dataset: Dataset, model: Model) -> sa.Table:
    table = StoredTable.read(dataset, model.name).table
    assert table is not None
    return table


def _values(dataset: Dataset, column: sa.Column[Any]) -> Iterator[Any]:
    with dataset.engine.connect() as connection:
        yield from connection.execute(sa.select(column).where(column.is_not(None))).scalars()
