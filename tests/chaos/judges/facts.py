"""Everything that is known when all has ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.chaos.notes import Notes
from tests.chaos.runs import Run

# The ledger's word for an end, and the pool's.
STATUS_OF = {
    "success": "completed",
    "partial": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
# A claim comes before its sync starts: by how much is known from the ledger for the attempt that
# the row tells of; for an earlier one it may be a lost message and more.
LONGEST_DISPATCH_SECONDS = 30.0
CLOCKS_DIFFER_SECONDS = 1.5


class Ending(NamedTuple):
    """Of an attempt, as the audit record tells it; ``at`` in seconds since 1970. The action is
    ``complete``, ``fail``, ``cancel``, or ``retry`` where another attempt follows."""

    task_id: str
    action: str
    at: float
    why: str
    attempt: int = 1


@dataclass(frozen=True)
class Facts:
    """``rows``, ``tasks``: by task id, as the ledger and the store know them. ``audit``: action,
    target, actor, and of a limit the number after it."""

    notes: Notes
    runs: list[Run]
    rows: dict[str, dict[str, Any]]
    endings: list[Ending]
    tasks: dict[str, tuple[str, int]]
    slots: dict[str, int]
    messages: dict[str, int]
    busy: int | None
    wall_minus_monotonic: float
    retries: list[Ending] = field(default_factory=list)
    audit: list[tuple[str, str, str, Any]] = field(default_factory=list)

    def status(self, task_id: str) -> str:
        """The pool's word for what the ledger says."""
        return STATUS_OF.get(self.rows.get(task_id, {}).get("status", ""), "")

    def claimed_at(self, task_id: str) -> float:
        """When the attempt that the row tells of was given its slot; monotonic."""
        return float(self.rows[task_id]["started_at"]) - self.wall_minus_monotonic


def overlaps(runs: Iterable[Run]) -> Iterator[tuple[Run, list[Run]]]:
    """Each run with those that ran when it started, itself among them."""
    going: list[Run] = []
    for run in sorted(runs, key=lambda r: r.start):
        going = [other for other in going if other.ran_until > run.start]
        if run.ran_until > run.start:
            going.append(run)
            yield run, going


def most_at_once(runs: Iterable[Run]) -> int:
    return max((len(together) for _, together in overlaps(runs)), default=0)
