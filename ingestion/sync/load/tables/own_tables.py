"""The load's own tables, one set in each dataset, for people to read: ``_columns`` says which field
feeds which column, ``_watermarks`` where the next run goes on, ``_rejected`` what was not loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ingestion.sync.common.names import COLUMNS_TABLE, REJECTED_TABLE, WATERMARKS_TABLE
from ingestion.sync.common.source import Watermark
from ingestion.sync.common.window import from_state, to_state
from ingestion.sync.load.columns.column_map import Column
from ingestion.sync.load.columns.types import declared, key_declared
from ingestion.sync.load.tables.session import Session
from ingestion.sync.load.tables.statements import on_conflict

COLUMNS: Final = COLUMNS_TABLE
WATERMARKS: Final = WATERMARKS_TABLE
REJECTED: Final = REJECTED_TABLE

# Columns with their types; those of the key first.
_TABLES: Final[Mapping[str, tuple[int, Mapping[str, str]]]] = {
    COLUMNS: (
        3,
        {
            "model": "text",
            "source_name": "text",
            "place": "text",
            "column_name": "text",
            "data_type": "text",
            "declared": "bool",
            "first_seen_at": "timestamp",
            "proposed_type": "text",
        },
    ),
    WATERMARKS: (
        1,
        {
            "model": "text",
            "kind": "text",
            "value": "text",
            "has_old_hashes": "bool",
            "keys_listed_at": "timestamp",
            "updated_at": "timestamp",
        },
    ),
    REJECTED: (
        2,
        {
            "model": "text",
            "fingerprint": "text",
            "record_key": "text",
            "raw": "text",
            "reason": "text",
            "detail": "text",
            "run_id": "text",
            "rejected_at": "timestamp",
            "raw_form": "text",
        },
    ),
}
NAMES: Final = tuple(_TABLES)
_STATE: Final = tuple(_TABLES[WATERMARKS][1])[1:]
REJECTED_COLUMNS: Final = dict(_TABLES[REJECTED][1])


@dataclass(frozen=True)
class State:
    """What a run leaves for the next one. ``has_old_hashes``: the table has rows that an earlier
    version hashed; they are compared by their values."""

    watermark: Watermark | None = None
    has_old_hashes: bool = False
    keys_listed_at: datetime | None = None


def create(session: Session) -> None:
    """Inside a transaction that also makes the dataset. Tables of an earlier release get the
    columns that they lack."""
    for name, (keys, columns) in _TABLES.items():
        key = list(columns)[:keys]
        named = [f"{n} {_declared(session, n, kind, key)}" for n, kind in columns.items()]
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {session.table(name)} "
            f"({', '.join(named)}, PRIMARY KEY ({', '.join(key)}))"
        )
        found = session.columns_of(name)
        for column in columns.keys() - found.keys():
            session.add_column(session.table(name), column, columns[column])


def _declared(session: Session, name: str, kind: str, key: Sequence[str]) -> str:
    if name in key:
        return key_declared(name, kind, session.dialect, key)
    return declared(kind, session.dialect)


def are_there(session: Session) -> bool:
    """Whether this path has loaded into the dataset; somebody may have dropped one of them since."""
    return session.has_dataset and any(session.columns_of(name) for name in _TABLES)


def are_current(session: Session) -> bool:
    """Whether they have all their columns."""
    return session.has_dataset and all(
        columns.keys() <= session.columns_of(name).keys() for name, (_, columns) in _TABLES.items()
    )


def columns(session: Session, model: str) -> list[Column]:
    """The map of a model, in the order in which its fields came."""
    there = session.columns_of(COLUMNS)
    if not there:
        return []
    proposed = "proposed_type" if "proposed_type" in there else "NULL"
    found = session.rows(
        f"SELECT source_name, column_name, data_type, place, declared, {proposed}"
        f" FROM {session.table(COLUMNS)} WHERE model = ? ORDER BY first_seen_at, column_name",
        (model,),
    )
    return [
        Column(n, c, kind, place, bool(is_declared), wanted)
        for n, c, kind, place, is_declared, wanted in found
    ]


def keep_columns(session: Session, model: str, changed: Iterable[Column], at: datetime) -> None:
    """Add columns, or change their types and places."""
    for column in changed:
        where = "model = ? AND column_name = ?"
        of = session.table(COLUMNS)
        values = (
            column.source_name,
            column.data_type,
            column.place,
            column.declared,
            column.proposed_type,
        )
        updated = session.execute(
            f"UPDATE {of} SET source_name = ?, data_type = ?, place = ?, declared = ?,"
            f" proposed_type = ? WHERE {where}",
            (*values, model, column.name),
        )
        if not updated:
            session.execute(
                f"INSERT INTO {of} (source_name, data_type, place, declared, proposed_type, model,"
                " column_name, first_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, model, column.name, session.moment(at)),
            )


def state(session: Session, model: str) -> State | None:
    """None where no run of this path has ended yet."""
    if not session.columns_of(WATERMARKS):
        return None
    found = session.rows(
        "SELECT kind, value, has_old_hashes, keys_listed_at"
        f" FROM {session.table(WATERMARKS)} WHERE model = ?",
        (model,),
    )
    if not found:
        return None
    kind, value, has_old_hashes, listed_at = found[0]
    if isinstance(listed_at, str):
        listed_at = datetime.fromisoformat(listed_at)
    if listed_at is not None:  # SQLite and MariaDB keep no zone
        listed_at = listed_at if listed_at.tzinfo else listed_at.replace(tzinfo=UTC)
    return State(_watermark(kind, value), bool(has_old_hashes), listed_at)


def keep_state(session: Session, model: str, kept: State, at: datetime) -> None:
    told = to_state(kept.watermark) if kept.watermark is not None else {"kind": None, "value": None}
    value = None if told["value"] is None else str(told["value"])
    listed_at = session.moment(kept.keys_listed_at) if kept.keys_listed_at else None
    session.execute(
        f"INSERT INTO {session.table(WATERMARKS)}"
        " (model, kind, value, has_old_hashes, keys_listed_at, updated_at)"
        f" VALUES (?, ?, ?, ?, ?, ?) {on_conflict(session, ('model',), list(_STATE))}",
        (model, told["kind"], value, kept.has_old_hashes, listed_at, session.moment(at)),
    )


def _watermark(kind: str | None, value: Any) -> Watermark | None:
    if kind is None:
        return None
    return from_state({"kind": kind, "value": int(value) if kind == "int" else value})
