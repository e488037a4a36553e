"""The statements that make the staged rows part of the table: the same on every warehouse, and as
many whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ingestion.sync.common.names import (
    DELETED_AT,
    DELETED_PROOF,
    MISFITS,
    ROW_HASH,
    RUN_ID,
    SYNCED_AT,
)
from ingestion.sync.load.columns.batch import SEQUENCE
from ingestion.sync.load.columns.hashing import VERSION
from ingestion.sync.load.tables import statements
from ingestion.sync.load.tables.session import Row, Session

# How a deletion is known: the CRM reports it; the record was looked for, alone, with all of its
# owner or in a query of all keys; two complete passes lack it. ``merged_into`` stands for reported where that was a merge.
Proof = Literal["reported", "looked_up", "two_scans"]


@dataclass(frozen=True)
class Merge:
    """One model's staged rows and its table. ``content``: the source's columns of the table with
    their types; ``staged``: those of them that were staged. ``has_gone``, ``has_known``: whether
    something is in these staging tables."""

    session: Session
    model: str
    keys: Sequence[str]
    content: dict[str, str]
    staged: Sequence[str]
    run_id: str
    at: datetime
    has_marks: bool
    has_gone: bool
    has_known: bool

    @property
    def table(self) -> str:
        return self.session.table(self.model)

    @property
    def rows(self) -> str:
        return self.session.staged("rows")

    def index_staged(self, name: str, *, examples: int) -> list[Row]:
        """A unique index on the staged keys. Of rows with one key the last one stays; gives
        examples of keys that came with different contents."""
        if self.session.make_unique(self.rows, name, self.keys):
            return []
        found = self.session.rows(
            f"SELECT {self._keys()} FROM {self.rows} GROUP BY {self._keys()}"
            f" HAVING count(DISTINCT {ROW_HASH}) > 1 ORDER BY {self._keys()} LIMIT {examples}"
        )
        self.session.execute(
            f"DELETE FROM {self.rows} WHERE {SEQUENCE} NOT IN (SELECT max({SEQUENCE})"
            f" FROM {self.rows} GROUP BY {self._keys()})"
        )
        self.session.make_unique(self.rows, name, self.keys)
        return found

    def drop_staged_index(self, name: str) -> None:
        """So that more rows can be staged."""
        self.session.drop_unique(self.rows, name)

    def keep_old_hashes(self) -> None:
        """Rows whose values are what the source says get today's hash, silently."""
        is_old = f"substr(t.{ROW_HASH}, 1, {len(VERSION)}) <> '{VERSION}'"
        same = f"NOT ({self._values_differ(of_earlier=True)})"
        json = [n for n, kind in self.content.items() if kind == "json" and n in self.staged]
        self._update([ROW_HASH, *json], f"{is_old} AND {same}")

    def update(self, *, force: bool, by_value: bool) -> int:
        """Rows that are there and differ. ``by_value``: also those that somebody else changed."""
        hashes = self.session.differs(f"t.{ROW_HASH}", f"s.{ROW_HASH}")
        marks = f"(t.{DELETED_AT} IS NULL) <> (s.{DELETED_AT} IS NULL)"
        changed = [hashes, marks, *([self._values_differ()] if by_value else [])]
        condition = None if force else " OR ".join(changed)
        written = [*self.content, ROW_HASH, DELETED_AT]
        return self._update(written, condition, with_facts=True)

    def insert(self) -> int:
        """Rows that are not there."""
        q = self.session.quote
        named = [*self.staged, ROW_HASH, DELETED_AT]
        values = [f"s.{q(name)}" for name in named]
        columns = ", ".join(map(q, [*named, DELETED_PROOF, SYNCED_AT, RUN_ID]))
        return self.session.execute(
            f"INSERT INTO {self.table} ({columns}) SELECT {', '.join(values)}, {_PROOF},"
            f" ?, ? FROM {self.rows} s WHERE NOT EXISTS"
            f" (SELECT 1 FROM {self.table} t WHERE {self._same_key('t', 's')})",
            self._facts,
        )

    def count_marked(self) -> tuple[int, int]:
        """Of the staged rows with a mark: those that are stored and alive, those that are new."""
        if not self.has_marks:
            return 0, 0
        ((stored, new),) = self.session.rows(
            f"SELECT count(CASE WHEN t.{ROW_HASH} IS NOT NULL AND t.{DELETED_AT} IS NULL THEN 1 END),"
            f" count(CASE WHEN t.{self._first} IS NULL THEN 1 END) FROM {self.rows} s"
            f" LEFT JOIN {self.table} t ON {self._same_key('t', 's')}"
            f" WHERE s.{DELETED_AT} IS NOT NULL"
        )
        return stored, new

    def mark_gone(self) -> int:
        """What the CRM reports as deleted, unless it came again later in the run."""
        gone = self.session.staged("gone")
        later = f"{self._same_key('s', 'g')} AND s.{SEQUENCE} > g.{SEQUENCE}"
        last = (
            f"(SELECT {self._keys()}, max({DELETED_AT}) AS {DELETED_AT}, max({SEQUENCE}) AS"
            f" {SEQUENCE} FROM {gone} GROUP BY {self._keys()}) AS g"
        )
        sets = [(DELETED_AT, f"g.{DELETED_AT}"), *self._set_facts("reported")]
        where = (
            f"{self._same_key('t', 'g')} AND t.{DELETED_AT} IS NULL"
            f" AND NOT EXISTS (SELECT 1 FROM {self.rows} s WHERE {later})"
        )
        update = statements.update_from(self.session, self.table, last, sets, where)
        return self.session.execute(update, self._facts)

    def name_merged(self, merged: Iterable[str]) -> None:
        """Of the rows that this run has marked as deleted, those of such keys were merged."""
        for key in sorted(merged):
            self.session.execute(
                f"UPDATE {self.table} SET {DELETED_PROOF} = 'merged_into' WHERE {self._first} = ?"
                f" AND {DELETED_PROOF} = 'reported' AND {RUN_ID} = ?",
                (key, self.run_id),
            )

    def mark_absent(self, proof: Proof, condition: str) -> int:
        """Living rows that the run did not see. ``condition``: on ``t``, which of them count."""
        facts = ", ".join(f"{name} = {value}" for name, value in self._set_facts(proof))
        return self.session.execute(
            f"UPDATE {self.table} AS t SET {DELETED_AT} = ?, {facts}"
            f" WHERE {self._is_absent(condition)}",
            (self._at, *self._facts),
        )

    def count_absent(self, condition: str) -> int:
        """How many ``mark_absent`` would mark."""
        ((count,),) = self.session.rows(
            f"SELECT count(*) FROM {self.table} t WHERE {self._is_absent(condition)}"
        )
        return int(count)

    def _is_absent(self, condition: str) -> str:
        filled = {"rows": True, "gone": self.has_gone, "known": self.has_known}
        unseen = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {self.session.staged(stage)} s"
            f" WHERE {self._same_key('s', 't')})"
            for stage, is_filled in filled.items()
            if is_filled
        )
        also = f" AND {condition}" if condition else ""
        return f"t.{DELETED_AT} IS NULL AND {unseen}{also}"

    def seen(self) -> int:
        """How many keys were read."""
        if not self.has_gone:
            ((count,),) = self.session.rows(f"SELECT count(*) FROM {self.rows}")
            return int(count)
        ((count,),) = self.session.rows(
            f"SELECT (SELECT count(*) FROM {self.rows}) + (SELECT count(*) FROM (SELECT DISTINCT"
            f" {self._keys('g')} FROM {self.session.staged('gone')} g WHERE NOT EXISTS (SELECT 1"
            f" FROM {self.rows} s WHERE {self._same_key('s', 'g')})) AS alone)"
        )
        return int(count)

    def _update(
        self, written: Sequence[str], condition: str | None, *, with_facts: bool = False
    ) -> int:
        q = self.session.quote
        own = (ROW_HASH, DELETED_AT)
        sets = [
            (q(name), f"s.{q(name)}" if name in self.staged or name in own else "NULL")
            for name in written
        ]
        if with_facts:
            sets += [(DELETED_PROOF, _PROOF), (SYNCED_AT, "?"), (RUN_ID, "?")]
        where = self._same_key("t", "s") + (f" AND ({condition})" if condition else "")
        rows = f"{self.rows} AS s"
        update = statements.update_from(self.session, self.table, rows, sets, where)
        return self.session.execute(update, self._facts if with_facts else ())

    def _values_differ(self, *, of_earlier: bool = False) -> str:
        """``of_earlier``: JSON that another release wrote may stand there in another form."""
        told = []
        for name, kind in self.content.items():
            column = self.session.quote(name)
            one, other = f"t.{column}", f"s.{column}" if name in self.staged else "NULL"
            if name == MISFITS:
                told.append(self.session.misfits_differ(one, other))
                continue
            if of_earlier and kind == "json":
                told.append(statements.json_differs(self.session, one, other))
                continue
            told.append(self.session.differs(one, other))
        return _any_of(told)

    def _same_key(self, one: str, other: str) -> str:
        q = self.session.quote
        return " AND ".join(f"{one}.{q(name)} = {other}.{q(name)}" for name in self.keys)

    def _keys(self, of: str = "") -> str:
        prefix = f"{of}." if of else ""
        return ", ".join(prefix + self.session.quote(name) for name in self.keys)

    def _set_facts(self, proof: Proof) -> list[tuple[str, str]]:
        return [(DELETED_PROOF, f"'{proof}'"), (SYNCED_AT, "?"), (RUN_ID, "?")]

    @property
    def _facts(self) -> tuple[Any, ...]:
        return (self._at, self.run_id)

    @property
    def _at(self) -> Any:
        return self.session.moment(self.at)

    @property
    def _first(self) -> str:
        return self.session.quote(self.keys[0])


_PROOF = f"CASE WHEN s.{DELETED_AT} IS NULL THEN NULL ELSE 'reported' END"


def _any_of(conditions: Sequence[str]) -> str:
    """In groups: SQLite goes no deeper than a thousand words into one expression."""
    if not conditions:
        return "false"
    groups = [conditions[i : i + 100] for i in range(0, len(conditions), 100)]
    return " OR ".join(f"({' OR '.join(group)})" for group in groups)
