"""Loads the records of ``_rejected`` again, through the conversion of today; the CRM is not asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Columns, Model, Page, Record, Window
from ingestion.sync.load import rejected
from ingestion.sync.load.columns.rejects import Reason
from ingestion.sync.load.columns.steps import Steps
from ingestion.sync.load.loading import Loading
from ingestion.sync.load.pipeline import begin, opened
from ingestion.sync.load.rejected import RejectedRecord
from ingestion.sync.load.run import Run
from ingestion.sync.load.tables import own_tables
from ingestion.sync.load.tables.table import Table

# A window by dates: nothing is marked as deleted and no watermark moves.
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
Why = Reason | Literal["masked", "cut", "unknown_field"]


@dataclass(frozen=True)
class Left:
    """A record that stays in ``_rejected``, and why."""

    key: str | None
    reason: Why
    detail: str


@dataclass
class Replayed:
    """What became of a model's rejected records; counts are records."""

    model: str
    records: int = 0
    loaded: int = 0
    created: int = 0
    updated: int = 0
    left: list[Left] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class _Kept:
    """A source of records that were kept; keeps the CrmSource contract."""

    records: Sequence[Record]
    stays_in_thread: bool = True

    def columns(self, model: Model) -> Columns:
        return {}

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        yield Page(self.records)

    def close(self) -> None: ...


def replay(run: Run, *, of_run: str | None = None) -> Replayed:
    """Under the model's lock. ``of_run``: only what this run has rejected; with the option
    ``dry_run`` nothing stays changed. The source of ``run`` is not used. Raises SyncError."""
    with opened(run, Steps()) as session:
        result = Replayed(run.model.name)
        if not own_tables.are_there(session):
            return result
        kept = list(rejected.kept(session, run.model.name, of_run))
        result.records = len(kept)
        table = Table.read(session, run.crm.name, run.model.name, run.schema_policy)
        records = list(_replayable(kept, table, result))
        if records:
            _load(run, table, dict(records), result)
        return result


NO_SOURCE: Final = _Kept(())


def has_any(run: Run) -> bool:
    """Whether a record of the model is rejected; looks without creating or locking anything."""
    table = run.dataset.table(own_tables.REJECTED, "model")
    if table is None:
        return False
    with run.dataset.engine.connect() as connection:
        found = sa.select(table.c.model).where(table.c.model == run.model.name).limit(1)
        return connection.execute(found).first() is not None


def _replayable(
    kept: Sequence[RejectedRecord], table: Table, result: Replayed
) -> Iterator[tuple[str, Record]]:
    """Records by their fingerprints; what cannot be loaded as it is kept is left."""
    for one in kept:
        why = _why_not(one)
        record: Record = {} if why else json.loads(one.raw)
        unknown = sorted(record.keys() - {DELETED_AT} - table.map.columns.keys())
        if why is None and unknown:
            why = Left(
                one.key,
                "unknown_field",
                f"no run has loaded {unknown[0]} yet: only a sync knows its type",
            )
        if why:
            result.left.append(why)
        else:
            yield one.fingerprint, record


def _why_not(one: RejectedRecord) -> Left | None:
    if one.raw_form == "whole":
        return None
    if one.raw_form == "masked":
        return Left(one.key, "masked", "secrets in it were masked: only a sync can read it again")
    return Left(one.key, "cut", "it is kept in part: only a sync can read it again")


def _load(run: Run, table: Table, records: dict[str, Record], result: Replayed) -> None:
    session, counted = table.session, ModelResult(run.model.name)
    options = replace(run.options, start_date=BEGINNING, mode="delta")
    own = replace(run, source=_Kept(list(records.values())), options=options)
    reading = begin(own, table, Steps(), counted)
    reading.read()
    if not reading.has_begun:
        return
    session.create_stage("replayed", {"fingerprint": "text"})
    session.insert("replayed", ["fingerprint"], [(name,) for name in records])
    reading.replays = True
    Loading(reading, table).load(None)
    again = [Left(*row) for row in rejected.staged(session)]
    session.drop_stages()
    result.left += again
    result.loaded = len(records) - len(again)
    result.created, result.updated = counted.created, counted.updated
