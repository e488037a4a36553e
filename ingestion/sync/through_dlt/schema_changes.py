"""Tells how a table and its CRM have come to differ."""

from __future__ import annotations

from collections.abc import Iterator

from ingestion.sync.common.convert import without_own
from ingestion.sync.common.names import MISFITS
from ingestion.sync.through_dlt.reading import Reading


def schema_changes(reading: Reading) -> list[str]:
    """One sentence per change; none for a table that this run makes."""
    return [*_new(reading), *_vanished(reading), *_retyped(reading), *_misfits(reading)]


def _new(reading: Reading) -> Iterator[str]:
    if reading.table.exists and reading.changes.has_rows:
        for column, data_type in sorted(reading.converter.new_columns.items()):
            yield f"new column {column} ({data_type})"


def _vanished(reading: Reading) -> Iterator[str]:
    for column in sorted(reading.vanished):
        yield f"the CRM no longer delivers column {column}; it stays, empty in new rows"


def vanished_columns(reading: Reading) -> set[str]:
    """The columns that rows of the table have filled and that no record had. Only before the load
    can that be told, and only by a run that has read everything."""
    if not reading.window.is_full or reading.was_cut or not reading.result.processed:
        return set()
    delivered = reading.converter.delivered_columns | {MISFITS}
    return reading.table.filled_columns(without_own(reading.table.columns) - delivered)


def _retyped(reading: Reading) -> Iterator[str]:
    for column, (declared, kept) in sorted(reading.converter.retyped.items()):
        yield f"the CRM declares column {column} as {declared}, the table keeps {kept}"


def _misfits(reading: Reading) -> Iterator[str]:
    for column, count in sorted(reading.converter.misfits.items()):
        data_type = reading.converter.types[column]
        yield f"{count} values of column {column} do not fit {data_type}; they stand in {MISFITS}"
