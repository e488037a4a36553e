"""Absent is not deleted: what a run did not see is a candidate, and is marked once that is proven.

A source that lists its keys was asked for them in a query of its own: what that lacks was looked up.
Elsewhere everything is read once more, since lists shift while they are read: what both passes lack
is gone, and what the first one skipped is loaded. Many candidates at once are held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.load import keys

if TYPE_CHECKING:
    from ingestion.sync.load.merge import Merge, Proof
    from ingestion.sync.load.reading import Reading
    from ingestion.sync.load.tables.table import Table

HELD_SHARE: Final = 0.05
HELD_COUNT: Final = 20


@dataclass(frozen=True)
class Absent:
    """The living rows of a table that a reading did not see."""

    reading: Reading
    table: Table
    listed: keys.Listed | None

    @property
    def is_told(self) -> bool:
        """Whether the run can tell: it has read everything, or has compared the keys."""
        reads_all = self.reading.is_whole and not self.reading.is_partial
        may = self.reading.model.deletions == "full_run" and self.table.exists
        return may and not self._lacks_keys and (reads_all or self.listed is not None)

    @property
    def _lacks_keys(self) -> bool:
        """Somebody has dropped them: this run brings them back, the next one compares."""
        return bool(self.table.lost & set(self.reading.batcher.key_columns))

    @property
    def proof(self) -> Proof:
        return "two_scans" if self.listed is None else "looked_up"

    def needs_second_pass(self, merge: Merge) -> bool:
        """Whether there is a candidate, and nothing but another pass can prove it. An answer without
        any record is reported as such."""
        if not self.is_told or self.listed is not None or self.reading.options.max_records:
            return False
        if DELETED_AT in self.table.lost:  # before it is back, nothing tells what had been deleted
            return not self._is_empty
        return not self._is_empty and self.count(merge) > 0

    def mark(self, merge: Merge) -> int:
        """How many were marked; none of an empty answer, and none of too many."""
        if not self.is_told:
            return 0
        if (self._is_empty and self._refuse_empty()) or self._hold_back(merge):
            return 0
        return merge.mark_absent(self.proof, self._condition(merge))

    def count(self, merge: Merge) -> int:
        """Candidates, but for those of owners whose rows have all been read."""
        owners = self.reading.owners.conditions(self.table.session)
        others = [f"NOT {condition}" for condition in owners]
        return merge.count_absent(" AND ".join(filter(None, [self._condition(merge), *others])))

    def _condition(self, merge: Merge) -> str:
        if self.reading.is_whole or self.listed is None:
            return ""
        if self.listed.ranges == ():
            return "false"
        return keys.condition(self.table.session, merge.keys[0], self.listed)

    @property
    def _is_empty(self) -> bool:
        stager = self.reading.stager
        is_empty = not (stager.rows or stager.gone or stager.known)
        if not self.reading.is_whole and self.listed is not None:
            return is_empty and self.listed.is_empty
        return is_empty

    def _refuse_empty(self) -> bool:
        living = self.table.living()
        if not living or self.reading.options.force:
            return False
        self.reading.warn(
            f"the CRM answered with no record where the warehouse has {living}; nothing was "
            "marked as deleted. If they are gone, run with --full --force"
        )
        return True

    def _hold_back(self, merge: Merge) -> bool:
        """More than a twentieth at once is rather a fault of the source or of its rights."""
        options, count = self.reading.options, self.count(merge)
        self.reading.result.held_back = 0
        if options.accept_deletions or (options.force and self._is_empty) or count < HELD_COUNT:
            return False
        living = self.table.living()
        if count <= HELD_SHARE * living or self._is("accepted", count):
            return False
        result = self.reading.result
        result.held_back, result.living = count, living
        if not self._is("dismissed", count):
            self._report(count, living)
        return True

    def _is(self, kind: str, count: int) -> bool:
        """Whether somebody has decided so, about at least as many."""
        verdict = self.reading.verdict
        return verdict is not None and verdict.kind == kind and count <= verdict.count

    def _report(self, count: int, living: int) -> None:
        command = f"manage.py verify_warehouse {self.reading.crm}"
        self.reading.warn(
            f"{count} of {living} records are not there any more; so many are held back, and none was"
            f" marked as deleted. If they are gone, accept it: {command} --accept-deletions"
            f" {self.table.model}; if they are not: {command} --dismiss-deletions {self.table.model}"
        )
