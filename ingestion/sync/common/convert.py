"""Turns a CRM's record into a row: column names, types, key, content hash.

A value that does not fit its column does not stop a run and does not change the table: its
column stays null and the value stands in the JSON column ``_misfits`` under the column's name, with
the reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from ingestion.sync.common.misfits import misfit, misfit_values
from ingestion.sync.common.names import (
    DELETED_AT,
    MAX_IDENTIFIER_LENGTH,
    MISFITS,
    ROW_HASH,
    column_name,
)
from ingestion.sync.common.source import Columns, Model, Record
from ingestion.sync.common.values import (
    Decimals,
    DoesNotFit,
    canonical,
    fit,
    json_safe,
    refined_type,
    type_of,
)

OWN_COLUMNS: Mapping[str, str] = {ROW_HASH: "text", DELETED_AT: "timestamp"}
KEY_SEPARATOR = "\x1f"


class NoKey(ValueError):
    """The record has no value in a column of its key."""


@dataclass(frozen=True, slots=True)
class Row:
    """A record, ready to be landed. ``values`` leave out what is null."""

    key: str
    values: dict[str, Any]
    row_hash: str
    deleted_at: Any = None
    only_key: bool = False  # says no more than that the record is gone


@dataclass
class Converter:
    """Converts the records of one model.

    ``types`` maps a column to its type and grows as columns are found: first come the columns
    that the table has, then what the source declares, then what values tell.
    """

    model: Model
    types: dict[str, str] = field(default_factory=dict)
    key_columns: tuple[str, ...] = ()
    new_columns: dict[str, str] = field(default_factory=dict)
    misfits: Counter[str] = field(default_factory=Counter)
    retyped: dict[str, tuple[str, str]] = field(default_factory=dict)  # declared, kept
    decimals: Decimals | None = None
    _names: dict[str, str] = field(default_factory=dict)
    _unsettled: set[str] = field(default_factory=set)
    _met: set[str] = field(default_factory=set)  # names of fields

    @classmethod
    def build(
        cls,
        model: Model,
        *,
        existing: Columns,
        declared: Columns,
        names: Mapping[str, str] | None = None,
        decimals: Decimals | None = None,
    ) -> Converter:
        """``existing``: the table's columns; their types stand against what is declared.
        ``names``: the columns of fields, where they have been decided. ``decimals``: what the
        warehouse takes of them; None: every digit."""
        converter = cls(model, types=dict(existing), decimals=decimals, _names=dict(names or {}))
        for name, data_type in OWN_COLUMNS.items():
            converter._add(converter.name_of(name), data_type)
        for name, data_type in {**declared, **model.columns}.items():
            converter._declare(name, data_type)
        converter.key_columns = tuple(converter.name_of(name) for name in model.key)
        return converter

    @property
    def delivered_columns(self) -> set[str]:
        """The columns that records have had so far, be it without a value."""
        return {self.name_of(field_name) for field_name in self._met}

    def name_of(self, field_name: str) -> str:
        """The column of a field. Two fields of one column get two columns: the second ends in
        ``_2``."""
        if field_name not in self._names:
            wanted = column_name(field_name)
            taken = set(self._names.values())
            name, number = wanted, 2
            while name in taken:
                name, number = f"{wanted[: MAX_IDENTIFIER_LENGTH - 4]}_{number}", number + 1
            self._names[field_name] = name
        return self._names[field_name]

    def convert(self, record: Record) -> Row:
        """Raises NoKey."""
        self._met.update(record)
        values: dict[str, Any] = {}
        misfits: dict[str, Any] = {}
        for field_name, value in record.items():
            if value is None:
                continue
            column = self._names.get(field_name) or self.name_of(field_name)
            try:
                fitting = fit(value, self._type_for(column, value))
                if self.decimals is not None:
                    self.decimals.check(fitting)
            except DoesNotFit as problem:
                misfits[column] = misfit(json_safe(value), problem.reason)
                continue
            if fitting is not None:
                values[column] = fitting
        if misfits:
            self._keep_misfits(values, misfits)
        return self._row(values)

    def values_of(self, record: Record) -> dict[str, Any]:
        """The fields as they are landed, by column."""
        return {self.name_of(name): self.value_of(record, name) for name in record}

    def value_of(self, record: Record, field_name: str) -> Any:
        """One field's value as it is landed; None where it has none or does not fit."""
        value = record.get(field_name)
        try:
            return fit(value, self.types.get(self.name_of(field_name), "text"))
        except DoesNotFit:
            return None

    def key_of(self, values: Mapping[str, Any]) -> str:
        """Raises NoKey. Rows of the warehouse and of the CRM give the same text."""
        parts = []
        for column in self.key_columns:
            value = values.get(column)
            if value is None or value == "":
                raise NoKey(f"no value in {column}")
            parts.append(canonical(value, self.types[column]))
        return KEY_SEPARATOR.join(parts)

    def hash_of(self, values: Mapping[str, Any]) -> str:
        """A checksum of the content: every column that is not null and not our own."""
        content = [
            (column, canonical(_hashed(column, values[column]), self.types[column]))
            for column in sorted(values)
            if column not in OWN_COLUMNS
        ]
        return blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()

    def _row(self, values: dict[str, Any]) -> Row:
        deleted_at = values.pop(DELETED_AT, None)
        key = self.key_of(values)
        only_key = deleted_at is not None and set(values) <= set(self.key_columns)
        return Row(key, values, self.hash_of(values), deleted_at, only_key)

    def _type_for(self, column: str, value: Any) -> str:
        known = self.types.get(column)
        if known is None:
            return self._add(column, refined_type(type_of(value) or "text", value))
        if column in self._unsettled:
            self._unsettled.discard(column)
            known = self.types[column] = self.new_columns[column] = refined_type(known, value)
        return known

    def _declare(self, field_name: str, data_type: str) -> None:
        column = self.name_of(field_name)
        kept = self.types.get(column)
        if kept is None:
            self._add(column, data_type)
            if data_type == "timestamp":
                self._unsettled.add(column)
        elif kept != data_type and {kept, data_type} != {"timestamp", "datetime"}:
            self.retyped[column] = (data_type, kept)

    def _add(self, column: str, data_type: str) -> str:
        if column not in self.types:
            self.types[column] = self.new_columns[column] = data_type
        return self.types[column]

    def _keep_misfits(self, values: dict[str, Any], misfits: dict[str, Any]) -> None:
        self._add(MISFITS, "json")
        self.misfits.update(misfits.keys())
        values[MISFITS] = misfits


def _hashed(column: str, value: Any) -> Any:
    """Reasons of misfits count for nothing: the warehouse may hold older ones, or none."""
    return misfit_values(value) if column == MISFITS else value


def without_own(columns: Iterable[str]) -> set[str]:
    """The columns that come from the CRM."""
    return {name for name in columns if not name.startswith(("_dlt_", "_row_hash", "_deleted_at"))}
