"""Each attempt runs once, one after the other, and no more of them than were allowed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.judges.facts import Facts, overlaps
from tests.chaos.runs import Run


def run_by_two(facts: Facts) -> Iterator[str]:
    for run, together in overlaps(facts.runs):
        for other in together:
            if other is not run and other.task_id == run.task_id:
                yield (
                    f"task {run.task_id} ran twice at once: attempts {other.attempt} and "
                    f"{run.attempt} for {min(other.ran_until, run.ran_until) - run.start:.3f} s, "
                    f"{run.start - facts.notes.began_at:.1f} s after the beginning"
                )


def out_of_order(facts: Facts) -> Iterator[str]:
    """Each attempt starts at most once, a later one later."""
    for task_id, runs in _by_task(facts).items():
        attempts = [run.attempt for run in runs]
        if any(later <= earlier for earlier, later in pairwise(attempts)):
            yield f"task {task_id} started its attempts in the order {attempts}"


def too_many(facts: Facts) -> Iterator[str]:
    """One that a shutdown interrupted does not count. Where more than one is allowed, one that failed
    by itself after it had changed rows earns the next one."""
    for task_id, runs in _by_task(facts).items():
        allowed = facts.notes.max_attempts.get(task_id) or _stored_maximum(facts, task_id)
        counted = [run for run in runs if not facts.notes.was_interrupted(run)]
        earned = [run for run in counted if run.how == "TransientError" and run.pages]
        if len(counted) > allowed + (len(earned) if allowed > 1 else 0):
            yield f"task {task_id} ran {len(counted)} attempts, {allowed} were allowed"


def _stored_maximum(facts: Facts, task_id: str) -> int:
    """Of a task whose submitter never heard of its id."""
    return int(facts.rows.get(task_id, {}).get("configuration") or 1)


def _by_task(facts: Facts) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in facts.runs:
        found[run.task_id].append(run)
    return found
