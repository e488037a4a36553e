"""The numbers beside the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.chaos.judges.facts import STATUS_OF, Facts, most_at_once
from tests.chaos.notes import Call
from tests.chaos.runs import Run


def figures(facts: Facts, *, seconds: float) -> Iterator[str]:
    notes, rows = facts.notes, facts.rows
    statuses = Counter(row["status"] for row in rows.values())
    yield f"{len(notes.accepted)} tasks accepted, {len(rows)} rows: {_counts(statuses)}"
    yield f"{len(facts.runs)} attempts ran, {len(rows) / seconds:.1f} tasks/s over {seconds:.0f} s"
    limits = [change.max_workers for change in notes.limits]
    yield f"most at once: {most_at_once(facts.runs)}; limits were {min(limits)} to {max(limits)}"
    yield f"{sum(notes.faults.values())} faults: {_counts(notes.faults)}"
    refused = Counter(f"{call.endpoint}: {call.refusal}" for call in notes.calls if call.refusal)
    yield f"calls without an answer or refused: {_counts(refused)}"
    yield f"longest calls: {_longest(notes.calls)}"
    yield f"attempts ended: {_counts(Counter(_how(run) for run in facts.runs))}"
    yield f"done, and not told in time: {_done_and_not_told(facts)}"
    if notes.paused:
        yield f"the chaos itself stood still {len(notes.paused)} times, {sum(notes.paused):.0f} s"
    noticed = sorted(_seconds_to_notice(facts))
    if noticed:
        middle = noticed[len(noticed) // 2]
        yield f"killed attempts noticed after {middle:.1f} s (middle), {noticed[-1]:.1f} s (last)"


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.most_common()) or "none"


def _longest(calls: list[Call]) -> str:
    longest = sorted(calls, key=lambda call: call.seconds)[-3:]
    return ", ".join(f"{call.endpoint} {call.seconds:.1f} s" for call in longest)


def _how(run: Run) -> str:
    return "killed" if run.was_killed else run.how or "vanished"


def _done_and_not_told(facts: Facts) -> int:
    """Attempts whose work was whole and whose task is not completed: a worker that died or stood
    still between the two."""
    done = {run.task_id for run in facts.runs if run.is_done}
    return sum(
        1
        for task_id in done
        if STATUS_OF.get(facts.rows.get(task_id, {}).get("status", "")) != "completed"
    )


def _seconds_to_notice(facts: Facts) -> Iterator[float]:
    """From a kill to the end of a task that had no other attempt."""
    ended = {ending.task_id: ending.at for ending in facts.endings}
    for run in facts.runs:
        row = facts.rows.get(run.task_id)
        if run.was_killed and row and row["attempt"] == run.attempt and run.task_id in ended:
            yield ended[run.task_id] - facts.wall_minus_monotonic - run.ran_until
