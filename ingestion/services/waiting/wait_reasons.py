"""Why a task of the queue does not run: what a snapshot says, in one reason and one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, partial

from ingestion.conf import celery_command, queue_of
from ingestion.pool.controls import Control
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import NOT_TAKEN
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.pool.waits import Holder, Reason, ReasonCode
from ingestion.services.requests.sync_queues import unread_queues

NAMED_HOLDERS = 3
SHORT_ID = 8


class Reasons:
    """Of one snapshot. Those who stand in the line of a CRM wait for the same."""

    def __init__(self, snapshot: PoolSnapshot) -> None:
        self._snapshot = snapshot
        self._taken_at = snapshot.taken_at
        self._in_line = cache(partial(line_reason, snapshot))
        self._unread = cache(partial(unread_queues, snapshot))

    def of(self, task: WorkerTask, *, starts_now: bool) -> Reason:
        """``starts_now``: a slot is free for it, and nobody before it in the line will take it."""
        if task.held_at is not None:
            return _held(task)
        if task.after:
            return after_others(task)
        if not self._snapshot.knows(task.task_name):
            return self._unknown_to_workers(task)
        if task.not_before is not None and task.not_before > self._taken_at:
            return _not_taken(task) if was_not_taken(task) else _not_before(task)
        return self._in_line(task.crm_source, starts_now=starts_now)

    def _unknown_to_workers(self, task: WorkerTask) -> Reason:
        queue = queue_of(task.task_name)
        unread = queue in self._unread()
        said = _not_read(queue) if unread else _not_known(self._snapshot, task)
        return Reason(ReasonCode.UNKNOWN_TO_WORKERS, said)


def line_reason(snapshot: PoolSnapshot, crm_source: str, *, starts_now: bool = False) -> Reason:
    """For the tasks of a CRM that stand in the line."""
    if paused := _paused(snapshot, crm_source):
        return paused
    if snapshot.no_worker_online:
        return _no_worker(snapshot)
    if snapshot.degraded and (starts_now or not snapshot.effective_limit):
        return _degraded(snapshot)
    if starts_now:
        return Reason(ReasonCode.NEXT, "It starts with the next look at the queue: a slot is free.")
    return _at_crm_limit(snapshot, crm_source) or _pool_full(snapshot)


def unknown_to_workers(snapshot: PoolSnapshot, task_names: Iterable[str]) -> str:
    """A sentence for operators where the workers online cannot run some of these; else ''."""
    missing = sorted(name for name in task_names if not snapshot.knows(name))
    unread = unread_queues(snapshot) if missing else frozenset()
    too_new = [name for name in missing if queue_of(name) not in unread]
    said = [_not_read(queue) for queue in sorted(unread)]
    if too_new:
        said.append(
            f"No worker online can run {', '.join(too_new[:NAMED_HOLDERS])}{_and_more(too_new)}; "
            "such tasks wait without a slot. Restart the Celery workers with this version."
        )
    return " ".join(said)


def _not_read(queue: str) -> str:
    return (
        f"No worker online takes from the queue {queue}; its syncs wait without a slot, and start "
        f"by themselves when one does: {celery_command('worker')} --queues {queue}"
    )


def _held(task: WorkerTask) -> Reason:
    said = (
        f"Held{_by(task.held_by)}{_at(task.held_at)}{_why(task.held_reason)}; release lets it go."
    )
    return Reason(ReasonCode.HELD, said, since=task.held_at, by=task.held_by)


def after_others(task: WorkerTask) -> Reason:
    """``followed``: in a certain order, as an object has none in every store."""
    followed = sorted((route, task_id) for task_id, route in task.after.items())
    named = [f"{route} {task_id}".lstrip() for route, task_id in followed[:NAMED_HOLDERS]]
    said = f"It waits for {', '.join(named)}{_and_more(followed)}."
    return Reason(ReasonCode.AFTER, said, since=task.queued_at)


def _not_before(task: WorkerTask) -> Reason:
    again = f" again, after attempt {task.attempt} failed" if task.attempt else ""
    said = f"It may not start{again} before {_stamp(task.not_before)}."
    return Reason(ReasonCode.NOT_BEFORE, said, until=task.not_before)


def _not_known(snapshot: PoolSnapshot, task: WorkerTask) -> str:
    online = [worker.name for worker in snapshot.workers if worker.is_online]
    return (
        f"{NOT_TAKEN}: {', '.join(online[:NAMED_HOLDERS])}{_and_more(online)} cannot run "
        f"{task.task_name}. It starts by itself when a worker that can is online; restart them."
    )


def _not_taken(task: WorkerTask) -> Reason:
    said = f"{task.error_message} It is tried again at {_stamp(task.not_before)}."
    return Reason(ReasonCode.UNKNOWN_TO_WORKERS, said, until=task.not_before)


def was_not_taken(task: WorkerTask) -> bool:
    """It waits because it was sent often, and no worker took it."""
    is_queued = task.status == TaskStatus.QUEUED
    return is_queued and (task.error_message or "").startswith(NOT_TAKEN)


def _paused(snapshot: PoolSnapshot, crm_source: str) -> Reason | None:
    if pause := snapshot.controls.pause:
        return _pause(ReasonCode.POOL_PAUSED, "The pool", pause)
    if pause := snapshot.controls.crm_pauses.get(crm_source):
        return _pause(ReasonCode.CRM_PAUSED, crm_source, pause)
    return None


def _pause(code: ReasonCode, what: str, pause: Control) -> Reason:
    said = f"{what} is paused{_set(pause)}."
    return _controlled(code, said, pause, since=pause.set_at)


def _no_worker(snapshot: PoolSnapshot) -> Reason:
    seen = max((worker.last_seen_at for worker in snapshot.workers), default=None)
    said = f"No Celery worker is online; the last one was seen{_at(seen)}."
    return Reason(ReasonCode.NO_WORKER, said, since=seen)


def _degraded(snapshot: PoolSnapshot) -> Reason:
    why = snapshot.degraded_reason.rstrip(".")
    said = f"The pool is degraded{_since(snapshot.degraded_since)}{_why(why)}."
    return Reason(ReasonCode.DEGRADED, said, since=snapshot.degraded_since)


def _at_crm_limit(snapshot: PoolSnapshot, crm_source: str) -> Reason | None:
    limit = snapshot.controls.crm_limits.get(crm_source)
    running = [task for task in snapshot.active if task.crm_source == crm_source]
    if limit is None or len(running) < limit.value:
        return None
    said = f"{crm_source} is at its limit of {limit.value}{_set(limit)}: {_held_by(running)}."
    since = _full_since(running)
    return _controlled(ReasonCode.CRM_LIMIT, said, limit, since=since, holders=running)


def _pool_full(snapshot: PoolSnapshot) -> Reason:
    running, slots = snapshot.active, snapshot.effective_limit
    if len(running) < slots:
        said = "The free slots go to tasks that stand before it."
        return Reason(ReasonCode.POOL_FULL, said, holders=_holders(running))
    usable = " that the workers online can use" if slots < snapshot.limit.max_workers else ""
    said = f"Every slot{usable} is taken ({len(running)} of {slots}): {_held_by(running)}."
    limit = snapshot.controls.max_workers or Control(snapshot.limit.max_workers)
    since = _full_since(running)
    return _controlled(ReasonCode.POOL_FULL, said, limit, since=since, holders=running)


def _controlled(
    code: ReasonCode,
    said: str,
    control: Control,
    *,
    since: datetime | None,
    holders: Iterable[WorkerTask] = (),
) -> Reason:
    return Reason(code, said, _holders(holders), since, control.set_by, control.expires_at)


def _holders(tasks: Iterable[WorkerTask]) -> tuple[Holder, ...]:
    return tuple(Holder(t.id, t.route, t.started_at, t.worker or "") for t in tasks)


def _held_by(tasks: Sequence[WorkerTask]) -> str:
    named = [f"{t.id[:SHORT_ID]} {t.route}{_since(t.started_at)}" for t in tasks[:NAMED_HOLDERS]]
    return ", ".join(named) + _and_more(tasks)


def _and_more(found: Sequence[object]) -> str:
    """How many there are beside those that are named."""
    rest = len(found) - NAMED_HOLDERS
    return f" and {rest} more" if rest > 0 else ""


def _full_since(tasks: Iterable[WorkerTask]) -> datetime | None:
    """Since the last of them started."""
    return max((task.started_at for task in tasks if task.started_at), default=None)


def _set(control: Control) -> str:
    """Who, since when, until when, why."""
    until = f" until {_stamp(control.expires_at)}" if control.expires_at else ""
    return f"{_by(control.set_by)}{_since(control.set_at)}{until}{_why(control.reason)}"


def _by(name: str) -> str:
    return f" by {name}" if name else ""


def _at(when: datetime | None) -> str:
    return f" at {_stamp(when)}" if when else ""


def _since(when: datetime | None) -> str:
    return f" since {_stamp(when)}" if when else ""


def _why(text: str) -> str:
    return f" ({text})" if text else ""


def _stamp(when: datetime | None) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if when else ""
