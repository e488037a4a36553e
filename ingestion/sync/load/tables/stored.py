"""A model's table for readers: its columns by the map, and rows with values as Python has them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from ingestion.sync.common.names import DELETED_AT, MISFITS, OVERFLOW
from ingestion.sync.common.values import DoesNotFit, fit, plain_decimal
from ingestion.sync.common.warehouse import Dataset
from ingestion.sync.load.columns.column_map import IN_OVERFLOW, RESERVED
from ingestion.sync.load.columns.types import of_mariadb, of_postgresql, of_sqlite
from ingestion.sync.load.tables.own_tables import COLUMNS

ROWS_PER_FETCH: Final = 5_000
MARIADB: Final = ("mysql", "mariadb")


class ExactDecimal(sa.types.TypeDecorator[Decimal]):
    """A number of SQLite, which stands there as an integer, a double or a text; or of DuckDB or
    MariaDB, which fill it up with zeros."""

    impl = sa.types.NullType
    cache_ok = True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:
        return None if value is None else Decimal(plain_decimal(Decimal(str(value))))


class AsItStands(sa.types.TypeDecorator[Any]):
    """A value of SQLite, whose columns take anything: what is no value of the column's type comes as
    it stands."""

    impl = sa.types.NullType
    cache_ok = True

    def __init__(self, kind: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Callable[[Any], Any]:
        read = self.kind.dialect_impl(dialect).result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            if value is None or read is None:
                return value
            try:
                return read(value)
            except (ValueError, TypeError, ArithmeticError):
                return value

        return process


@dataclass(frozen=True)
class StoredTable:
    """``types``: data types by column, of the source's columns and ``_misfits``. ``names``: the
    column of each field. ``overflow``: types of what stands in ``_overflow``."""

    dataset: Dataset
    name: str
    types: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    overflow: dict[str, str] = field(default_factory=dict)
    table: sa.Table | None = None

    @classmethod
    def read(cls, dataset: Dataset, name: str) -> StoredTable:
        """Look at the table as it is now; there may be none."""
        found = dataset.columns_of(name)
        if not found:
            return cls(dataset, name)
        mapped = list(_mapped(dataset, name))
        kinds = {column: kind for _, column, kind, place in mapped if place not in IN_OVERFLOW}
        types = {
            column: kinds.get(column) or data_type_of(dataset, kind)
            for column, kind in found.items()
        }
        columns = [sa.Column(n, _sa_type(dataset, types[n], kind)) for n, kind in found.items()]
        own = {n: t for n, t in types.items() if n not in RESERVED or n == MISFITS}
        return cls(
            dataset,
            name,
            {n: t for n, t in own.items() if n in kinds or n == MISFITS or not mapped},
            {source: column for source, column, _, place in mapped if place != "earlier"},
            {column: kind for _, column, kind, place in mapped if place in IN_OVERFLOW},
            sa.Table(name, sa.MetaData(), *columns, schema=dataset.schema),
        )

    @property
    def exists(self) -> bool:
        return self.table is not None

    def rows(self) -> Iterator[dict[str, Any]]:
        """The values of all living rows, by column, without nulls; what overflowed is in its
        place again."""
        if self.table is None:
            return
        names = [c.name for c in self.table.c if c.name in self.types or c.name == OVERFLOW]
        wanted = sa.select(*(self.table.c[n] for n in names))
        wanted = wanted.where(self.table.c[DELETED_AT].is_(None))
        with self.dataset.engine.connect() as connection:
            result = connection.execution_options(yield_per=ROWS_PER_FETCH).execute(wanted)
            for row in result.mappings():
                values = {name: value for name, value in row.items() if value is not None}
                for name, value in values.pop(OVERFLOW, {}).items():
                    values[name] = _fitted(value, {**self.types, **self.overflow}[name])
                yield values


def data_type_of(dataset: Dataset, kind: sa.types.TypeEngine[Any]) -> str:
    """The data type of a column that no map has."""
    if dataset.engine.dialect.name == "sqlite":
        return "text" if isinstance(kind, sa.types.NullType) else of_sqlite(str(kind))
    if dataset.engine.dialect.name in MARIADB:
        words = kind.compile(dialect=dataset.engine.dialect).lower()
        return of_mariadb(words.split(" character set")[0], getattr(kind, "collation", None))
    return of_postgresql(_words(kind))


def _words(kind: sa.types.TypeEngine[Any]) -> str:
    """A type as information_schema names it."""
    if isinstance(kind, sa.DateTime):
        return f"timestamp {'with' if kind.timezone else 'without'} time zone"
    if isinstance(kind, sa.Time):
        return "time without time zone"
    words = kind.compile().lower().split("(")[0].strip()
    return _WORDS.get(words, words)


_WORDS: Final = {
    "varchar": "character varying",
    "float": "double precision",
    "double": "double precision",
    "blob": "bytea",
}


def _sa_type(
    dataset: Dataset, data_type: str, kind: sa.types.TypeEngine[Any]
) -> sa.types.TypeEngine[Any]:
    dialect = dataset.engine.dialect.name
    if dialect != "postgresql" and dialect != "sqlite" and data_type == "decimal":
        return ExactDecimal()
    if dialect in MARIADB:
        return _OF_MARIADB.get(data_type, kind)
    if dialect != "sqlite":
        return kind
    return AsItStands(ExactDecimal() if data_type == "decimal" else kind)


# As what MariaDB hands over a text, a number and a decimal.
_OF_MARIADB: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "json": sa.JSON(),
    "bool": sa.Boolean(),
    "double": sa.Double(),
}


def _mapped(dataset: Dataset, name: str) -> Iterator[tuple[str, str, str, str]]:
    """Field, column, type and place; none in a warehouse without a map."""
    if not dataset.has_table(COLUMNS):
        return
    columns: list[sa.ColumnClause[str]] = [
        sa.column(n) for n in ("source_name", "column_name", "data_type", "place")
    ]
    of = sa.table(COLUMNS, sa.column("model"), *columns, schema=dataset.schema)
    with dataset.engine.connect() as connection:
        for row in connection.execute(sa.select(*columns).where(of.c.model == name)):
            yield row[0], row[1], row[2], row[3]


def _fitted(value: Any, data_type: str) -> Any:
    try:
        return fit(
            json.loads(value) if data_type == "json" and isinstance(value, str) else value,
            data_type,
        )
    except DoesNotFit:
        return value
