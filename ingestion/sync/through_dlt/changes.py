"""Compares what a run reads with what the warehouse holds, so that only changes are loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any, Final

from ingestion.sync.common.convert import Converter, NoKey, Row
from ingestion.sync.common.names import DELETED_AT, ROW_HASH
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Record
from ingestion.sync.through_dlt.table import Stored, StoredTable

PLACES: Final = Decimal("1e-9")
DIGITS: Final = Context(prec=60)


@dataclass
class Changes:
    """Classifies rows as created, updated, deleted or unchanged, and counts each key once.

    A key that comes again with other content wins over what came before: ``stamped`` rows carry a
    rising number by which the load picks the last one.
    """

    converter: Converter
    table: StoredTable
    result: ModelResult
    force: bool = False
    stamp_prefix: str = ""
    seen: set[str] = field(default_factory=set)
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)  # told to be gone, no content
    _pending: dict[str, _Pending] = field(default_factory=dict)
    _stamps: int = 0

    def rows_to_load(self, records: Sequence[Record]) -> list[dict[str, Any]]:
        """The rows of a page that have to be loaded, with our own columns."""
        rows = list(self._converted(records))
        stored = self._stored(rows)
        return [loaded for row in rows for loaded in self._judge(row, stored.get(row.key))]

    @property
    def has_rows(self) -> bool:
        """True when something has to be loaded."""
        return self._stamps > 0

    def _converted(self, records: Sequence[Record]) -> Iterator[Row]:
        for record in records:
            try:
                yield self.converter.convert(record)
            except NoKey:
                self.result.failed += 1

    def _stored(self, rows: Sequence[Row]) -> dict[str, Stored]:
        columns = self.converter.key_columns
        keys = {row.key: {name: row.values[name] for name in columns} for row in rows}
        return self.table.stored(list(keys.values()), self.converter)

    def _judge(self, row: Row, stored: Stored | None) -> Iterator[dict[str, Any]]:
        if row.key not in self.seen:
            self.seen.add(row.key)
            self.result.processed += 1
        if row.only_key:
            if stored is not None and not stored.is_deleted:
                self.gone[row.key] = row.values
            return
        self.gone.pop(row.key, None)
        if self._is_news(row, stored):
            yield self._stamped(row)

    def _is_news(self, row: Row, stored: Stored | None) -> bool:
        """Whether the row differs from what this run, or else the warehouse, has of its key."""
        state = Stored(row.row_hash, row.deleted_at is not None)
        pending = self._pending.get(row.key)
        if pending is None:
            if state == stored and not self.force:
                return False
            pending = self._pending[row.key] = _Pending(stored, state)
        elif pending.state == state:
            return False
        else:
            self._count(pending, -1)
            pending.state = state
        self._count(pending, +1)
        return True

    def _count(self, pending: _Pending, by: int) -> None:
        name = pending.verdict(force=self.force)
        if name:
            setattr(self.result, name, getattr(self.result, name) + by)

    def _stamped(self, row: Row) -> dict[str, Any]:
        self._stamps += 1
        return {
            **{name: _rounded(value) for name, value in row.values.items()},
            ROW_HASH: row.row_hash,
            DELETED_AT: row.deleted_at,
            "_dlt_id": f"{self.stamp_prefix}{self._stamps:010d}",
        }


def _rounded(value: Any) -> Any:
    """dlt's decimals have nine places."""
    return value.quantize(PLACES, context=DIGITS) if isinstance(value, Decimal) else value


@dataclass(slots=True)
class _Pending:
    """A key that this run loads: what was stored before, and what will be."""

    stored: Stored | None
    state: Stored

    def verdict(self, *, force: bool) -> str | None:
        """The count that the key belongs to."""
        if self.state.is_deleted and (self.stored is None or not self.stored.is_deleted):
            return "deleted"
        if self.stored is None:
            return "created"
        return "updated" if force or self.state != self.stored else None
