"""What is promised to tasks that wait for others, judged on what a store did."""

from __future__ import annotations

from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
from tests.contract.state_dump import StateDump

QUEUED, RUNNING, COMPLETED = TaskStatus.QUEUED, TaskStatus.RUNNING, TaskStatus.COMPLETED


def waits_for_less(was: WorkerTask, now: WorkerTask, after: StateDump) -> None:
    """What it waits for no more has completed."""
    assert now.after.items() <= was.after.items()
    for task_id in was.after.keys() - now.after.keys():
        assert after.tasks[task_id].status == COMPLETED, f"{now.id} was let go too early"


def noted_by_followers(was: WorkerTask, now: WorkerTask, after: StateDump) -> None:
    """An open task notes who waits for it, and forgets nobody."""
    assert now.followers.items() >= was.followers.items()
    for task_id in now.followers.keys() - was.followers.keys():
        assert now.id in after.tasks[task_id].after
        assert not was.status.is_final


def may_go_on(before: StateDump, task_id: str, outcome: Outcome) -> list[WorkerTask]:
    """Those that wait for this running task alone, which completes."""
    ended = before.tasks[task_id]
    if outcome.status != COMPLETED or ended.status != RUNNING:
        return []
    followers = (before.tasks.get(i) for i in ended.followers)
    return [t for t in followers if t and t.status == QUEUED and _waits_only(t, task_id, before)]


def _waits_only(task: WorkerTask, task_id: str, before: StateDump) -> bool:
    is_due = task.not_before is None or task.not_before <= before.now
    return set(task.after) == {task_id} and not task.is_held and is_due


def blocked_are_listed(listed: set[str], after: StateDump) -> None:
    """Those that nobody holds, and that wait for what has ended otherwise or is not known; and
    nobody waits for what has completed."""
    waiting = [t for t in after.tasks.values() if t.status == QUEUED and not t.is_held]
    for task in waiting:
        assert not any(_status(i, after) == COMPLETED for i in task.after)
    blocked = {t.id for t in waiting if any(not _is_open(i, after) for i in t.after)}
    assert listed == blocked


def _status(task_id: str, after: StateDump) -> TaskStatus | None:
    task = after.tasks.get(task_id)
    return task.status if task else None


def _is_open(task_id: str, after: StateDump) -> bool:
    return _status(task_id, after) in (QUEUED, RUNNING)
