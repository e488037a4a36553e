"""What every task pays for, as statements of their own: its submission, its attempt, its end.

Each stands in ``sql/``, one file for each verb and database; its header says what it takes. Rows and
audit records are given as JSON, which costs less than a value for each column. On PostgreSQL a row and
its audit record are one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ingestion.pool.clock import to_us
from ingestion.pool.record import json_text
from ingestion.pool.task import utc_now
from ingestion.services.infra.database import LOCK_WAIT_MS, as_unavailable, bounded_transaction

SQL_DIR = Path(__file__).parent / "sql"
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Entered:
    """What a submission has written; ``place_us`` is None where only the store can give the row its
    place."""

    task_id: str
    row_id: int
    place_us: int | None
    record_id: int


def enter(rows: Sequence[Columns], records: Sequence[Columns]) -> dict[str, Entered]:
    """The rows of new tasks and their audit records, by task id; all or none."""
    db = connections[DEFAULT_DB_ALIAS]
    given = {"rows": _json(db, rows), "records": _json(db, records)}
    if db.vendor == "postgresql":
        found = _in_transaction(db, _sql("enter", db), given)
    else:
        with transaction.atomic():
            entered = _run(db, "enter", {**given, "now_us": to_us(utc_now())})
            recorded = dict(_run(db, "record", given))
            found = [(*row, recorded[row[0]]) for row in entered]
    return {row[0]: Entered(*row) for row in found}


def hold(task_id: str, *, token: str, epoch: int, row: Columns) -> int | None:
    """The id of the row in which the attempt was recorded. Waits for a second and a half at most."""
    db = connections[DEFAULT_DB_ALIAS]
    given = {"task_id": task_id, "token": token, "epoch": epoch, "row": _json(db, row)}
    if db.vendor == "postgresql":
        with as_unavailable():
            return _id(_run(db, "hold", {**given, "lock_wait_ms": LOCK_WAIT_MS}))
    with bounded_transaction():
        return _id(_run(db, "hold", given))


def start(task_id: str, *, epoch: int | None, row: Columns) -> bool:
    """False where somebody got there first, or ``epoch`` is over."""
    db = connections[DEFAULT_DB_ALIAS]
    return bool(_run(db, "start", {"task_id": task_id, "epoch": epoch, "row": _json(db, row)}))


def note(task_id: str, *, attempt: int, outcome: Columns) -> bool:
    """False where it is noted already, or the attempt does not run."""
    db = connections[DEFAULT_DB_ALIAS]
    given = {"task_id": task_id, "attempt": attempt, "outcome": _json(db, outcome)}
    return bool(_run(db, "note", given))


def close(
    task_id: str, *, attempt: int, row: Columns, record: Columns, is_first: bool = False
) -> bool:
    """False where the row has ended or a newer attempt runs, or it was not the first to tell how
    this attempt ended."""
    db = connections[DEFAULT_DB_ALIAS]
    given = {"task_id": task_id, "attempt": attempt, "is_first": is_first, "row": _json(db, row)}
    records = {"records": _json(db, [record])}
    if db.vendor == "postgresql":
        return bool(_run(db, "close", given | records))
    with transaction.atomic():
        return bool(_run(db, "close", given)) and bool(_run(db, "record", records))


def _run(db: BaseDatabaseWrapper, verb: str, given: Columns) -> list[tuple[Any, ...]]:
    """The rows of its answer, which is that of the last of its statements."""
    with db.cursor() as cursor:
        cursor.execute(_sql(verb, db), given)
        return _answer(cursor)


def _in_transaction(db: BaseDatabaseWrapper, sql: str, given: Columns) -> list[tuple[Any, ...]]:
    """In a transaction of its own that begins with the statement: one round trip less.

    A server that is blocked may carry out a statement long after its caller has given it up; only a
    transaction that nobody commits any more leaves no row then.
    """
    if db.in_atomic_block or not db.get_autocommit():
        with transaction.atomic(), db.cursor() as cursor:
            cursor.execute(sql, given)
            return _answer(cursor)
    try:
        with db.cursor() as cursor:
            cursor.execute(f"BEGIN; {sql}", given)
            found = _answer(cursor)
        with db.wrap_database_errors:
            db.connection.commit()
    except BaseException:
        db.close()  # whoever comes next must not commit it
        raise
    return found


def _answer(cursor: Any) -> list[tuple[Any, ...]]:
    while getattr(cursor, "nextset", lambda: False)():
        pass
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _id(found: list[tuple[Any, ...]]) -> int | None:
    return int(found[0][0]) if found else None


@cache
def _read(verb: str, vendor: str) -> str:
    text = (SQL_DIR / f"{verb}.{vendor}.sql").read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def _sql(verb: str, db: BaseDatabaseWrapper) -> str:
    return _read(verb, db.vendor)


def _json(db: BaseDatabaseWrapper, value: Columns | Sequence[Columns]) -> str:
    if isinstance(value, Mapping):
        return json_text(_adapted(db, value))
    return json_text([_adapted(db, each) for each in value])


def _adapted(db: BaseDatabaseWrapper, columns: Columns) -> dict[str, Any]:
    """Times as this database writes them."""
    adapt = db.ops.adapt_datetimefield_value
    return {
        name: str(adapt(value)) if isinstance(value, datetime) else value
        for name, value in columns.items()
    }
