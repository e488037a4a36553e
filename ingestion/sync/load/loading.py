"""Makes the staged rows part of the table, marks what is gone and moves the watermark, in one
transaction; the table's columns are made ready in one before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from ingestion.sync.common.names import DELETED_AT, DELETED_PROOF
from ingestion.sync.load import keys, rejected
from ingestion.sync.load.absent import Absent
from ingestion.sync.load.columns.column_map import FACTS
from ingestion.sync.load.columns.hashing import VERSION
from ingestion.sync.load.merge import Merge
from ingestion.sync.load.reading import Reading
from ingestion.sync.load.tables import own_tables
from ingestion.sync.load.tables.session import Row
from ingestion.sync.load.tables.statements import ends_transactions
from ingestion.sync.load.tables.table import Table

EXAMPLES = 3


@dataclass
class Loading:
    """One load. ``repeated``: examples of keys that came with different contents; ``told``: what
    was changed in the table; ``vanished``: columns that the CRM no longer delivers."""

    reading: Reading
    table: Table
    repeated: list[Row] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    vanished: set[str] = field(default_factory=set)

    def load(self, listed: keys.Listed | None) -> None:
        with self._to_the_end():
            self._check()
            merge = self._merge()
            self.repeated = merge.index_staged(self.table.index_name, examples=EXAMPLES)
            if Absent(self.reading, self.table, listed).needs_second_pass(merge):
                merge = self._read_again(merge)
            self.reading.result.processed = merge.seen()
            with self.table.session.using_dataset(writes=True):
                self._write_all(listed)

    def _write_all(self, listed: keys.Listed | None) -> None:
        session = self.table.session
        self.vanished = self._vanished()
        with session.transaction():
            self.told = self.table.settle(self.reading.stager.columns, self.reading.now)
        if ends_transactions(session):
            self._define()
        self._check()
        with session.transaction():
            self._count(self._merge(), listed)
            rejected.write(self.reading, self.table)
            self._keep_state(listed)
            self._check()

    def _read_again(self, merge: Merge) -> Merge:
        """Lists shift while they are read: what the first pass skipped is read by the second."""
        self.reading.reporter.step(self.reading.model.name, "second_pass")
        merge.drop_staged_index(self.table.index_name)
        self.reading.batcher.rejects.begin_again()
        self.reading.read_window()
        again = self._merge()
        again.index_staged(self.table.index_name, examples=EXAMPLES)
        return again

    def keep_watermark(self) -> None:
        """Nothing was read: only the next run's beginning moves."""
        with self._to_the_end(), self.table.session.transaction():
            self.told = self.table.settle({}, self.reading.now)
            rejected.write(self.reading, self.table)
            self._keep_state(None)

    @contextmanager
    def _to_the_end(self) -> Iterator[None]:
        """A dry run does all of it and takes it back."""
        session = self.table.session
        with session.transaction(rollback=True) if session.is_dry else nullcontext():
            yield

    def _check(self) -> None:
        self.reading.reporter.check()

    def _merge(self) -> Merge:
        content = self.table.written
        staged = self.reading.stager.columns
        beside = [n for n in ("_misfits", "_overflow") if n in {**self.table.found, **staged}]
        content |= dict.fromkeys(beside, "json")
        return Merge(
            session=self.table.session,
            model=self.table.model,
            keys=self.reading.batcher.key_columns,
            content=content,
            staged=[name for name in content if name in staged],
            run_id=self.reading.stager.run_id,
            at=self.reading.now,
            has_marks=self.reading.batcher.has_marks,
            has_gone=bool(self.reading.stager.gone),
            has_known=bool(self.reading.stager.known),
        )

    def _count(self, merge: Merge, listed: keys.Listed | None) -> None:
        if not self.table.exists:
            self._first_load(merge)
            return
        if not ends_transactions(self.table.session):
            self._index()
        if self.reading.stager.rows:
            self._write(merge)
        if self.reading.is_whole:
            self.table.forget_keyless(self.reading.batcher.key_columns)
        self._check()
        self.reading.result.deleted += self._mark_gone(merge, listed)

    def _define(self) -> None:
        """The table and its index, outside of the transaction that fills it."""
        if self.table.exists:
            self._index()
        elif self.reading.stager.rows:
            self.table.create(self.reading.stager.columns)
            self.table.index(self.reading.batcher.key_columns)

    def _index(self) -> None:
        if not self.table.index(self.reading.batcher.key_columns) and self.reading.is_whole:
            self._forget_repeated()

    def _forget_repeated(self) -> None:
        keys_ = self.reading.batcher.key_columns
        with self.table.session.transaction():
            self.table.forget_keyless(keys_)
            count = self.table.forget_repeated(keys_)
        self.told.append(f"{count} rows of a key that stood twice were taken out")
        self.table.index(keys_)

    def _write(self, merge: Merge) -> None:
        """The staged rows, where there are some."""
        result = self.reading.result
        self.table.session.prepare_merge()
        if self.table.state.has_old_hashes:
            merge.keep_old_hashes()
            self._check()
        stored, new = merge.count_marked()
        force, by_value = self.reading.options.force, self.reading.is_whole
        result.updated += merge.update(force=force, by_value=by_value) - stored
        self._check()
        result.created += merge.insert() - new
        result.deleted += stored + new

    def _first_load(self, merge: Merge) -> None:
        """The staged rows become the table, or are copied into it."""
        session, keys_ = self.table.session, self.reading.batcher.key_columns
        if not self.reading.stager.rows:
            return
        if session.can_publish:
            session.publish(self.table.model)
        elif ends_transactions(session):
            merge.insert()
        else:
            self.table.create(self.reading.stager.columns)
            merge.insert()
            self.table.index(keys_)
        table = session.table(self.table.model)
        ((rows, marked),) = session.rows(f"SELECT count(*), count({DELETED_AT}) FROM {table}")
        if marked and session.can_publish:
            session.execute(
                f"UPDATE {table} SET {DELETED_PROOF} = 'reported' WHERE {DELETED_AT} IS NOT NULL"
            )
        self.reading.result.created += rows - marked
        self.reading.result.deleted += marked

    def _mark_gone(self, merge: Merge, listed: keys.Listed | None) -> int:
        marked = merge.mark_gone() if self.reading.stager.gone else 0
        merge.name_merged(self.reading.merged)
        for condition in self.reading.owners.conditions(self.table.session):
            marked += merge.mark_absent("looked_up", condition)
        return marked + Absent(self.reading, self.table, listed).mark(merge)

    def _keep_state(self, listed: keys.Listed | None) -> None:
        reading, session = self.reading, self.table.session
        state = replace(
            self.table.state,
            watermark=reading.new_watermark,
            has_old_hashes=self.table.has_old_hashes(VERSION),
        )
        if reading.is_whole or (listed is not None and listed.ranges is None):
            state = replace(state, keys_listed_at=reading.now)
        own_tables.keep_state(session, self.table.model, state, reading.now)

    def _vanished(self) -> set[str]:
        """The columns that rows of the table have filled and that no record had. Only before the
        load can that be told, and only by a run that has read everything."""
        reading = self.reading
        if not (self.table.exists and reading.is_whole and reading.result.processed):
            return set()
        fields = self.table.map.columns
        delivered = {fields[name].name for name in reading.batcher.met if name in fields}
        content = set(self.table.map.in_table) - set(FACTS)
        return self.table.filled(content - delivered)
