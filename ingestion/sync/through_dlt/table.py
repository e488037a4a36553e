"""One model's table as it stands in the warehouse: its columns, what a row holds, deletion marks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa

from ingestion.sync.common.convert import Converter, NoKey
from ingestion.sync.common.names import DELETED_AT, ROW_HASH
from ingestion.sync.common.warehouse import Dataset

_Item = TypeVar("_Item")

# Keys per statement: SQLite takes 32 766 parameters, PostgreSQL 65 535.
KEYS_PER_STATEMENT = 1000
ROWS_PER_FETCH = 5000


class Stored(NamedTuple):
    """What the warehouse knows of a row."""

    row_hash: str | None
    is_deleted: bool


@dataclass
class StoredTable:
    """A table that may not exist yet; ``columns`` are its types then, by name."""

    dataset: Dataset
    name: str
    columns: dict[str, str] = field(default_factory=dict)
    _table: sa.Table | None = None

    @classmethod
    def read(cls, dataset: Dataset, name: str) -> StoredTable:
        """Look at the table as it is now."""
        found = dataset.columns_of(name)
        if not found:
            return cls(dataset, name)
        columns = (sa.Column(column, column_type) for column, column_type in found.items())
        table = sa.Table(name, sa.MetaData(), *columns, schema=dataset.schema)
        types = {c.name: data_type_of(c.type) for c in table.columns}
        own = {n: t for n, t in types.items() if not n.startswith("_dlt_")}
        return cls(dataset, name, own, table)

    @property
    def exists(self) -> bool:
        return self._table is not None

    @property
    def table(self) -> sa.Table:
        if self._table is None:
            raise LookupError(f"there is no table {self.dataset.name}.{self.name}")
        return self._table

    def stored(self, keys: Sequence[dict[str, Any]], converter: Converter) -> dict[str, Stored]:
        """What is known of these rows, by key text. ``keys``: the values of the key's columns."""
        if not self.exists:
            return {}
        columns = self._key_columns(converter)
        wanted = sa.select(*columns, self.table.c[ROW_HASH], self.table.c[DELETED_AT])
        found: dict[str, Stored] = {}
        with self.dataset.engine.connect() as connection:
            for chunk in _chunks(keys, KEYS_PER_STATEMENT // len(columns)):
                rows = connection.execute(wanted.where(_is_one_of(columns, chunk)))
                for row in rows.mappings():
                    key = converter.key_of(row)  # type: ignore[arg-type]
                    found[key] = Stored(row[ROW_HASH], row[DELETED_AT] is not None)
        return found

    def live_rows(self) -> int:
        """How many rows are not marked as deleted."""
        if not self.exists:
            return 0
        count = sa.select(sa.func.count()).select_from(self.table).where(self._is_live)
        with self.dataset.engine.connect() as connection:
            return int(connection.execute(count).scalar_one())

    def filled_columns(self, columns: Collection[str]) -> set[str]:
        """Those of ``columns`` that have a value in some live row."""
        names = sorted(columns)
        if not names or not self.exists:
            return set()
        counts = sa.select(*(sa.func.count(self.table.c[n]) for n in names)).where(self._is_live)
        with self.dataset.engine.connect() as connection:
            found = connection.execute(counts).one()
        return {name for name, count in zip(names, found, strict=True) if count}

    def rows(self, columns: Collection[str]) -> Iterator[dict[str, Any]]:
        """All live rows, a few at a time."""
        wanted = sa.select(*(self.table.c[name] for name in columns)).where(self._is_live)
        with self.dataset.engine.connect() as connection:
            result = connection.execution_options(yield_per=ROWS_PER_FETCH).execute(wanted)
            for row in result.mappings():
                yield dict(row)

    def live_keys(
        self, converter: Converter, owners: OwnedRows | None = None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key text and key values of the live rows, of some owners or of all."""
        columns = self._key_columns(converter)
        wanted = sa.select(*columns).where(self._is_live)
        with self.dataset.engine.connect() as connection:
            for condition in self._conditions(owners):
                result = connection.execution_options(yield_per=ROWS_PER_FETCH).execute(
                    wanted.where(condition)
                )
                for row in result.mappings():
                    yield _key_of(dict(row), converter), dict(row)

    def mark_deleted(
        self, keys: Iterable[dict[str, Any]], converter: Converter, *, at: datetime
    ) -> int:
        """Mark rows in one transaction; how many were not marked before."""
        columns = self._key_columns(converter)
        marked = 0
        moment = at if _has_zone(self.table.c[DELETED_AT]) else at.replace(tzinfo=None)
        change = sa.update(self.table).values({DELETED_AT: moment}).where(self._is_live)
        with self.dataset.engine.begin() as connection:
            for chunk in _chunks(keys, KEYS_PER_STATEMENT // len(columns)):
                done = connection.execute(change.where(_is_one_of(columns, chunk)))
                marked += done.rowcount
        return marked

    @property
    def _is_live(self) -> sa.ColumnElement[bool]:
        return self.table.c[DELETED_AT].is_(None)

    def _key_columns(self, converter: Converter) -> list[sa.Column[Any]]:
        return [self.table.c[name] for name in converter.key_columns]

    def _conditions(self, owners: OwnedRows | None) -> Iterator[sa.ColumnElement[bool]]:
        if owners is None:
            yield sa.true()
            return
        columns = [self.table.c[name] for name in owners.columns]
        for chunk in _chunks(owners.values, KEYS_PER_STATEMENT // len(columns)):
            yield _is_one_of(columns, chunk)


@dataclass(frozen=True)
class OwnedRows:
    """The rows whose ``columns`` have one of ``values``."""

    columns: tuple[str, ...]
    values: Sequence[dict[str, Any]]


def data_type_of(column_type: sa.types.TypeEngine[Any]) -> str:
    """The data type that a column of the warehouse holds. SQLite tells no zones: ``timestamp``."""
    if isinstance(column_type, sa.DateTime):
        is_zoneless = isinstance(column_type, sa.TIMESTAMP) and not column_type.timezone
        return "datetime" if is_zoneless else "timestamp"
    for kind, data_type in _KINDS:
        if isinstance(column_type, kind):
            return data_type
    return "text"


_KINDS: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (sa.Boolean, "bool"),
    (sa.Integer, "bigint"),
    (sa.Float, "double"),
    (sa.Numeric, "decimal"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.JSON, "json"),
    (sa.LargeBinary, "binary"),
)


def _has_zone(column: sa.Column[Any]) -> bool:
    return data_type_of(column.type) == "timestamp"


def _is_one_of(
    columns: Sequence[sa.Column[Any]], rows: Sequence[dict[str, Any]]
) -> sa.ColumnElement[bool]:
    if len(columns) == 1:
        (column,) = columns
        return column.in_([row[column.name] for row in rows])
    return sa.tuple_(*columns).in_([tuple(row[c.name] for c in columns) for row in rows])


def _key_of(row: dict[str, Any], converter: Converter) -> str:
    try:
        return converter.key_of(row)
    except NoKey:
        return ""


def _chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, max(1, size))):
        yield chunk
