"""What a tick does to the database: new families, edited rows, rows that vanish."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select

from sandbox.crms.genius.company import IN_USE, Sizes, add_referrer
from sandbox.crms.genius.draft import Draft, Row
from sandbox.crms.genius.family import Family
from sandbox.crms.genius.schema import TABLES, key_column

INSERT_CHUNK = 1_000
NEW_EACH = 40  # one new prospect for so many
EDITED_EACH = 40
DELETED_EACH = 150

# The column that an edit changes, for each table with updated_at.
EDITED_COLUMNS: Mapping[str, str] = {
    "lead_source": "cost_per_lead",
    "tag": "label",
    "referrer": "fee",
    "team": "name",
    "rep": "commission_rate",
    "workflow": "description",
    "workflow_step": "name",
    "user_data": "personal_email",
    "prospect": "notes",
    "prospect_source": "notes",
    "lead": "status",
    "contact": "phone",
    "appointment": "notes",
    "job": "status",
    "job_change_order": "status_id",
    "job_change_order_item": "description",
    "change_order": "reason",
    "change_order_item": "description",
    "task": "title",
    "marketsharp_contacts": "notes",
    "marketsharp_leads": "notes",
    "marketsharp_appointments": "notes",
}

# Nothing points at their rows, so that one may vanish without leaving an orphan.
LEAVES = frozenset(
    {
        "lead",
        "contact",
        "task",
        "job_change_order_item",
        "change_order_item",
        "marketsharp_leads",
        "marketsharp_appointments",
    }
)


def insert(connection: Connection, rows: Mapping[str, list[Row]]) -> None:
    for name, many in rows.items():
        for start in range(0, len(many), INSERT_CHUNK):
            connection.execute(TABLES[name].insert(), many[start : start + INSERT_CHUNK])


def last_keys(connection: Connection) -> dict[str, int]:
    """The highest key of each table, 0 where it is empty."""
    return {
        name: connection.scalar(select(func.max(key_column(table)))) or 0
        for name, table in TABLES.items()
    }


@dataclass
class Change:
    """One tick. ``at`` is naive server time in whole seconds, as MySQL's DATETIME keeps it."""

    connection: Connection
    rng: Random
    sizes: Sizes
    at: datetime
    counts: dict[str, int] = field(
        default_factory=lambda: {"created": 0, "updated": 0, "deleted": 0}
    )

    def apply(self) -> dict[str, int]:
        """created, updated, deleted rows."""
        draft = Draft(last_keys(self.connection))
        for name in TABLES:
            if name in EDITED_COLUMNS:
                self._change_tracked(TABLES[name])
            else:
                self._change_lookup(TABLES[name], draft)
        self._add_new(draft)
        return self.counts

    def _add_new(self, draft: Draft) -> None:
        for _ in range(max(1, self.sizes.prospects // NEW_EACH)):
            Family(draft, self.rng, self.sizes, self.at, settled=False).add()
        add_referrer(draft, self.rng, self.at)
        self.counts["created"] += len(draft)
        insert(self.connection, draft.take())

    def _keys(self, table: Table) -> list[int]:
        key = key_column(table)
        return list(self.connection.scalars(select(key).order_by(key)))

    def _change_tracked(self, table: Table) -> None:
        keys = self._keys(table)
        edits = min(len(keys), max(1, len(keys) // EDITED_EACH))
        deletes = max(1, len(keys) // DELETED_EACH) if table.name in LEAVES else 0
        chosen = self.rng.sample(keys, min(len(keys), edits + deletes))
        column = EDITED_COLUMNS[table.name]
        new_values = [self._edited(table, column) for _ in chosen[:edits]]
        self._update(table, chosen[:edits], new_values)
        # The highest key stays: were it gone, the next new row would take it for another record.
        self._delete(table, [key for key in chosen[edits:] if key != keys[-1]])

    def _change_lookup(self, table: Table, draft: Draft) -> None:
        """Rename one that is in use, add one that is not, and delete the oldest unused one."""
        keys = self._keys(table)
        in_use, unused = keys[: IN_USE[table.name]], keys[IN_USE[table.name] :]
        self._update(table, [self.rng.choice(in_use)], [{"label": self._text()}])
        self._delete(table, unused[:1])
        draft.add(table.name, label=f"Unused, {self._text()}", sort_order=99, is_active=False)

    def _edited(self, table: Table, column: str) -> Row:
        return {column: self._value(table.c[column].type.python_type), "updated_at": self.at}

    def _value(self, kind: type) -> Any:
        if kind is int:
            return self.rng.randint(1, 9)
        if kind is Decimal:
            return Decimal(self.rng.randrange(100, 900)) / 100
        return self._text()

    def _text(self) -> str:
        return f"as of {self.at:%Y-%m-%d %H:%M:%S}"

    def _update(self, table: Table, keys: list[int], values: list[Row]) -> None:
        if not keys:
            return
        statement = table.update().where(key_column(table) == bindparam("changed_key"))
        rows = [{"changed_key": key, **row} for key, row in zip(keys, values, strict=True)]
        self.connection.execute(statement, rows)
        self.counts["updated"] += len(keys)

    def _delete(self, table: Table, keys: list[int]) -> None:
        if not keys:
            return
        statement = table.delete().where(key_column(table) == bindparam("gone_key"))
        self.connection.execute(statement, [{"gone_key": key} for key in keys])
        self.counts["deleted"] += len(keys)
