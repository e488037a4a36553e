"""Never more at once than the limit, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.judges.facts import (
    CLOCKS_DIFFER_SECONDS,
    LONGEST_DISPATCH_SECONDS,
    Facts,
    overlaps,
)
from tests.chaos.runs import Run


def too_many_at_once(facts: Facts) -> Iterator[str]:
    """At each start: the last of those that run was granted its slot while all the others held
    theirs, so a limit at least that high was in force at one of their claims."""
    for run, together in overlaps(facts.runs):
        allowed = max(max(_limits_at_claim(other, facts), default=0) for other in together)
        if len(together) > allowed:
            who = ", ".join(f"{r.task_id[:8]}/{r.attempt}" for r in together)
            at = run.start - facts.notes.began_at
            yield f"{len(together)} ran at once {at:.1f} s after the beginning, limit {allowed}: {who}"


def _limits_at_claim(run: Run, facts: Facts) -> set[int]:
    since = run.start - LONGEST_DISPATCH_SECONDS
    row = facts.rows.get(run.task_id)
    if row is not None and row["attempt"] == run.attempt:
        since = min(facts.claimed_at(run.task_id), run.start) - CLOCKS_DIFFER_SECONDS
    return facts.notes.limits_between(since, run.start)


def leaks(facts: Facts) -> Iterator[str]:
    for name, size in {**facts.slots, **facts.messages}.items():
        if size:
            yield f"{size} left in {name}"
    if facts.busy:
        yield f"Celery still runs {facts.busy} syncs"
