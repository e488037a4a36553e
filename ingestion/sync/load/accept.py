"""Says yes to changes of a table that runs have proposed; the next run reads everything to fill them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ingestion.sync.common.window import utc_now
from ingestion.sync.load.columns.column_map import IN_TABLE, Column
from ingestion.sync.load.columns.steps import Steps
from ingestion.sync.load.pipeline import opened
from ingestion.sync.load.run import Run
from ingestion.sync.load.tables import own_tables
from ingestion.sync.load.tables.session import Session
from ingestion.sync.load.tables.table import Table


class NotProposed(LookupError):
    """No change of this name is proposed; the message lists those that are."""


@dataclass(frozen=True)
class Proposal:
    """A new column, or another type for one that is there."""

    field: str
    column: str
    was: str | None  # None: there is no such column yet
    becomes: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def accept(run: Run, names: Sequence[str] | None) -> list[Proposal]:
    """Under the model's lock; what was accepted. ``names``: of fields or columns; None: all that is
    proposed. Raises NotProposed and SyncError."""
    with opened(run, Steps()) as session:
        if not own_tables.are_there(session):
            raise NotProposed(_nothing(run))
        table = Table.read(session, run.crm.name, run.model.name)
        kept = [c for c in own_tables.columns(session, run.model.name) if _is_proposed(c)]
        chosen = kept if names is None else [_named(name, kept, run) for name in names]
        if chosen:
            with session.transaction():
                _change(session, table, chosen)
        return [_proposal(column) for column in chosen]


def _change(session: Session, table: Table, chosen: Sequence[Column]) -> None:
    if not own_tables.are_current(session):
        own_tables.create(session)
    types = {
        column.name: column.proposed_type
        for column in chosen
        if column.proposed_type and column.place in IN_TABLE and column.name in table.found
    }
    if types:
        session.retype(table.model, types)
    room = session.most_columns - len(table.map.in_table)
    changed = []
    for column in chosen:
        after = replace(column, data_type=column.proposed_type or column.data_type)
        if column.place == "proposed":
            after = replace(after, place="accepted" if room > 0 else "overflow")
            room -= 1
        changed.append(replace(after, proposed_type=None))
    now = utc_now()
    own_tables.keep_columns(session, table.model, changed, now)
    own_tables.keep_state(session, table.model, replace(table.state, watermark=None), now)


def _is_proposed(column: Column) -> bool:
    return column.place == "proposed" or column.proposed_type is not None


def _named(name: str, proposed: Sequence[Column], run: Run) -> Column:
    for column in proposed:
        if name in (column.source_name, column.name):
            return column
    if not proposed:
        raise NotProposed(_nothing(run))
    found = ", ".join(column.name for column in proposed)
    raise NotProposed(f"no change of {name} is proposed for {run.name}; proposed are: {found}")


def _nothing(run: Run) -> str:
    return f"no change is proposed for {run.name}"


def _proposal(column: Column) -> Proposal:
    was = None if column.place == "proposed" else column.data_type
    becomes = column.proposed_type or column.data_type
    return Proposal(column.source_name, column.name, was, becomes)
