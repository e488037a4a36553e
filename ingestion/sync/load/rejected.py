"""``_rejected``: records that could not be loaded, until a good version of them comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.sync.load.columns.batch import KEY_SEPARATOR
from ingestion.sync.load.reading import Reading
from ingestion.sync.load.tables import own_tables, statements
from ingestion.sync.load.tables.own_tables import REJECTED, REJECTED_COLUMNS
from ingestion.sync.load.tables.session import Session
from ingestion.sync.load.tables.table import Table


@dataclass(frozen=True)
class RejectedRecord:
    """A record as it is kept. ``raw_form``: see ``RawForm``; None, where nobody knows."""

    fingerprint: str
    key: str | None
    raw: str
    raw_form: str | None


def kept(session: Session, model: str, of_run: str | None) -> Iterator[RejectedRecord]:
    """Of one run, or all of a model."""
    there = session.columns_of(REJECTED)
    if not there:
        return iter(())
    form = "raw_form" if "raw_form" in there else "NULL"
    which, values = ("AND run_id = ?", (of_run,)) if of_run else ("", ())
    found = session.rows(
        f"SELECT fingerprint, record_key, raw, {form} FROM {session.table(REJECTED)}"
        f" WHERE model = ? {which} ORDER BY rejected_at, fingerprint",
        (model, *values),
    )
    return (RejectedRecord(*row) for row in found)


def staged(session: Session) -> list[tuple[Any, ...]]:
    """Key, reason and detail of those that a run has rejected."""
    return session.rows(
        f"SELECT DISTINCT record_key, reason, detail FROM {session.staged('rejected')}"
    )


def write(reading: Reading, table: Table) -> None:
    """Forget those that came again and are good, add those of this run. Inside a transaction."""
    session, model = table.session, table.model
    if not reading.has_begun:
        return
    of = session.table(REJECTED)
    if reading.replays:
        _write_replayed(session, model)
        return
    if reading.is_whole and not reading.is_partial:
        session.execute(f"DELETE FROM {of} WHERE model = ?", (model,))
    elif session.rows(f"SELECT 1 FROM {of} WHERE model = ? LIMIT 1", (model,)):
        key = _key_text(session, reading.batcher.key_columns)
        session.execute(
            f"DELETE FROM {of} WHERE model = ? AND record_key IN"
            f" (SELECT {key} FROM {_rows(reading, table)} s)",
            (model,),
        )
    if reading.batcher.rejects.count:
        _add(session)


def keep(reading: Reading, table: Table) -> None:
    """Those of a run that loads nothing, in a transaction of their own."""
    session = table.session
    if session.is_dry:
        return
    with session.transaction():
        session.create_dataset()
        own_tables.create(session)
        _add(session)


def _write_replayed(session: Session, model: str) -> None:
    """Forget those that are loaded now; the others stay as they were, with today's reason."""
    session.execute(
        f"DELETE FROM {session.table(REJECTED)} WHERE model = ?"
        f" AND fingerprint IN (SELECT fingerprint FROM {session.staged('replayed')})"
        f" AND fingerprint NOT IN (SELECT fingerprint FROM {session.staged('rejected')})",
        (model,),
    )
    _add(session, changes=("reason", "detail"))


def _add(session: Session, changes: Sequence[str] = tuple(REJECTED_COLUMNS)[2:]) -> None:
    """``changes``: what is written over of those that are there."""
    names = ", ".join(REJECTED_COLUMNS)
    newest = ", ".join(f"max({n}) AS {n}" for n in list(REJECTED_COLUMNS)[2:])
    session.execute(
        f"INSERT INTO {session.table(REJECTED)} ({names}) SELECT {names} FROM (SELECT model,"
        f" fingerprint, {newest} FROM {session.staged('rejected')} GROUP BY model, fingerprint)"
        f" AS r WHERE true {statements.on_conflict(session, ('model', 'fingerprint'), changes)}"
    )


def _rows(reading: Reading, table: Table) -> str:
    """The staged rows, which may have become the table."""
    return (
        table.session.table(table.model)
        if reading.stager.publishes
        else table.session.staged("rows")
    )


def _key_text(session: Session, columns: tuple[str, ...]) -> str:
    parts = [statements.as_text(session, f"s.{session.quote(name)}") for name in columns]
    return f" || '{KEY_SEPARATOR}' || ".join(parts)
