"""Turns records into a batch of typed columns with keys, hashes and deletion marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain, compress
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.sync.common.misfits import Reason, misfit, misfit_values
from ingestion.sync.common.names import DELETED_AT, MISFITS, OVERFLOW, ROW_HASH
from ingestion.sync.common.source import ColumnRecords, Model, Record, SourceColumn, TextColumn
from ingestion.sync.common.values import DoesNotFit, fit, json_safe, refined_type, type_of
from ingestion.sync.load.columns.column_map import IN_OVERFLOW, Column, ColumnMap
from ingestion.sync.load.columns.hashing import row_hashes, text_values, texts
from ingestion.sync.load.columns.rejects import Rejects
from ingestion.sync.load.columns.typed import Typed, json_text, typed, within
from ingestion.sync.load.columns.types import ACCEPTABLE, KEY_CHARACTERS, WIDENS, Dialect

KEY_SEPARATOR: Final = "\x1f"
# Indexes take no longer keys: PostgreSQL's entries end at 2 700 bytes.
LONGEST_KEY_BYTES: Final = 2_000
SEQUENCE: Final = "_sequence"


def longest_part_bytes(dialect: Dialect, columns: int) -> int:
    """Of each of the columns of a key, which has so many."""
    return KEY_CHARACTERS // columns if dialect == "mariadb" else LONGEST_KEY_BYTES


@dataclass(frozen=True)
class Batch:
    """Rows to stage. ``columns``: typed arrays by column, those that are all null left out;
    ``types`` belong to them, and ``texts``, the same as text. ``records``: the raw records of the
    rows, for what is refused.
    ``gone``: rows of key columns and ``DELETED_AT`` that say no more than that a record is gone."""

    columns: Mapping[str, pa.Array]
    types: Mapping[str, str]
    texts: Mapping[str, pa.Array]
    records: Sequence[Record]
    key_columns: Sequence[str]
    gone: Mapping[str, pa.Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def part(self, start: int, length: int) -> Batch:
        """Some of its rows, without those that are gone."""
        return Batch(
            {name: array.slice(start, length) for name, array in self.columns.items()},
            self.types,
            {name: array.slice(start, length) for name, array in self.texts.items()},
            self.records[start : start + length],
            self.key_columns,
        )

    def key(self, row: int) -> str:
        """A row's key as text."""
        return KEY_SEPARATOR.join(self.texts[name][row].as_py() for name in self.key_columns)


@dataclass
class Batcher:
    """Makes the batches of one run of one model; the map grows with what it meets."""

    model: Model
    map: ColumnMap
    rejects: Rejects
    misfits: dict[str, Counter[Reason]] = field(default_factory=dict)  # by column
    met: set[str] = field(default_factory=set)  # names of fields
    filled: set[str] = field(default_factory=set)  # columns that have had a value
    longest_part_bytes: int = LONGEST_KEY_BYTES  # of each column of a key
    sequence: int = 0
    has_marks: bool = False

    @property
    def key_columns(self) -> tuple[str, ...]:
        return tuple(self.map.name_of(name) for name in self.model.key)

    def batch(self, records: Sequence[Record]) -> Batch:
        """``records``: at least one."""
        fields = _columns_of(records)
        self.met.update(fields)
        marks = fields.pop(DELETED_AT, None)
        found = dict(self._fitted(fields))
        good = self._with_key(records, found)
        if len(good) < len(records):
            chosen = list(compress(records, (row in good for row in range(len(records)))))
            return self.batch(chosen) if chosen else self._empty()
        return self._assembled(records, found, marks)

    def key_of(self, record: Record) -> str | None:
        """A record's key as text; None where it has none."""
        parts = []
        for name in self.model.key:
            column = self.map.columns[name]
            value = _texts_of(column, typed([record.get(name)], column.data_type))[0].as_py()
            if value in (None, ""):
                return None
            parts.append(str(value))
        return KEY_SEPARATOR.join(parts)

    def _empty(self) -> Batch:
        return Batch({}, {}, {}, [], ())

    def _fitted(
        self, fields: Mapping[str, SourceColumn]
    ) -> Iterator[tuple[str, tuple[Column, Typed]]]:
        """Those with a value."""
        for name, values in fields.items():
            first = _first(values)
            if first is not None and not self._is_blank(name, values):
                yield name, self._fit(name, values, first)

    def _is_blank(self, name: str, values: SourceColumn) -> bool:
        """Whether a field that gets its column with the first value has none yet."""
        waits = name in self.map.expected and name not in self.map.columns
        return waits and all(value in (None, "") for value in values)

    def _fit(self, name: str, values: SourceColumn, first: Any) -> tuple[Column, Typed]:
        column = self.map.columns.get(name) or self.map.see(name, _type_of_new(first))
        if column.place == "ignored":
            return column, Typed(pa.nulls(len(values)))
        if column.name not in self.filled:
            column = self._settled(column, first)
        self.filled.add(column.name)
        fitted = self._typed(values, column.data_type)
        if fitted.misfits and _can_widen(column, fitted) and self.map.may_widen(column):
            column = self.map.widen(column, WIDENS[column.data_type])
            fitted = self._typed(values, column.data_type)
        if fitted.misfits:
            self._propose(column, fitted)
        return column, fitted

    def _typed(self, values: SourceColumn, data_type: str) -> Typed:
        found = typed(values, data_type)
        if data_type != "decimal" or self.map.decimals is None:
            return found
        return within(found, values, self.map.decimals)

    def _propose(self, column: Column, fitted: Typed) -> None:
        """The narrowest type that would take every value, where there is one without loss."""
        for data_type in ACCEPTABLE.get(column.data_type, ()):
            if all(_fits(value, data_type) for value, _ in fitted.misfits.values()):
                self.map.propose(column, data_type)
                return

    def _settled(self, column: Column, first: Any) -> Column:
        """A time that is declared with a zone and comes without one: while the column is new."""
        if column.source_name not in self.map.new or column.data_type != "timestamp":
            return column
        data_type = refined_type(column.data_type, first)
        return column if data_type == column.data_type else self.map.settle(column, data_type)

    def _with_key(
        self, records: Sequence[Record], found: Mapping[str, tuple[Column, Typed]]
    ) -> Collection[int]:
        """The rows that have a key that an index takes; the others are rejected."""
        nothing = pa.nulls(len(records), pa.string())
        columns = [_texts_of(*found[n]) if n in found else nothing for n in self.model.key]
        if _are_keys(columns, self.longest_part_bytes):
            return range(len(records))
        return set(self._rows_with_key(records, [column.to_pylist() for column in columns]))

    def _rows_with_key(
        self, records: Sequence[Record], columns: Sequence[Sequence[str | None]]
    ) -> Iterator[int]:
        for row, (record, *parts) in enumerate(zip(records, *columns, strict=True)):
            if any(part in (None, "") for part in parts):
                names = ", ".join(self.model.key)
                self.rejects.add(record, None, "no_key", f"a record has no key ({names})")
            elif self._is_too_long([len(str(part).encode()) for part in parts]):
                self.rejects.add(
                    record,
                    KEY_SEPARATOR.join(map(str, parts)),
                    "too_large",
                    f"a key is longer than {self.longest_part_bytes} bytes",
                )
            else:
                yield row

    def _is_too_long(self, lengths: Sequence[int]) -> bool:
        return sum(lengths) > LONGEST_KEY_BYTES or max(lengths) > self.longest_part_bytes

    def _assembled(
        self,
        records: Sequence[Record],
        found: Mapping[str, tuple[Column, Typed]],
        marks: SourceColumn | None,
    ) -> Batch:
        arrays, types, misfits, overflow = self._sorted_out(found)
        for name, rows in ((MISFITS, misfits), (OVERFLOW, overflow)):
            if rows:
                column = [json_text(rows[i]) if i in rows else None for i in range(len(records))]
                arrays[name], types[name] = pa.array(column, pa.string()), "json"
        written = {
            column.name: _texts_of(column, fitted)
            for column, fitted in found.values()
            if column.name in arrays
        }
        own = (name for name in arrays if name not in written)
        written |= {name: texts(arrays[name], types[name]) for name in own}
        batch = Batch(arrays, types, written, records, self.key_columns)
        return self._finished(batch, marks, misfits)

    def _sorted_out(
        self, found: Mapping[str, tuple[Column, Typed]]
    ) -> tuple[dict[str, pa.Array], dict[str, str], dict[int, Any], dict[int, Any]]:
        """The columns of the table, their types, and by row what misfits and what overflows."""
        arrays: dict[str, pa.Array] = {}
        types: dict[str, str] = {}
        misfits: dict[int, dict[str, Any]] = {}
        overflow: dict[int, dict[str, Any]] = {}
        for column, fitted in found.values():
            for row, (value, reason) in fitted.misfits.items():
                misfits.setdefault(row, {})[column.name] = misfit(json_safe(value), reason)
                self.misfits.setdefault(column.name, Counter())[reason] += 1
            if column.place in IN_OVERFLOW:
                for row, value in enumerate(json_values(fitted.array, column.data_type)):
                    if value is not None:
                        overflow.setdefault(row, {})[column.name] = value
            elif fitted.array.null_count < len(fitted.array):
                arrays[column.name], types[column.name] = fitted.array, column.data_type
        return arrays, types, misfits, overflow

    def _finished(
        self, batch: Batch, marks: SourceColumn | None, misfits: Mapping[int, Any]
    ) -> Batch:
        """With hash, mark and place in the order of arrival."""
        hashes = row_hashes({**batch.texts, **_hashed(misfits, len(batch))}, batch.types)
        first, self.sequence = self.sequence, self.sequence + len(batch)
        sequence = pa.array(range(first, self.sequence), pa.int64())
        own: dict[str, tuple[pa.Array, str]] = {
            ROW_HASH: (hashes, "text"),
            SEQUENCE: (sequence, "bigint"),
        }
        deleted = [_moment(mark) for mark in marks] if marks else []
        if any(deleted):
            self.has_marks = True
            own[DELETED_AT] = (pa.array(deleted, pa.timestamp("us", "UTC")), "timestamp")
        whole = replace(
            batch,
            columns={**batch.columns, **{n: array for n, (array, _) in own.items()}},
            types={**batch.types, **{n: data_type for n, (_, data_type) in own.items()}},
            texts={**batch.texts, **{n: texts(*told) for n, told in own.items()}},
        )
        return self._without_gone(whole) if any(deleted) else whole

    def _without_gone(self, batch: Batch) -> Batch:
        """Records of nothing but key and mark have no content to load."""
        content = [n for n in batch.columns if n not in (*self.key_columns, *_OWN)]
        is_gone = batch.columns[DELETED_AT].is_valid()
        for name in content:
            is_gone = pc.and_(is_gone, batch.columns[name].is_null())
        if not pc.any(is_gone).as_py():
            return batch
        names = (*self.key_columns, DELETED_AT, SEQUENCE)
        stays = pc.invert(is_gone)
        rows = [row for row, wanted in enumerate(stays.to_pylist()) if wanted]
        return Batch(
            {name: array.filter(stays) for name, array in batch.columns.items()},
            batch.types,
            {name: array.filter(stays) for name, array in batch.texts.items()},
            [batch.records[row] for row in rows],
            batch.key_columns,
            {name: batch.columns[name].filter(is_gone) for name in names},
        )


def _hashed(misfits: Mapping[int, Any], rows: int) -> dict[str, pa.Array]:
    """``_misfits`` as it was before it had reasons: they change no hash."""
    if not misfits:
        return {}
    plain = {row: json_text(misfit_values(entry)) for row, entry in misfits.items()}
    return {MISFITS: pa.array([plain.get(row) for row in range(rows)], pa.string())}


def _texts_of(column: Column, fitted: Typed) -> pa.Array:
    return texts(fitted.array, column.data_type) if fitted.texts is None else fitted.texts


def _are_keys(columns: Sequence[pa.Array], longest_part: int) -> bool:
    """Whether surely every row has a key, none of them too long."""
    if any(column.null_count for column in columns):
        return False
    lengths = [pc.min_max(pc.binary_length(column)).as_py() for column in columns]
    if min(n["min"] for n in lengths) == 0 or max(n["max"] for n in lengths) > longest_part:
        return False
    return bool(sum(n["max"] for n in lengths) <= LONGEST_KEY_BYTES)


_OWN: Final = (ROW_HASH, DELETED_AT, SEQUENCE)


def json_values(array: pa.Array, data_type: str) -> list[Any]:
    """The values of a typed column as JSON has them; decimals and times as texts."""
    if data_type == "json":
        from json import loads

        return [None if text is None else loads(text) for text in array.to_pylist()]
    if data_type in ("bigint", "double", "bool"):
        found: list[Any] = array.to_pylist()
        return found
    return text_values(array, data_type)


def _first(values: SourceColumn) -> Any:
    """None where there is no value."""
    if isinstance(values, TextColumn):
        return values.first
    return next((value for value in values if value is not None), None)


def _columns_of(records: Sequence[Record]) -> dict[str, SourceColumn]:
    if isinstance(records, ColumnRecords):
        return dict(records.columns)
    names = tuple(records[0])
    if all(tuple(record) == names for record in records):
        rows = zip(*(record.values() for record in records), strict=True)
        return dict(zip(names, rows, strict=True))
    wanted = dict.fromkeys(chain.from_iterable(records))
    return {name: [record.get(name) for record in records] for name in wanted}


def _type_of_new(first: Any) -> str:
    try:
        return refined_type(type_of(first) or "text", first)
    except DoesNotFit:
        return "text"


def _can_widen(column: Column, fitted: Typed) -> bool:
    """Whether the wider type takes a number that misfits. Texts do not widen a column, nor do
    fractions one that the CRM declares to hold whole numbers."""
    wider = WIDENS.get(column.data_type)
    kinds = (int,) if column.declared else (int, float, Decimal)
    numbers = (v for v, _ in fitted.misfits.values() if isinstance(v, kinds))
    return wider is not None and any(_fits(number, wider) for number in numbers)


def _fits(value: Any, data_type: str) -> bool:
    try:
        return fit(value, data_type) is not None
    except DoesNotFit:
        return False


def _moment(mark: Any) -> datetime | None:
    try:
        found: datetime | None = fit(mark, "timestamp")
    except DoesNotFit:
        return None
    return found
