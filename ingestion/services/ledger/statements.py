"""What every task pays for, as statements of their own: its submission, its attempt, its end.

Written by the ORM each costs a millisecond more, and the first and the last a round trip. Values go
through the model's fields all the same. On PostgreSQL a row and its audit record are one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection, models, transaction

from ingestion.models import ActiveStoreState, AuditRecord, SyncHistory

# One clock for all hosts, so that a task that was submitted after another one stands behind it.
DATABASE_CLOCK_US = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
PLACE = "queued_us"
ROWS = SyncHistory._meta.db_table
OPEN_ROW = "worker_pool_task_id = %s AND status IN ('queued', 'running')"
# A change of the active store waits for whoever has read it so, and is seen by whoever waited for it.
IN_FORCE = (
    f"EXISTS (SELECT 1 FROM {ActiveStoreState._meta.db_table}"  # noqa: S608
    " WHERE epoch = %s AND NOT is_degraded{lock})"
)


def enter(row: SyncHistory, record: AuditRecord, *, is_placed: bool) -> None:
    """Fills the primary keys of both, and the row's place. With ``is_placed`` a clock that all
    hosts share gives that: the database's; with SQLite there is one host."""
    # A server that is blocked may carry out a statement long after its caller has given it up; only
    # a transaction that nobody commits any more leaves no row then.
    with transaction.atomic():
        if _is_postgres():
            _enter_at_once(row, record, is_placed=is_placed)
            return
        for each in (row, record):
            (each.pk,) = _run(f"{_insert(type(each))} RETURNING id", _values(each)) or (None,)


def _enter_at_once(row: SyncHistory, record: AuditRecord, *, is_placed: bool) -> None:
    entered = _insert(SyncHistory, place=DATABASE_CLOCK_US if is_placed else "%s")
    found = _run(
        f"WITH entered AS ({entered} RETURNING id, {PLACE}),"  # noqa: S608
        f" noted AS ({_insert(AuditRecord)} RETURNING id)"
        f" SELECT entered.id, {PLACE}, noted.id FROM entered, noted",
        [*_values(row, without=PLACE if is_placed else ""), *_values(record)],
    )
    row.pk, row.queued_us, record.pk = found or (None, None, None)


def hold(task_id: str, *, attempt: int, token: str, epoch: int, columns: Mapping[str, Any]) -> bool:
    """Write that a worker has this attempt, unless the row has ended, has the attempt in other
    hands or a later one, or ``epoch`` is over."""
    in_force = IN_FORCE.format(lock=" FOR SHARE" if _is_postgres() else "")
    sql, values = _update(columns)
    sql += (
        f" WHERE {OPEN_ROW} AND (attempt < %s OR attempt = %s"
        f" AND (confirm_token IS NULL OR confirm_token = %s)) AND {in_force} RETURNING id"
    )
    return _run(sql, [*values, task_id, attempt, attempt, token, epoch]) is not None


def start(task_id: str, *, attempt: int, epoch: int | None, columns: Mapping[str, Any]) -> bool:
    """Queued, or running in an older attempt, becomes running in this attempt; with an ``epoch``
    only while that is in force."""
    sql, values = _update(columns)
    sql += f" WHERE {OPEN_ROW} AND attempt < %s"
    values += [task_id, attempt]
    if epoch is not None:
        sql += f" AND {IN_FORCE.format(lock='')}"
        values.append(epoch)
    return _run(f"{sql} RETURNING id", values) is not None


def note(task_id: str, *, attempt: int, outcome: Mapping[str, Any]) -> bool:
    """Note how a running attempt ended, unless that is noted already."""
    noted = "outcome ->> 'attempt'" if _is_postgres() else "json_extract(outcome, '$.attempt')"
    sql, values = _update({"outcome": outcome})
    sql += (
        f" WHERE {OPEN_ROW} AND status = 'running' AND attempt = %s"
        f" AND (outcome IS NULL OR CAST({noted} AS text) <> %s) RETURNING id"
    )
    return _run(sql, [*values, task_id, attempt, str(attempt)]) is not None


def close(task_id: str, *, attempt: int, columns: Mapping[str, Any], record: AuditRecord) -> bool:
    """End the row and add the audit record, unless it has ended or a newer attempt runs."""
    sql, values = _update(columns)
    sql += f" WHERE {OPEN_ROW} AND attempt <= %s RETURNING id"
    values += [task_id, attempt]
    if _is_postgres():
        noted = _insert(AuditRecord, source="closed")
        closing = f"WITH closed AS ({sql}) {noted} RETURNING id"
        return _run(closing, [*values, *_values(record)]) is not None
    with transaction.atomic():
        is_closed = _run(sql, values) is not None
        if is_closed:
            _run(f"{_insert(AuditRecord)} RETURNING id", _values(record))
    return is_closed


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def _run(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of its answer."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: tuple[Any, ...] | None = cursor.fetchone()
        return found


def _update(columns: Mapping[str, Any]) -> tuple[str, list[Any]]:
    named = {field.attname: field for field in _fields(SyncHistory)}
    fields = [named[name] for name in columns]
    assigned = ", ".join(f"{field.column} = %s" for field in fields)
    values = [
        field.get_db_prep_save(value, connection)
        for field, value in zip(fields, columns.values(), strict=True)
    ]
    return f"UPDATE {ROWS} SET {assigned}", values  # noqa: S608


@cache
def _insert(model: type[models.Model], *, place: str = "%s", source: str = "") -> str:
    """``source``: insert only if that has a row."""
    fields = _fields(model)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    values = [place if field.column == PLACE else "%s" for field in fields]
    into = f"INSERT INTO {model._meta.db_table} ({names})"
    if not source:
        return f"{into} VALUES ({', '.join(values)})"
    # What is selected has a type before it is inserted.
    typed = ", ".join(
        f"{value}::{_type(field)}" for value, field in zip(values, fields, strict=True)
    )
    return f"{into} SELECT {typed} FROM {source}"  # noqa: S608


def _type(field: models.Field[Any, Any]) -> str:
    is_text = isinstance(field, models.CharField | models.TextField)
    return "text" if is_text else str(field.db_type(connection))


@cache
def _fields(model: type[models.Model]) -> tuple[models.Field[Any, Any], ...]:
    return tuple(field for field in model._meta.concrete_fields if not field.primary_key)


def _values(instance: models.Model, *, without: str = "") -> list[Any]:
    return [
        field.get_db_prep_save(field.pre_save(instance, add=True), connection)
        for field in _fields(type(instance))
        if field.column != without
    ]
