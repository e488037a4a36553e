"""Marks what is gone. A row is never removed: ``_deleted_at`` is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingestion.sync.common.convert import Converter
from ingestion.sync.common.source import Scope
from ingestion.sync.common.values import fit
from ingestion.sync.through_dlt.changes import Changes
from ingestion.sync.through_dlt.table import OwnedRows, StoredTable


@dataclass
class Owners:
    """The owners whose rows a run has read completely, by the columns that name them."""

    found: dict[tuple[str, ...], set[tuple[Any, ...]]] = field(default_factory=dict)

    def add(self, scope: Scope) -> None:
        self.found.setdefault(scope.columns, set()).update(scope.owners)

    def rows(self, converter: Converter) -> Iterator[OwnedRows]:
        for columns, owners in self.found.items():
            names = tuple(converter.name_of(name) for name in columns)
            types = [converter.types.get(name, "text") for name in names]
            values = [
                {n: fit(v, t) for n, v, t in zip(names, owner, types, strict=True)}
                for owner in sorted(owners, key=str)
            ]
            yield OwnedRows(names, values)


def gone_keys(
    table: StoredTable, changes: Changes, owners: Owners, *, existing: set[str] | None
) -> list[dict[str, Any]]:
    """The keys of the live rows that the run proves to be gone, each once.

    ``existing``: the keys of all records that the CRM has; None where the run cannot tell.
    """
    converter = changes.converter
    gone = dict(changes.gone)
    if existing is not None:
        gone.update((k, v) for k, v in table.live_keys(converter) if k not in existing)
    for owned in owners.rows(converter):
        gone.update((k, v) for k, v in table.live_keys(converter, owned) if k not in changes.seen)
    return list(gone.values())
