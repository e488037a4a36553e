"""What operators do to a task that waits: hold it, let it go, give it another place.

With the revision that the operator saw, a task that has changed since is left alone: Conflict says
how it stands now, and the audit record keeps who wanted what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from ingestion.models import AuditRecord
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.store import PoolStore
from ingestion.pool.task import WorkerTask
from ingestion.services.ledger import entries as ledger
from ingestion.services.requests.submission import checked_priority
from ingestion.services.security import audit
from ingestion.services.tasks import conflicts
from ingestion.services.tasks.upkeep import Upkeep


class StoreVerb(Protocol):
    def __call__(self, task_id: str, *, change: ChangeRequest) -> WorkerTask: ...


@dataclass(frozen=True)
class Order:
    """What is to be done with a task, by whom and why; ``verb`` is the store's own."""

    action: str
    verb: Callable[[PoolStore], StoreVerb]
    change: ChangeRequest

    def seen_at(self, revision: int) -> Order:
        """The same for a task that was seen at this revision."""
        return replace(self, change=self.change.seen_at(revision))


def hold(change: ChangeRequest) -> Order:
    return Order("hold", lambda store: store.hold, audit.signed(change))


def release(change: ChangeRequest) -> Order:
    return Order("release", lambda store: store.release, audit.signed(change))


def prioritize(priority: object, change: ChangeRequest) -> Order:
    """Raises InvalidPriority."""
    level = checked_priority(priority)
    return Order(
        "prioritize",
        lambda store: partial(store.prioritize, priority=level),
        audit.signed(change),
    )


def to_front(change: ChangeRequest) -> Order:
    return Order("move_to_front", lambda store: store.move_to_front, audit.signed(change))


class QueueActions:
    """Each gives the task as it stands. Errors: TaskNotFound, Conflict, NotQueued."""

    def __init__(self, store: PoolStore, *, upkeep: Upkeep) -> None:
        self._store = store
        self._upkeep = upkeep

    def hold_task(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """It does not start until it is released, and keeps its place."""
        return self._carry_out(hold(change), task_id)

    def release_task(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """A held task goes back to its old place."""
        return self._carry_out(release(change), task_id)

    def set_priority(
        self, task_id: str, priority: int, *, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        """-1000 to 1000, the higher the sooner. Raises InvalidPriority."""
        return self._carry_out(prioritize(priority, change), task_id)

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """It is the next of all that wait, until its priority is changed."""
        return self._carry_out(to_front(change), task_id)

    def _carry_out(self, order: Order, task_id: str) -> WorkerTask:
        before = self._store.get(task_id)
        task = change_place(self._store, order, task_id)
        if before is not None and task.revision != before.revision:
            action(order, before, task).save()
            self._upkeep.advance()
        return task


def change_place(store: PoolStore, order: Order, task_id: str) -> WorkerTask:
    """In the store, then in the ledger; the task as it stands."""
    with conflicts.noted(order.action, task_id, order.change):
        task = order.verb(store)(task_id, change=order.change)
    ledger.follow_place(task, epoch=store.epoch)
    return task


def action(order: Order, before: WorkerTask, after: WorkerTask) -> AuditRecord:
    """Its audit record, not saved yet."""
    return audit.entry(
        order.action,
        change=order.change,
        target=after.id,
        before=_place(before),
        after=_place(after),
    )


def _place(task: WorkerTask) -> dict[str, Any]:
    return {
        "priority": task.priority,
        "is_held": task.is_held,
        "is_moved": task.front_score is not None,
        "revision": task.revision,
    }
