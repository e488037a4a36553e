"""Counts what tables hold after they were loaded, and keeps it: no page has to count.

Rows are counted exactly; how many have a value in each column, and how many different ones, among the
living rows, or in a sample where there are many.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa
from django.utils import timezone

from ingestion.models import DatasetProfile
from ingestion.pool.errors import PoolError
from ingestion.services.data import structure
from ingestion.services.data.figures import stored_figures
from ingestion.services.data.tables import DatasetTable, opened, reading
from ingestion.services.freshness.datasets import datasets
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.names import DELETED_AT

logger = logging.getLogger(__name__)

SAMPLE_ROWS: Final = 20_000
# One statement counts so many columns: databases bound what one answer may have.
COLUMNS_AT_ONCE: Final = 50
STATEMENT_SECONDS: Final = 60.0
# People change tables too, of which no run tells.
COUNT_AGAIN: Final = timedelta(days=1)
NO_ORDER: Final = frozenset({"json", "binary"})


@dataclass(frozen=True)
class Due:
    """A dataset that was loaded since it was counted; ``loaded_at``: the end of its last load."""

    crm_source: str
    model: str
    loaded_at: datetime


def refresh(*, seconds: float, crm_source: str | None = None) -> list[Due]:
    """Count what was loaded since it was counted, and complete its table, as far as the time goes; what
    was counted. What is being loaded or cannot be read is logged, and tried again next time."""
    ends_at = time.monotonic() + seconds
    done = []
    for due in due_datasets(crm_source):
        if time.monotonic() >= ends_at:
            break
        try:
            structure.complete(due.crm_source, due.model)
            count(due)
        except (PoolError, SyncError) as problem:
            logger.warning("%s.%s was not counted: %s", due.crm_source, due.model, problem)
        else:
            done.append(due)
    return done


def due_datasets(crm_source: str | None = None) -> Iterator[Due]:
    """Those that were counted longest ago come first."""
    known, now = stored_figures(), timezone.now()
    found = []
    for one in datasets(crm_source):
        load, profile = one.last_success, known.get((one.crm_source, one.model))
        if load is None:
            continue
        is_known = profile is not None and profile.loaded_at == load.ended_at
        if profile is None or not is_known or profile.counted_at < now - COUNT_AGAIN:
            counted_at = profile.counted_at.timestamp() if profile else 0.0
            found.append((counted_at, Due(one.crm_source, one.model, load.ended_at)))
    return (due for _, due in sorted(found, key=lambda pair: pair[0]))


def count(due: Due) -> DatasetProfile:
    """Raises UnknownDataset, WarehouseAway and TookTooLong."""
    with opened(due.crm_source, due.model) as found:
        counted = _counted(found)
    profile, _ = DatasetProfile.objects.update_or_create(
        crm_source=due.crm_source,
        model=due.model,
        defaults={**counted, "loaded_at": due.loaded_at, "counted_at": timezone.now()},
    )
    return profile


def _counted(found: DatasetTable) -> dict[str, Any]:
    table, dataset = found.table, found.stored.dataset
    with reading(dataset, STATEMENT_SECONDS) as connection:
        marks = table.c[DELETED_AT] if DELETED_AT in table.c else sa.null()
        rows, deleted = connection.execute(
            sa.select(sa.func.count(), sa.func.count(marks)).select_from(table)
        ).one()
        living = rows - deleted
        columns = dict(_columns(connection, found, living))
        size = _size(connection, found)
    return {
        "rows": living,
        "deleted_rows": deleted,
        "size_bytes": size,
        "sampled_rows": max((c.pop("of") for c in columns.values()), default=0),
        "columns": columns,
    }


def _columns(
    connection: sa.Connection, found: DatasetTable, living: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    names = list(found.types)
    for start in range(0, len(names), COLUMNS_AT_ONCE):
        part = names[start : start + COLUMNS_AT_ONCE]
        sample = _sample(found, part, living)
        asked: list[sa.ColumnElement[Any]] = [sa.func.count()]
        for name in part:
            column = sample.c[name]
            has_order = found.types[name] not in NO_ORDER
            asked += [
                sa.func.count(column),
                sa.func.count(sa.distinct(column)) if has_order else sa.null(),
            ]
        of, *counts = connection.execute(sa.select(*asked).select_from(sample)).one()
        for name, filled, distinct in zip(part, counts[::2], counts[1::2], strict=True):
            share = round(filled / of, 4) if of else None
            yield name, {"filled": share, "distinct": distinct, "of": of}


def _sample(found: DatasetTable, names: list[str], living: int) -> sa.Subquery:
    """Some of the living rows; all, where they are not more than a sample."""
    table: Any = found.table
    source, dialect = table, found.dialect
    if living > SAMPLE_ROWS and dialect == "postgresql":
        # Blocks, not rows: a little more than wanted, so that the bound cuts it.
        source = table.tablesample(sa.func.system(min(100.0, 120.0 * SAMPLE_ROWS / living)))
    query = sa.select(*(source.c[name] for name in names))
    if DELETED_AT in found.types:
        query = query.where(source.c[DELETED_AT].is_(None))
    if living > SAMPLE_ROWS and dialect == "sqlite":
        # By chance: every so many-th row may be of one kind.
        query = query.where(sa.func.random() % -(-living // SAMPLE_ROWS) == 0)
    return query.limit(SAMPLE_ROWS).subquery()


def _size(connection: sa.Connection, found: DatasetTable) -> int | None:
    """With its indexes, where the warehouse can say it."""
    if found.dialect == "postgresql":
        name = found.stored.dataset.engine.dialect.identifier_preparer.format_table(found.table)
        size = sa.func.pg_total_relation_size(sa.func.to_regclass(name))
        return int(connection.execute(sa.select(size)).scalar_one())
    if (files := found.stored.dataset.files) is not None:
        return files.size(found.model.name)
    if found.dialect == "sqlite":
        return _sqlite_size(connection, found.model.name)
    if found.dialect in ("mysql", "mariadb"):
        return _mariadb_size(connection, found)
    return None


def _mariadb_size(connection: sa.Connection, found: DatasetTable) -> int:
    question = sa.text(
        "SELECT data_length + index_length FROM information_schema.tables"
        " WHERE table_schema = :schema AND table_name = :name"
    )
    asked = {"schema": found.stored.dataset.schema, "name": found.model.name}
    return int(connection.execute(question, asked).scalar_one())


def _sqlite_size(connection: sa.Connection, table: str) -> int | None:
    question = sa.text(
        "SELECT sum(d.pgsize) FROM sqlite_schema s JOIN dbstat d ON d.name = s.name"
        " WHERE s.tbl_name = :name AND d.aggregate = 1"
    )
    try:
        found = connection.execute(question, {"name": table}).scalar_one()
    except sa.exc.OperationalError as problem:
        if "no such table" not in str(problem.orig):
            raise
        return None  # this SQLite was built without dbstat
    return None if found is None else int(found)
