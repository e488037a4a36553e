"""What limits and pauses promise: kept apart from any store, judged on what one did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask

# Kind, CRM ('' = the pool), whether it has an end.
Name = tuple[str, str, bool]


@dataclass
class ControlInvariants:
    """By name: the value, and the end or None."""

    default_limit: int
    kept: dict[Name, tuple[int, datetime | None]] = field(default_factory=dict)

    def expire(self, now: datetime) -> None:
        """Whoever looks at one that is over will not see it again."""
        self.kept = {
            name: (value, end)
            for name, (value, end) in self.kept.items()
            if end is None or end > now
        }

    def note(self, verb: str, given: dict[str, Any]) -> None:
        crm, end = given["crm"] or "", given.get("expires_at")
        if verb == "set_limit":
            self._note_limit(given["max_workers"], crm, end)
        elif verb == "pause":
            self.kept["pause", crm, False] = (1, end)
        else:
            self.kept.pop(("pause", crm, False), None)

    def _note_limit(self, value: int | None, crm: str, end: datetime | None) -> None:
        if end is None:
            self.kept.pop(("limit", crm, True), None)
        if value is None:
            self.kept.pop(("limit", crm, False), None)
        else:
            self.kept["limit", crm, end is not None] = (value, end)

    def limit(self, crm: str = "") -> int | None:
        for has_end in (True, False):
            if ("limit", crm, has_end) in self.kept:
                return self.kept["limit", crm, has_end][0]
        return None if crm else self.default_limit

    def is_paused(self, crm: str = "") -> bool:
        return ("pause", crm, False) in self.kept

    def may_start(self, in_order: Iterable[WorkerTask], running: Iterable[str]) -> list[str]:
        """Of those that wait the ones that may start, while slots last: none of a paused CRM, no
        more of a limited one than its limit. ``running`` are the CRMs of what runs."""
        counts, chosen = Counter(running), []
        for task in () if self.is_paused() else in_order:
            limit = self.limit(task.crm_source)
            has_room = limit is None or counts[task.crm_source] < limit
            if has_room and not self.is_paused(task.crm_source):
                counts[task.crm_source] += 1
                chosen.append(task.id)
        return chosen

    def agree_with(self, snapshot: PoolSnapshot) -> None:
        """Everybody is told of those in force, and of no other."""
        told = snapshot.controls
        assert snapshot.limit.max_workers == self.limit()
        crms = {crm for _, crm, _ in self.kept if crm}
        limits = {crm: self.limit(crm) for crm in crms if self.limit(crm) is not None}
        assert {crm: control.value for crm, control in told.crm_limits.items()} == limits
        assert set(told.crm_pauses) == {crm for crm in crms if self.is_paused(crm)}
        assert (told.pause is not None) == self.is_paused()
