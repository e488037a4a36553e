"""What a model's table is made of: its columns, the fields that feed them, and what was rejected."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ingestion.conf import warehouse_conf
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.names import COLUMNS_TABLE, REJECTED_TABLE
from ingestion.sync.common.registry import crm

if TYPE_CHECKING:
    from ingestion.sync.common.warehouse import Dataset

logger = logging.getLogger(__name__)

# Counting reads a whole table.
KEPT_SECONDS: Final = 60.0
SHOWN_REJECTED: Final = 20
IN_TABLE: Final = frozenset({"column", "earlier", "accepted"})
# SQLite takes 2 000 columns into one answer.
COUNTED_AT_ONCE: Final = 500
MAP: Final = ("source_name", "column_name", "data_type", "place", "declared", "first_seen_at")


@dataclass(frozen=True)
class ColumnFacts:
    """``place``: see ``Place``; ``proposed_type``: a type that would take what did not fit.
    ``texts``: in how many rows a decimal column of SQLite has a text, because the number is neither
    an integer of 64 bits nor equal to a double."""

    field: str
    column: str
    data_type: str
    place: str
    is_declared: bool
    first_seen_at: str
    proposed_type: str | None = None
    texts: int = 0


@dataclass(frozen=True)
class RejectedFacts:
    """Why a record could not be loaded; its fields stay in the warehouse."""

    key: str
    reason: str
    detail: str
    rejected_at: str


@dataclass(frozen=True)
class DatasetColumns:
    """``problem``: why nothing could be read. ``rejected``: how many records by reason, and
    ``last_rejected`` the last of them."""

    crm_source: str
    model: str
    columns: tuple[ColumnFacts, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    last_rejected: tuple[RejectedFacts, ...] = ()
    problem: str = ""

    @property
    def mixed(self) -> tuple[ColumnFacts, ...]:
        """Those that hold both numbers and texts that stand for numbers."""
        return tuple(column for column in self.columns if column.texts)

    @property
    def proposed(self) -> tuple[ColumnFacts, ...]:
        return tuple(c for c in self.columns if c.place == "proposed" or c.proposed_type)


_lock = threading.Lock()
_kept: dict[tuple[str, str], tuple[float, DatasetColumns]] = {}


def dataset_columns(crm_source: str, model: str) -> DatasetColumns:
    """At most a minute old. Raises LookupError for an unknown CRM or model."""
    crm(crm_source).model(model)
    with _lock:
        read_at, found = _kept.get((crm_source, model), (None, None))
        if found is None or read_at is None or time.monotonic() - read_at >= KEPT_SECONDS:
            found = _read(crm_source, model)
            _kept[crm_source, model] = (time.monotonic(), found)
    return found


def forget() -> None:
    """The next question reads the warehouse."""
    with _lock:
        _kept.clear()


def _read(crm_source: str, model: str) -> DatasetColumns:
    from ingestion.sync.common.warehouse import Warehouse

    try:
        with closing(Warehouse(warehouse_conf().url)) as warehouse:
            dataset = warehouse.dataset(crm_source)
            columns = _columns(dataset, model)
            rejected, last = _rejected(dataset, model), _last_rejected(dataset, model)
            return DatasetColumns(crm_source, model, columns, rejected, last)
    except (SyncError, sa.exc.SQLAlchemyError):
        logger.warning("the columns of %s.%s could not be read", crm_source, model, exc_info=True)
        return DatasetColumns(crm_source, model, problem="The warehouse cannot be read now.")


def _columns(dataset: Dataset, model: str) -> tuple[ColumnFacts, ...]:
    known = dataset.columns_of(COLUMNS_TABLE)
    if not known:
        return ()
    names = [*MAP, *(["proposed_type"] if "proposed_type" in known else [])]
    table = sa.table(
        COLUMNS_TABLE, sa.column("model"), *map(sa.column, names), schema=dataset.schema
    )
    question = sa.select(*(table.c[name] for name in names)).where(table.c.model == model)
    with dataset.engine.connect() as connection:
        found = list(connection.execute(question.order_by(table.c.column_name)).mappings())
    texts = _texts(dataset, model, [r["column_name"] for r in found if _may_be_mixed(r)])
    return tuple(
        ColumnFacts(
            field=r["source_name"],
            column=r["column_name"],
            data_type=r["data_type"],
            place=r["place"],
            is_declared=bool(r["declared"]),
            first_seen_at=str(r["first_seen_at"] or "")[:19],
            proposed_type=r.get("proposed_type"),
            texts=texts.get(r["column_name"], 0),
        )
        for r in found
    )


def _may_be_mixed(row: Any) -> bool:
    return bool(row["data_type"] == "decimal" and row["place"] in IN_TABLE)


def _texts(dataset: Dataset, model: str, columns: list[str]) -> dict[str, int]:
    """Only SQLite keeps values of several kinds in one column."""
    if dataset.engine.dialect.name != "sqlite":
        return {}
    there = dataset.columns_of(model)
    found: dict[str, int] = {}
    wanted = [name for name in columns if name in there]
    for start in range(0, len(wanted), COUNTED_AT_ONCE):
        names = wanted[start : start + COUNTED_AT_ONCE]
        table = sa.table(model, *map(sa.column, names))
        is_text = {n: sa.func.typeof(table.c[n]) == "text" for n in names}
        counts = [sa.func.count(sa.case((is_text[n], 1))).label(n) for n in names]
        with dataset.engine.connect() as connection:
            found |= connection.execute(sa.select(*counts)).mappings().one()
    return found


def _rejected(dataset: Dataset, model: str) -> dict[str, int]:
    table = dataset.table(REJECTED_TABLE, "model", "reason")
    if table is None:
        return {}
    question = sa.select(table.c.reason, sa.func.count()).where(table.c.model == model)
    with dataset.engine.connect() as connection:
        rows = connection.execute(question.group_by(table.c.reason)).all()
    return {str(reason): int(count) for reason, count in sorted(rows)}


def _last_rejected(dataset: Dataset, model: str) -> tuple[RejectedFacts, ...]:
    names = ("record_key", "reason", "detail", "rejected_at")
    table = dataset.table(REJECTED_TABLE, "model", *names)
    if table is None:
        return ()
    question = sa.select(*(table.c[name] for name in names)).where(table.c.model == model)
    latest = question.order_by(table.c.rejected_at.desc(), table.c.record_key)
    with dataset.engine.connect() as connection:
        rows = connection.execute(latest.limit(SHOWN_REJECTED)).all()
    return tuple(
        RejectedFacts(str(key or ""), str(reason), str(detail or ""), str(at or "")[:19])
        for key, reason, detail, at in rows
    )
