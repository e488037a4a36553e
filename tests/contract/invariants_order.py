"""What the verbs that change the order of waiting tasks promise, judged on what a store did."""

from __future__ import annotations

from typing import Any

from ingestion.pool.errors import Conflict, NotQueued
from ingestion.pool.task import TaskStatus, WorkerTask
from tests.contract.state_dump import StateDump
from tests.contract.stores import ORDER_VERBS

SEEN_VERBS = {*ORDER_VERBS, "cancel"}


def visible(task: WorkerTask) -> object:
    """What an operator sees change: the state, the place, the priority."""
    place = (task.priority, task.front_score, task.held_at, task.not_before, set(task.after))
    return (task.status, task.attempt, task.cancel_requested_at, place)


def revision_follows(was: WorkerTask, now: WorkerTask) -> None:
    if visible(was) == visible(now):
        assert now.revision == was.revision, "nothing changed, and the revision did"
    else:
        assert now.revision > was.revision, "a change that no operator would notice"


def is_judged_by_what_was_seen(
    was: WorkerTask, verb: str, given: dict[str, Any], answer: Any
) -> None:
    """Whoever saw another state is refused, whoever saw this one is not."""
    seen = given.get("seen")
    assert isinstance(answer, Conflict) == (seen is not None and seen != was.revision)
    if isinstance(answer, Conflict):
        assert (answer.status, answer.revision) == (was.status, was.revision)
    elif verb in ORDER_VERBS:
        assert isinstance(answer, NotQueued) == (was.status != TaskStatus.QUEUED)


def order_is_kept(verb: str, given: dict[str, Any], after: StateDump) -> None:
    """What a verb that was not refused is for."""
    task = after.tasks[given["task_id"]]
    assert task.status == TaskStatus.QUEUED
    if verb == "hold":
        assert task.id in after.held
    elif verb == "release":
        assert task.held_at is None
        assert task.id not in after.held or task.after
    elif verb == "prioritize":
        assert (task.priority, task.front_score) == (given["priority"], None)
    elif task.id in after.ready:
        assert after.ready[0] == task.id
