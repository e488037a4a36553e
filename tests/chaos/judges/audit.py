"""Everything that somebody asked for stands in the audit record, once, with a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.judges.facts import Facts

CANCELS = ("cancel", "ask_to_stop")


def unrecorded(facts: Facts) -> Iterator[str]:
    yield from _submissions(facts)
    yield from _cancels(facts)
    yield from _limits(facts)
    for action, target, actor, _ in facts.audit:
        if not actor:
            yield f"nobody stands as the one who did {action} {target}"


def _submissions(facts: Facts) -> Iterator[str]:
    recorded = Counter(target for action, target, *_ in facts.audit if action == "submit")
    for task_id in facts.rows:
        if recorded[task_id] != 1:
            yield f"the submission of task {task_id} stands {recorded[task_id]} times in the audit record"


def _cancels(facts: Facts) -> Iterator[str]:
    recorded = {target for action, target, *_ in facts.audit if action in CANCELS}
    for task_id, was_accepted in facts.notes.cancels.items():
        if was_accepted and task_id not in recorded:
            yield f"the cancellation of task {task_id} is not in the audit record"


def _limits(facts: Facts) -> Iterator[str]:
    """One whose answer was lost may have been made or not."""
    recorded = Counter(after for action, _, _, after in facts.audit if action == "limit")
    asked = Counter(
        change.max_workers for change in facts.notes.limits if change.answered_at is not None
    )
    for number, count in asked.items():
        if recorded[number] < count:
            yield f"{count} changes of the limit to {number} were made, {recorded[number]} are recorded"
