"""Whether the promises held, judged from what the syncs wrote and from what is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

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


@dataclass(frozen=True)
class Facts:
    """Everything that is known when all has ended."""

    notes: Notes
    runs: list[Run]
    rows: dict[str, dict[str, Any]]
    endings: list[tuple[str, str, float, str]]
    tasks: dict[str, tuple[str, int]]
    slots: dict[str, int]
    messages: dict[str, int]
    busy: int | None
    wall_minus_monotonic: float


def findings(facts: Facts) -> list[str]:
    """Every broken promise in words; none when all held."""
    return [
        *unfinished(facts),
        *two_endings(facts),
        *disagreements(facts),
        *leaks(facts),
        *too_many_at_once(facts),
        *run_by_two(facts),
        *attempts_out_of_order(facts),
        *results_that_differ(facts),
    ]


def unfinished(facts: Facts) -> Iterator[str]:
    """Every accepted task has a row, and every row has ended."""
    for task_id in facts.notes.accepted:
        if task_id not in facts.rows:
            yield f"task {task_id} was accepted and the ledger has no row of it"
    for task_id, row in facts.rows.items():
        if row["status"] not in STATUS_OF or row["end_time"] is None:
            yield f"task {task_id} never ended: {row['status']}, attempt {row['attempt']}"


def two_endings(facts: Facts) -> Iterator[str]:
    ends = Counter(target for target, *_ in facts.endings)
    for task_id, row in facts.rows.items():
        if row["status"] in STATUS_OF and ends[task_id] != 1:
            yield f"task {task_id} ended {ends[task_id]} times by the audit record"


def disagreements(facts: Facts) -> Iterator[str]:
    for task_id, (status, _) in facts.tasks.items():
        of_row = facts.rows.get(task_id, {}).get("status", "no row")
        if STATUS_OF.get(of_row) != status:
            yield f"task {task_id} is {status} in the store and {of_row} in the ledger"


def leaks(facts: Facts) -> Iterator[str]:
    for name, size in {**facts.slots, **facts.messages}.items():
        if size:
            yield f"{size} left in {name}"
    if facts.busy:
        yield f"Celery still runs {facts.busy} syncs"


def too_many_at_once(facts: Facts) -> Iterator[str]:
    """At each start: the last of those that run was granted its slot while all the others held
    theirs, so a limit at least that high was in force at one of their claims."""
    for run, together in overlaps(facts.runs):
        allowed = max(max(_limits_at_claim(other, facts), default=0) for other in together)
        if len(together) > allowed:
            who = ", ".join(f"{r.task_id[:8]}/{r.attempt}" for r in together)
            at = run.start - facts.notes.began_at
            yield f"{len(together)} ran at once {at:.1f} s after the beginning, limit {allowed}: {who}"


def run_by_two(facts: Facts) -> Iterator[str]:
    for run, together in overlaps(facts.runs):
        for other in together:
            if other is not run and other.task_id == run.task_id:
                yield (
                    f"task {run.task_id} ran twice at once: attempts {other.attempt} and "
                    f"{run.attempt} for {min(other.ran_until, run.ran_until) - run.start:.3f} s, "
                    f"{run.start - facts.notes.began_at:.1f} s after the beginning"
                )


def attempts_out_of_order(facts: Facts) -> Iterator[str]:
    """Each attempt starts at most once, a later one later."""
    of_task: dict[str, list[int]] = defaultdict(list)
    for run in facts.runs:
        of_task[run.task_id].append(run.attempt)
    for task_id, attempts in of_task.items():
        if any(later <= earlier for earlier, later in pairwise(attempts)):
            yield f"task {task_id} started its attempts in the order {attempts}"


def results_that_differ(facts: Facts) -> Iterator[str]:
    """A task is completed if, and only if, the attempt that its row tells of was done."""
    done = {(run.task_id, run.attempt) for run in facts.runs if run.is_done}
    for task_id, row in facts.rows.items():
        was_done = (task_id, row["attempt"]) in done
        if STATUS_OF.get(row["status"]) == "completed" and not was_done:
            yield f"task {task_id} is {row['status']}, and its attempt {row['attempt']} was not done"


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


def _limits_at_claim(run: Run, facts: Facts) -> set[int]:
    since = run.start - LONGEST_DISPATCH_SECONDS
    row = facts.rows.get(run.task_id)
    if row is not None and row["attempt"] == run.attempt:
        claimed = row["started_at"] - facts.wall_minus_monotonic
        since = min(claimed, run.start) - CLOCKS_DIFFER_SECONDS
    return facts.notes.limits_between(since, run.start)
