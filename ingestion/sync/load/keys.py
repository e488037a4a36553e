"""Finds what is gone from a source that can tell which keys it has.

Where keys are whole numbers, both sides count and sum them in ranges, and only the keys of ranges
that differ are listed. Other keys are listed whole, at an interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.source import KeyRange, ListsKeys, Record, SumsKeys
from ingestion.sync.load.columns.typed import typed
from ingestion.sync.load.tables import statements

if TYPE_CHECKING:
    from ingestion.sync.load.reading import Reading
    from ingestion.sync.load.tables.session import Session
    from ingestion.sync.load.tables.table import Table

RANGE_KEYS: Final = 10_000


@dataclass(frozen=True)
class Listed:
    """What was compared: every key, or the ranges by number. ``is_empty``: the source has none."""

    ranges: tuple[int, ...] | None
    is_empty: bool


def compare(reading: Reading, table: Table, every: timedelta) -> Listed | None:
    """Stage the keys that the source still has, of all ranges that differ; None where the source
    cannot tell, or where a listing of all keys is not due. ``every``: its interval."""
    if (
        not table.exists
        or DELETED_AT in table.lost
        or reading.model.deletions != "full_run"
        or reading.is_partial
    ):
        return None
    source = reading.source
    if isinstance(source, SumsKeys) and _is_whole_number(reading):
        of_source = source.key_ranges(reading.model, RANGE_KEYS)
        if of_source is not None:
            return _by_ranges(reading, table, source, list(of_source))
    if isinstance(source, ListsKeys) and _is_due(reading, table, every):
        count = sum(_stage(reading, records) for records in source.keys(reading.model))
        return Listed(None, is_empty=count == 0)
    return None


def condition(session: Session, column: str, listed: Listed) -> str:
    """On a row ``t``: its key was compared."""
    if listed.ranges is None:
        return ""
    numbers = ", ".join(map(str, listed.ranges))
    number = statements.quotient(session, f"t.{session.quote(column)}", RANGE_KEYS)
    return f"{number} IN ({numbers})"


def _by_ranges(
    reading: Reading, table: Table, source: SumsKeys, of_source: Sequence[KeyRange]
) -> Listed:
    ours = set(_ranges(reading, table))
    theirs = set(of_source)
    differing = sorted({r.number for r in ours ^ theirs} & {r.number for r in ours})
    there = {r.number for r in theirs}
    for number in differing:
        if number in there:
            for records in source.keys_in(reading.model, number, RANGE_KEYS):
                _stage(reading, records)
    return Listed(tuple(differing), is_empty=not theirs)


def _ranges(reading: Reading, table: Table) -> Iterator[KeyRange]:
    """Of the living rows and of those that this run adds."""
    session, (name,) = table.session, reading.batcher.key_columns
    column = session.quote(name)
    living, rows = session.table(table.model), session.staged("rows")
    keys = (
        f"SELECT {column} AS k FROM {living} WHERE {DELETED_AT} IS NULL UNION ALL"
        f" SELECT {column} FROM {rows} s WHERE s.{DELETED_AT} IS NULL AND NOT EXISTS (SELECT 1"
        f" FROM {living} t WHERE t.{column} = s.{column} AND t.{DELETED_AT} IS NULL)"
    )
    rest, number = f"(k % {RANGE_KEYS})", statements.quotient(session, "k", RANGE_KEYS)
    found = session.rows(
        f"SELECT {number}, count(*), sum({rest}), sum({rest} * {rest})"
        f" FROM ({keys}) AS found GROUP BY {number}"
    )
    return (KeyRange(*map(int, row)) for row in found)


def _stage(reading: Reading, records: Sequence[Record]) -> int:
    reading.reporter.check()
    columns = [reading.batcher.map.columns[name] for name in reading.model.key]
    arrays = {
        column.name: typed(
            [record[column.source_name] for record in records], column.data_type
        ).array
        for column in columns
    }
    reading.stager.add_known(arrays)
    return len(records)


def _is_whole_number(reading: Reading) -> bool:
    columns = [reading.batcher.map.columns[name] for name in reading.model.key]
    return len(columns) == 1 and columns[0].data_type == "bigint"


def _is_due(reading: Reading, table: Table, every: timedelta) -> bool:
    last = table.state.keys_listed_at
    return last is None or reading.now - last >= every
