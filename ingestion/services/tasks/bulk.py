"""Many tasks at once: those that match a filter, as the operator saw them.

``select`` tells how many they are, with a digest of what was seen. ``bulk`` given that digest acts on
nothing when something else matches by now, and on each task only as it was selected.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from ingestion.models import AuditRecord
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import (
    AlreadyFinished,
    Conflict,
    InvalidSubmission,
    NotQueued,
    TaskNotFound,
)
from ingestion.pool.store import PoolStore, all_waiting
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger import entries as ledger
from ingestion.services.security import audit
from ingestion.services.tasks import conflicts
from ingestion.services.tasks import queue_actions as order
from ingestion.services.tasks.lifecycle import TaskLife
from ingestion.services.tasks.outcomes import cancellation
from ingestion.services.tasks.pool_state import waiting_counts
from ingestion.services.tasks.queue_actions import Order
from ingestion.services.tasks.upkeep import Upkeep

BATCH = 500
CLEAR_BATCH = 1000
CANCEL, PRIORITIZE = "cancel", "prioritize"
ORDERS = {"hold": order.hold, "release": order.release, "move_to_front": order.to_front}
ACTIONS = (*ORDERS, PRIORITIZE, CANCEL)
# Whether it is the held ones that are changed, or those that are not held.
CHANGES_HELD = {"hold": False, "release": True}
WAITING, RUNNING = "waiting", "running"
PLACES = ("queued", "delayed", "held", RUNNING)


@dataclass(frozen=True)
class TaskFilter:
    """What is None is not asked. ``status`` is where an open task stands: ``queued`` in its CRM's
    queue, ``delayed``, ``held`` (or waiting for other tasks) or ``running``; ``waiting`` is all but running. ``older_than_seconds`` counts from its submission.
    ``ids``: these tasks alone, as long as they are open.
    """

    crm_source: str | None = None
    sync_type: str | None = None
    status: str | None = None
    older_than_seconds: float | None = None
    requested_by: str | None = None
    ids: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.status not in (None, *PLACES, WAITING):
            raise InvalidSubmission(
                f"status must be one of {', '.join(PLACES)}, {WAITING}, not {str(self.status)[:50]!r}."
            )

    def matches(self, task: WorkerTask, *, now: datetime) -> bool:
        return (
            self.crm_source in (None, task.crm_source)
            and self.sync_type in (None, task.sync_type)
            and self.requested_by in (None, task.requested_by)
            and self._is_at(place_of(task, now=now))
            and self._is_old_enough(now - task.queued_at)
        )

    def _is_at(self, place: str) -> bool:
        return self.status in (None, place) or (self.status == WAITING and place != RUNNING)

    def _is_old_enough(self, age: timedelta) -> bool:
        least = self.older_than_seconds
        return least is None or age.total_seconds() >= least

    def to_dict(self) -> dict[str, Any]:
        """What is asked."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            if value is not None
        }


def place_of(task: WorkerTask, *, now: datetime) -> str:
    """Where an open task stands, one of PLACES."""
    if task.status == TaskStatus.RUNNING:
        return RUNNING
    if task.held_place:
        return "held"
    return "delayed" if task.not_before and task.not_before > now else "queued"


@dataclass(frozen=True)
class Selection:
    """``tasks`` as they were seen: running ones, then those that wait, in their order."""

    tasks: tuple[WorkerTask, ...]

    @property
    def count(self) -> int:
        return len(self.tasks)

    def meant_by(self, action: str) -> tuple[WorkerTask, ...]:
        """Those that an action changes: what runs is only cancelled, and what is held already is
        not held again."""
        if action == CANCEL:
            return self.tasks
        waiting = (task for task in self.tasks if task.status == TaskStatus.QUEUED)
        if action in CHANGES_HELD:
            return tuple(task for task in waiting if task.is_held == CHANGES_HELD[action])
        return tuple(waiting)

    @property
    def revisions(self) -> dict[str, int]:
        """By task id."""
        return {task.id: task.revision for task in self.tasks}

    @property
    def digest(self) -> str:
        """Another one as soon as a task comes, goes or changes."""
        seen = sorted(f"{task_id} {revision}" for task_id, revision in self.revisions.items())
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        return {"count": self.count, "digest": self.digest, "tasks": self.revisions}


@dataclass(frozen=True)
class BulkDone:
    """``done`` tasks were changed; ``conflicts`` are the ids of those that had changed before."""

    done: int
    conflicts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"done": self.done, "conflicts": list(self.conflicts)}


class BulkActions:
    """Errors: Conflict when the digest no longer fits, InvalidSubmission, InvalidPriority."""

    def __init__(self, store: PoolStore, *, life: TaskLife, upkeep: Upkeep) -> None:
        self._store = store
        self._life = life
        self._upkeep = upkeep

    def select(self, chosen: TaskFilter) -> Selection:
        """Those that match now. Reads the queue page by page, of named tasks these alone; changes
        nothing."""
        now = self._store.snapshot(queue_limit=0).taken_at
        tasks = self._open_tasks() if chosen.ids is None else self._named(chosen.ids)
        return Selection(tuple(task for task in tasks if chosen.matches(task, now=now)))

    def bulk(
        self,
        action: str,
        chosen: TaskFilter,
        *,
        digest: str | None = None,
        change: ChangeRequest = UNSIGNED,
        priority: int | None = None,
    ) -> BulkDone:
        """``hold``, ``release``, ``prioritize`` (with a ``priority``), ``move_to_front`` (they keep
        their order among each other) or ``cancel`` all that match. What runs is only cancelled."""
        wanted = _order(action, priority, change)
        selection = self.select(chosen)
        _refuse_another(selection, digest, action, change)
        if wanted is None:
            done = self._cancel_each(selection, change)
        else:
            done = self._change_each(wanted, selection)
        audit.record(
            f"{action}_many",
            change=change,
            before={"filter": chosen.to_dict(), "count": selection.count},
            after={"done": done.done, "conflicts": len(done.conflicts)},
        )
        self._upkeep.advance()
        return done

    def cancel_all(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """Cancel everything that waits, ask everything that runs to stop: ``queued_cancelled``,
        ``running_cancelled`` (no worker had them yet), ``running_asked``."""
        cleared = self.clear_queue(change=change)
        counts = {"queued_cancelled": cleared, "running_cancelled": 0, "running_asked": 0}
        for active in self._store.active():
            try:
                task = self._life.cancel(active.id, change)
            except (TaskNotFound, AlreadyFinished):
                continue
            counts["running_cancelled" if task.status.is_final else "running_asked"] += 1
        return counts

    def clear_queue(self, *, change: ChangeRequest = UNSIGNED) -> int:
        """Cancel every task that waits; how many."""
        cancelled = cancellation(change)
        before, cleared = waiting_counts(self._store.snapshot(queue_limit=0)), 0
        while tasks := self._store.clear_queue(change=cancelled, limit=CLEAR_BATCH):
            ledger.cancel_rows(tasks, change=cancelled)
            cleared += len(tasks)
        after = {"cancelled": cleared}
        audit.record("clear", change=change, before=before, after=after)
        return cleared

    def _named(self, ids: Iterable[str]) -> Iterator[WorkerTask]:
        for task_id in dict.fromkeys(ids):
            task = self._store.get(task_id)
            if task is not None and not task.status.is_final:
                yield task

    def _open_tasks(self) -> Iterator[WorkerTask]:
        """Each once: one that moves while the pages are read may come twice."""
        seen = set()
        for task in chain(self._store.active(), all_waiting(self._store)):
            if task.id not in seen:
                seen.add(task.id)
                yield task

    def _change_each(self, wanted: Order, selection: Selection) -> BulkDone:
        waiting = list(selection.meant_by(wanted.action))
        if wanted.action == "move_to_front":
            waiting.reverse()  # who is moved last stands first
        done, late = 0, list[str]()
        for start in range(0, len(waiting), BATCH):
            changed, missed = self._change_batch(wanted, waiting[start : start + BATCH])
            done, late = done + changed, late + missed
        return BulkDone(done, tuple(late))

    def _change_batch(self, wanted: Order, tasks: Sequence[WorkerTask]) -> tuple[int, list[str]]:
        """How many were changed, and who had changed before. What was done before something goes
        wrong is on record."""
        actions, late = list[AuditRecord](), list[str]()
        try:
            for before in tasks:
                try:
                    wanted_now = wanted.seen_at(before.revision)
                    after = order.change_place(self._store, wanted_now, before.id)
                except (Conflict, NotQueued, TaskNotFound):
                    late.append(before.id)
                    continue
                if after.revision != before.revision:
                    actions.append(order.action(wanted, before, after))
        finally:
            AuditRecord.objects.bulk_create(actions)
        return len(actions), late

    def _cancel_each(self, selection: Selection, change: ChangeRequest) -> BulkDone:
        done, late = 0, list[str]()
        for task in selection.tasks:
            try:
                self._life.cancel(task.id, change.seen_at(task.revision))
                done += 1
            except (Conflict, AlreadyFinished, TaskNotFound):
                late.append(task.id)
        return BulkDone(done, tuple(late))


def _order(action: str, priority: object, change: ChangeRequest) -> Order | None:
    """None stands for a cancel, which is no order of what waits."""
    if action == PRIORITIZE:
        return order.prioritize(priority, change)
    if action in ORDERS:
        return ORDERS[action](change)
    if action != CANCEL:
        allowed = ", ".join(ACTIONS)
        raise InvalidSubmission(f"The action must be one of {allowed}, not {action[:50]!r}.")
    return None


def _refuse_another(
    selection: Selection, digest: str | None, action: str, change: ChangeRequest
) -> None:
    if digest is None or digest == selection.digest:
        return
    with conflicts.noted(f"{action}_many", "", change):
        raise Conflict(
            f"Another selection matches now: {selection.count} tasks, with the digest "
            f"{selection.digest}. Look again."
        )
