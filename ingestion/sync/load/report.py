"""What a run says of itself: its watermark, what came to differ, and what makes it partial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ingestion.sync.common.names import MISFITS, OVERFLOW
from ingestion.sync.common.window import in_words
from ingestion.sync.load.columns.batch import KEY_SEPARATOR
from ingestion.sync.load.tables.own_tables import REJECTED

if TYPE_CHECKING:
    from ingestion.sync.load.loading import Loading
    from ingestion.sync.load.reading import Reading
    from ingestion.sync.load.tables.table import Table


def report(reading: Reading, table: Table, loading: Loading) -> None:
    """Fill the result; warnings make the run partial."""
    result, rejects = reading.result, reading.batcher.rejects
    result.failed = rejects.count
    for reason, count in sorted(rejects.reasons.items()):
        reading.warn(_REASONS[reason].format(count=count, key=", ".join(reading.model.key)))
    if loading.repeated and _is_database(reading):
        examples = ", ".join(KEY_SEPARATOR.join(map(str, key)) for key in loading.repeated)
        reading.warn(f"keys repeat in the source with different contents, e.g. {examples}")
    result.watermark = in_words(reading.new_watermark)
    result.schema_changes = list(_changes(reading, table, loading))


def _is_database(reading: Reading) -> bool:
    """An API may hand a record out twice while it changes; a snapshot of a database may not."""
    return hasattr(reading.source, "keys")


def _changes(reading: Reading, table: Table, loading: Loading) -> Iterator[str]:
    if table.is_lost:
        yield "the table was dropped; it is there again, and everything was read to fill it"
    yield from loading.told
    for column in sorted(loading.vanished):
        yield f"the CRM no longer delivers column {column}; it stays, empty in new rows"
    for column, (told, kept) in sorted(table.map.retyped.items()):
        yield f"the CRM declares column {column} as {told}, the table keeps {kept}"
    types = {column.name: column.data_type for column in table.map}
    for column, found in sorted(reading.batcher.misfits.items()):
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(found.items()))
        yield (
            f"{found.total()} values of column {column} do not fit {types[column]}"
            f" ({reasons}); they stand in {MISFITS}"
        )
    yield from _proposed(reading, table)
    if OVERFLOW in reading.stager.columns:
        yield f"what does not fit into the columns of the warehouse stands in {OVERFLOW}"


def _proposed(reading: Reading, table: Table) -> Iterator[str]:
    """What waits for a yes, or is not taken at all."""
    accept = f"manage.py manage_runs accept {reading.crm} {reading.model.name}"
    for field_name, column in sorted(table.map.new.items()):
        if column.place == "proposed":
            yield (
                f"field {field_name} ({column.data_type}) is new and waits for a yes; its values"
                f" stand in {OVERFLOW} until then: {accept} {column.name}"
            )
    for name in sorted(reading.batcher.misfits):
        column = next(column for column in table.map if column.name == name)
        if column.proposed_type:
            yield (
                f"column {name} would take all its values as {column.proposed_type}, which is"
                f" proposed: {accept} {name}"
            )
    if table.map.ignored:
        names = ", ".join(sorted(table.map.ignored))
        yield f"the schema is frozen, so these new fields are not loaded: {names}"


_REASONS = {
    "no_key": f"{{count}} records have no key ({{key}}) and stand in {REJECTED}",
    "too_large": f"{{count}} records have a key that is too long and stand in {REJECTED}",
    "refused": f"{{count}} records were refused by the warehouse and stand in {REJECTED}",
}
