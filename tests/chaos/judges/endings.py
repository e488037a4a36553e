"""Every accepted task ends once, in the state that its work had, for a reason that was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.chaos.judges.facts import CLOCKS_DIFFER_SECONDS, STATUS_OF, Facts
from tests.chaos.notes import REPORT_SECONDS, Notes
from tests.chaos.runs import Run

PARTITIONS = {"partition", "partition_cache"}
KEEPS_MESSAGES = {"freeze_broker", "kill_broker", "flush_broker", "older_worker"}
STOPS_WRITES = {
    *("crash_ledger", "freeze_ledger", "interrupt_ledger"),
    *("lock_ledger", "lose_commits", "read_only_ledger"),
}
CHANGES_STORES = {
    *("delay_replies", "drop_replies", "fill_cache", "freeze_cache", "freeze_cache_past_lease"),
    *("lock_out_of_cache", "partition_cache", "read_only_cache"),
}
STORES_GONE = {"kill_cache", "lose_cache", "lose_cache_for_long"}
LOSES_STATE = {"flush_cache", "kill_cache", "lose_cache", "lose_cache_for_long", "lose_key"}


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
    for task_id, row in facts.rows.items():
        status = facts.tasks.get(task_id, ("",))[0]
        if not status:
            yield f"the store does not know task {task_id}, which is {row['status']} in the ledger"
        elif STATUS_OF.get(row["status"]) != status:
            yield f"task {task_id} is {status} in the store and {row['status']} in the ledger"
    for task_id in facts.tasks.keys() - facts.rows.keys():
        yield f"task {task_id} is in the store and no row in the ledger"


def done_or_not(facts: Facts) -> Iterator[str]:
    """A task is completed if, and only if, the attempt that its row tells of was done."""
    done = {(run.task_id, run.attempt) for run in facts.runs if run.is_done}
    for task_id, row in facts.rows.items():
        was_done = (task_id, row["attempt"]) in done
        if facts.status(task_id) == "completed" and not was_done:
            yield f"task {task_id} is {row['status']}, and its attempt {row['attempt']} was not done"


def done_in_vain(facts: Facts) -> Iterator[str]:
    """What was done is never told as failed or cancelled, nor done again, but by a worker that the
    chaos hit before it could say so, or that could say it to no store."""
    last = {run.task_id: run.attempt for run in facts.runs}
    for run in facts.runs:
        if not run.is_done or facts.notes.was_hit(run, within_seconds=REPORT_SECONDS):
            continue
        if _could_tell_nobody(run, facts.notes):
            continue
        if run.attempt != last[run.task_id]:
            yield f"task {run.task_id} was done in attempt {run.attempt} and ran again"
        elif run.task_id in facts.rows and facts.status(run.task_id) != "completed":
            yield f"task {run.task_id} was done and is {facts.rows[run.task_id]['status']}"


def _could_tell_nobody(run: Run, notes: Notes) -> bool:
    assert run.end is not None
    since, until = run.end, run.end + REPORT_SECONDS
    gone = STORES_GONE | CHANGES_STORES
    return all(notes.has_been(kinds, since=since, until=until) for kinds in (gone, STOPS_WRITES))


def unasked_cancellations(facts: Facts) -> Iterator[str]:
    for task_id, row in facts.rows.items():
        if row["status"] == "cancelled" and task_id not in facts.notes.cancels:
            yield f"task {task_id} is cancelled and nobody asked for it: {row['error_message']}"


def without_cause(facts: Facts) -> Iterator[str]:
    """Every attempt that failed names a reason, and what the chaos did to it is that reason."""
    runs = {(run.task_id, run.attempt): run for run in facts.runs}
    for ended in (*facts.endings, *facts.retries):
        if ended.action not in ("fail", "retry"):
            continue
        attempt = Attempt(
            runs.get((ended.task_id, ended.attempt)),
            until=ended.at - facts.wall_minus_monotonic,
        )
        if not _has_cause(ended.why, attempt, facts.notes):
            what = "failed" if ended.action == "fail" else "was queued again"
            yield f"task {ended.task_id} {what} for a reason that nobody caused: {ended.why[:200]}"


@dataclass(frozen=True)
class Attempt:
    """``run`` None: it was hit before its first line, within a minute of its end."""

    run: Run | None
    until: float

    @property
    def since(self) -> float:
        return self.run.start if self.run else self.until - 60


def _has_cause(why: str, attempt: Attempt, notes: Notes) -> bool:
    for part, is_caused in CAUSES.items():
        if part in why:
            return is_caused(attempt, notes)
    return False


def _raised(attempt: Attempt, notes: Notes) -> bool:
    return attempt.run is not None and attempt.run.how == "TransientError"


def _killed(attempt: Attempt, notes: Notes) -> bool:
    return any(
        attempt.since <= kill.at <= attempt.until + CLOCKS_DIFFER_SECONDS
        and (attempt.run is None or kill.group == attempt.run.group)
        for kill in notes.kills
    )


def _left_alone(attempt: Attempt, notes: Notes) -> bool:
    stood_still = any(
        stop.since <= attempt.until
        and (stop.until is None or stop.until >= attempt.since)
        and (attempt.run is None or stop.group == attempt.run.group)
        for stop in notes.stops
    )
    return (
        stood_still
        or _killed(attempt, notes)
        or _shut_down(attempt, notes)
        or notes.has_been(PARTITIONS, since=attempt.since, until=attempt.until)
    )


def _shut_down(attempt: Attempt, notes: Notes) -> bool:
    return any(
        end.at <= attempt.until + CLOCKS_DIFFER_SECONDS
        and (attempt.run is None or end.group == attempt.run.group)
        for end in (*notes.ends, *notes.died)
    )


def _forgotten(attempt: Attempt, notes: Notes) -> bool:
    return notes.has_been(LOSES_STATE, since=attempt.since, until=attempt.until)


def _not_delivered(attempt: Attempt, notes: Notes) -> bool:
    return notes.has_been(KEEPS_MESSAGES, since=attempt.since, until=attempt.until)


# What an attempt may fail of -> whether that has happened.
CAUSES: dict[str, Callable[[Attempt, Notes], bool]] = {
    "the CRM answered 503": _raised,
    "The worker process was killed": _killed,
    "stopped renewing its lease": _left_alone,
    "The worker was shut down": _shut_down,
    "its state was lost while the task ran": _forgotten,
    "No worker knows this task": _not_delivered,
}
