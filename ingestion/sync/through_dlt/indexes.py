"""The index by key: no key twice, and a look at a thousand keys without reading the table."""

from __future__ import annotations

import sqlalchemy as sa

from ingestion.sync.common.names import MAX_IDENTIFIER_LENGTH
from ingestion.sync.common.warehouse import Dataset, Warehouse

# Others cannot index a text of any length, or know no indexes at all.
INDEXED_DIALECTS = frozenset({"sqlite", "postgresql"})


def ensure_key_index(
    dataset: Dataset, table: str, key_columns: tuple[str, ...], *, unique: bool = True
) -> None:
    """Create the index of a table's key unless it is there."""
    if dataset.engine.dialect.name not in INDEXED_DIALECTS:
        return
    columns: list[sa.Column[str]] = [sa.Column(name) for name in key_columns]
    sa.Table(table, sa.MetaData(), *columns, schema=dataset.schema)
    prefix = "ux" if unique else "ix"
    index = sa.Index(f"{prefix}_{table}"[:MAX_IDENTIFIER_LENGTH], *columns, unique=unique)
    with dataset.engine.begin() as connection:
        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def ensure_staging_index(
    warehouse: Warehouse, staging: str, table: str, key_columns: tuple[str, ...]
) -> None:
    """SQLite looks at every staged row for each row of the table, unless there is an index; others
    build a hash by themselves. A first load has no staging table yet, and nothing to replace."""
    if warehouse.is_sqlite and warehouse.dataset(staging).has_table(table):
        ensure_key_index(warehouse.dataset(staging), table, key_columns, unique=False)
