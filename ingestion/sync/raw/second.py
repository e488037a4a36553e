"""The second reading of one model: what the CRM sent is compared with what the warehouse holds, what it
counts with what was read, and records that paging did not choose are asked for by key."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.source import Heard, Model
from ingestion.sync.http.errors import documented_shape
from ingestion.sync.load.tables.stored import StoredTable
from ingestion.sync.raw.plain import Plain, shown
from ingestion.sync.raw.reader import Count, Key, RawReader, RawRecord
from ingestion.sync.raw.spool import Spool, text_of
from ingestion.sync.raw.stored import TextRow, living_rows, random_rows, text_rows

EXAMPLES: Final = 5
T = TypeVar("T")
WHOLE_NUMBER: Final = re.compile(r"-?\d+")


@dataclass
class Recorder:
    """Keeps the answers that a source gets, from whichever thread, until they are taken."""

    _heard: list[Heard] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, answer: Heard) -> None:
        with self._lock:
            self._heard.append(answer)

    def taken(self) -> list[Heard]:
        with self._lock:
            heard, self._heard = self._heard, []
        return heard


@dataclass
class Findings:
    """What a second reading has found; counts are records.

    ``sent``: living ones in the CRM's answers; None: they cannot be read a second time.
    ``counted``: what the CRM itself counts, in words. ``wrong_values``: rows with a value that is not
    the one that was sent. ``unread``: records that the CRM has and the sync's paging did not give.
    ``undeleted``: marked as deleted, and the CRM has them. ``forgotten``: keys of rows that the CRM
    no longer keeps, by age. ``looked_up``: how many were asked for by key.
    """

    sent: int | None = None
    counted: str | None = None
    is_miscounted: bool = False
    wrong_values: int = 0
    unread: int = 0
    undeleted: int = 0
    looked_up: int = 0
    forgotten: set[str] = field(default_factory=set)
    hashes: dict[str, str] = field(default_factory=dict)  # stored ones, by key
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wrong_types: list[str] = field(default_factory=list)

    def add_example(self, what: str, key: Key, why: str = "") -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what} {', '.join(key)}{why and f': {why}'}")


class SecondReading:
    """Begun before the sync's own reading, fed during it, ended after it."""

    def __init__(
        self,
        reader: RawReader,
        model: Model,
        table: StoredTable,
        recorder: Recorder,
        *,
        look_ups: int = 20,
    ) -> None:
        self._reader, self._model, self._table = reader, model, table
        self._recorder = recorder
        self._keys = tuple(table.names.get(name, name) for name in model.key)
        self._spool = Spool()
        self._findings = Findings()
        self._wrong: set[Key] = set()
        # Of columns of whole numbers: how many values have them, and how many fractions stand beside.
        self._wholes: Counter[str] = Counter()
        self._fractions: Counter[str] = Counter()
        most = min(look_ups, reader.most_look_ups)
        self._living = self._random_rows(most, deleted=False)
        self._gone = self._random_rows(most, deleted=True)
        known = [row.values for row in self._living]
        count = living_rows(table)
        self._sample = self._asked(lambda: reader.sample(model, known, count) if most else None)
        self._before = self._asked(lambda: reader.count(model))
        self._asked(lambda: self._put_all(reader.read(model) or ()))
        self._plain = Plain(reader.zone)
        recorder.taken()

    def close(self) -> None:
        self._spool.close()

    def hear(self) -> None:
        """Take what has come since the last time."""
        for answer in self._recorder.taken():
            self._hear(answer)

    def end(self, read: Set[str], *, without_key: int = 0) -> Findings:
        """``read``: keys of the living records that the sync's own reading gave; ``without_key``: how
        many it gave besides."""
        self.hear()
        found = self._findings
        if self._reader.abilities(self._model).raw:
            found.sent = self._spool.count()
            self._see_rest(read)
        self._compare_counts(len(read) + without_key)
        for row in text_rows(self._table):
            self._see_row(row, read)
        found.wrong_types = [
            f"{column} is bigint, and {count} numbers with fractions are kept beside it"
            for column, count in sorted(self._fractions.items())
            if count > self._wholes[column]
        ]
        self._look_up(read)
        self._see_sample(read)
        return found

    def _random_rows(self, most: int, *, deleted: bool) -> list[TextRow]:
        """Somebody may have taken away the key of one."""
        rows = random_rows(self._table, most, deleted=deleted)
        return [row for row in rows if all(self._key_of(row))]

    def _asked(self, ask: Callable[[], T]) -> T | None:
        """None where the CRM does not let this account ask so, or answers in a shape that nobody
        knows; the readings go on without it."""
        try:
            with documented_shape(f"The second reading of {self._model.name}"):
                return ask()
        except SyncError as problem:
            note = f"not asked: {problem}"
            if note not in self._findings.notes:
                self._findings.notes.append(note)
            return None

    def _hear(self, answer: Heard) -> None:
        self._asked(lambda: self._put_all(self._reader.received(self._model, answer)))

    def _put_all(self, records: Iterable[RawRecord]) -> None:
        for record in records:
            self._put(record)

    def _put(self, record: RawRecord) -> None:
        if all(self._is_key(name, part) for name, part in zip(self._keys, record.key, strict=True)):
            self._spool.put(record)

    def _is_key(self, column: str, text: str) -> bool:
        """Others are rejected, and stand in no table."""
        is_number = self._table.types.get(column) == "bigint"
        return bool(WHOLE_NUMBER.fullmatch(text) if is_number else text)

    def _see_rest(self, read: Set[str]) -> None:
        """What was sent, and that the conversion did not give."""
        for key in self._spool.living():
            if text_of(key) not in read:
                self._unread(key, "it was sent, and not taken")

    def _unread(self, key: Key, why: str) -> None:
        self._findings.unread += 1
        self._findings.add_example("unread", key, why)

    def _compare_counts(self, read: int) -> None:
        """Asked before and after: records come and go meanwhile."""
        before = self._before
        after = before and self._asked(lambda: self._reader.count(self._model))
        if before is None or after is None:
            return
        low, high = sorted((before.number, after.number))
        found = self._findings
        found.counted = _in_words(low, high, before)
        found.is_miscounted = read < low or (read > high and not before.is_least)
        if found.is_miscounted:
            found.notes.append(f"the CRM counts {found.counted} records, and {read} were read")

    def _see_row(self, row: TextRow, read: Set[str]) -> None:
        if row.deleted_at is not None:
            return
        key = self._key_of(row)
        self._findings.hashes[text_of(key)] = row.row_hash or ""
        if text_of(key) not in read and self._reader.is_forgotten(self._model, row.values):
            self._findings.forgotten.add(text_of(key))
        sent = self._spool.get(key)
        if sent is not None and not sent.is_gone:
            self._compare(row, key, sent)

    def _key_of(self, row: TextRow) -> Key:
        return tuple(row.values.get(name, "") for name in self._keys)

    def _compare(self, row: TextRow, key: Key, sent: RawRecord, *, is_part: bool = False) -> None:
        """``is_part``: fields that others have and this one lacks are not asked for."""
        names = set(sent.fields) if is_part else set(sent.fields) | self._spool.names
        for name in sorted(names):
            column = self._table.names.get(name)
            kind = self._table.types.get(column or "") or self._table.overflow.get(column or "")
            if column is None or kind is None or column in self._keys:
                continue
            raw, stored = sent.fields.get(name), row.values.get(column)
            if kind == "bigint":
                self._wholes[column] += stored is not None
                self._fractions[column] += stored is None and self._plain.is_fraction(raw)
            if column in row.misfits and stored is None:
                same = self._plain.same_misfit(raw, row.misfits[column], kind)
            else:
                same = self._plain.same(raw, stored, kind)
            if same is False:
                held = "nothing" if stored is None else shown(stored)
                self._found_wrong(key, f"{column} holds {held}, the CRM sent {shown(raw)}")
                return

    def _found_wrong(self, key: Key, why: str) -> None:
        if key not in self._wrong:
            self._wrong.add(key)
            self._findings.wrong_values += 1
            self._findings.add_example("wrong value in", key, why)

    def _look_up(self, read: Set[str]) -> None:
        """Rows of the warehouse, some of them marked as deleted. A look-up that finds nothing of what
        was read just now does not work with this account, and says nothing about the others."""
        living = [row for row in self._living if text_of(self._key_of(row)) in read]
        others = [row for row in self._living if row not in living]
        gone = self._gone if self._reader.finds_deleted(self._model) else []
        asked = [*living, *others, *gone]
        keys = [row.values for row in asked]
        answer = self._asked(lambda: self._reader.look_up(self._model, keys)) if asked else None
        if answer is None:
            return
        found = {record.key: record for record in answer if not record.is_gone}
        if living and not any(self._key_of(row) in found for row in living):
            self._findings.notes.append(
                f"looking up by key found none of {len(living)} records that were read just now,"
                " so nothing is concluded from it"
            )
            return
        self._findings.looked_up += len(asked)
        for row in living:
            if record := found.get(self._key_of(row)):
                self._compare(row, record.key, record, is_part=True)
        for row in others:
            if self._key_of(row) in found:
                self._unread(self._key_of(row), "it is found by its key, and no page has it")
        for row in gone:
            if self._key_of(row) in found:
                self._findings.undeleted += 1
                why = f"marked as {row.deleted_proof}" if row.deleted_proof else ""
                self._findings.add_example("undeleted", self._key_of(row), why)

    def _see_sample(self, read: Set[str]) -> None:
        """Chosen before the reading began, so that it had to give them, those too that the CRM
        reports as deleted."""
        for record in self._sample or ():
            self._findings.looked_up += 1
            if text_of(record.key) not in read and self._spool.get(record.key) is None:
                how = "reported as deleted" if record.is_gone else "found by its key"
                self._unread(record.key, f"it is {how}, and no page has it")


def _in_words(low: int, high: int, count: Count) -> str:
    told = str(low) if low == high else f"{low} to {high}"
    return f"at least {told}" if count.is_least else told
