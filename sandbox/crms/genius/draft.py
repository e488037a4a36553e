"""Rows before they are inserted: each has the next key of its table, and every column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sandbox.crms.genius.schema import TABLES, key_column

Row = dict[str, Any]

_BLANK: Mapping[str, Row] = {
    name: dict.fromkeys(table.columns.keys()) for name, table in TABLES.items()
}
_KEYS: Mapping[str, str] = {name: key_column(table).name for name, table in TABLES.items()}


class Draft:
    """Rows by table, ready for an insert; no key is used twice."""

    def __init__(self, last_keys: Mapping[str, int] | None = None) -> None:
        """``last_keys``: the highest key that each table has."""
        self._last = {**dict.fromkeys(TABLES, 0), **(last_keys or {})}
        self.rows: dict[str, list[Row]] = defaultdict(list)

    def add(self, table: str, **values: Any) -> int:
        """Add a row; its key. Columns that are not named stay NULL."""
        if unknown := values.keys() - _BLANK[table].keys():
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        self._last[table] += 1
        row = _BLANK[table] | values
        row[_KEYS[table]] = self._last[table]
        self.rows[table].append(row)
        return self._last[table]

    def __len__(self) -> int:
        return sum(len(rows) for rows in self.rows.values())

    def take(self) -> dict[str, list[Row]]:
        """The rows so far; the draft goes on without them."""
        taken, self.rows = self.rows, defaultdict(list)
        return taken
