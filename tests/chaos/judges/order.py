"""Of equal priority, whoever came first is started first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.judges.endings import CHANGES_STORES, LOSES_STATE, STOPS_WRITES
from tests.chaos.judges.facts import CLOCKS_DIFFER_SECONDS, Facts
from tests.chaos.notes import Accepted

WORKER_START_SECONDS = 10.0
# From the end of such a harm until what it has left undone is done by everybody.
FOLLOW_SECONDS = 3.0


def overtaken(facts: Facts) -> Iterator[str]:
    """In the order of their claims: each beside the latest submission of those before it."""
    for tasks in _by_priority(facts).values():
        latest: Accepted | None = None
        for task in sorted(tasks, key=lambda t: facts.claimed_at(t.task_id)):
            if latest is not None and _overtook(latest, task, facts):
                yield f"task {latest.task_id} was submitted later than {task.task_id} and started first"
            if latest is None or task.asked_at > latest.asked_at:
                latest = task


def _overtook(later: Accepted, earlier: Accepted, facts: Facts) -> bool:
    """Unless the earlier one was lost with the state of the pool and had to be put back first, or its
    claim was, or no worker knew its task."""
    began = facts.claimed_at(earlier.task_id)
    return (
        earlier.answered_at < later.asked_at
        and facts.claimed_at(later.task_id) + CLOCKS_DIFFER_SECONDS < began
        and not facts.notes.has_been(LOSES_STATE, since=earlier.asked_at, until=began)
        and not _may_lose_its_claim(earlier.asked_at, began, facts)
        and not _may_be_unknown(earlier, facts.claimed_at(later.task_id), facts)
    )


def _may_lose_its_claim(since: float, until: float, facts: Facts) -> bool:
    """Whether the pool had to go over to another store while the ledger lacked the last claims, which
    count for nothing then."""
    stores, ledgers = (
        [
            (harm.since, until if harm.until is None else harm.until + FOLLOW_SECONDS)
            for harm in facts.notes.harms
            if harm.kind in kinds and harm.since <= until
        ]
        for kinds in (CHANGES_STORES, STOPS_WRITES)
    )
    return any(
        max(first[0], second[0], since) <= min(first[1], second[1])
        for first in stores
        for second in ledgers
    )


def _may_be_unknown(task: Accepted, moment: float, facts: Facts) -> bool:
    """Whether a worker of an older release, which does not know the task, was there in that moment,
    or its successor had not yet told what it knows: where the others were away, others go first."""
    row = facts.rows[task.task_id]
    lack = f"without {row['crm_source']}.{row['sync_type']}"
    return any(
        harm.kind == "older_worker"
        and harm.told.endswith(lack)
        and harm.since <= moment + CLOCKS_DIFFER_SECONDS
        and (harm.until is None or moment <= harm.until + WORKER_START_SECONDS)
        for harm in facts.notes.harms
    )


def _by_priority(facts: Facts) -> dict[int, list[Accepted]]:
    """Those that were claimed but once, so that their claim is known."""
    found: dict[int, list[Accepted]] = defaultdict(list)
    for task_id, accepted in facts.notes.accepted.items():
        row = facts.rows.get(task_id)
        if row is not None and row["attempt"] == 1:
            found[accepted.priority].append(accepted)
    return found
