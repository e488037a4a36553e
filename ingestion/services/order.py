"""What operators do to a task that waits: hold it, let it go, give it another place.

With ``expected_revision``, the revision that the operator saw, a task that has changed since is left
alone: Conflict says how it stands now, and the audit record keeps who wanted what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestion.models import AuditRecord
from ingestion.pool.store import PoolStore
from ingestion.pool.task import WorkerTask
from ingestion.services import audit, conflicts, ledger
from ingestion.services.secrets import mask
from ingestion.services.submission import checked_priority
from ingestion.services.task_life import TaskLife


@dataclass(frozen=True)
class Order:
    """What is to be done, by whom and why; ``verb`` takes a store, a task's id and the revision
    that was seen."""

    action: str
    verb: Callable[[PoolStore, str, int | None], WorkerTask]
    actor: str = ""
    reason: str = ""


def hold(actor: str, reason: str) -> Order:
    by, why = mask(audit.actor(actor)), mask(reason)
    return Order(
        "hold",
        lambda store, task_id, seen: store.hold(task_id, by=by, reason=why, expected_revision=seen),
        actor,
        reason,
    )


def release(actor: str, reason: str) -> Order:
    by = mask(audit.actor(actor))
    return Order(
        "release",
        lambda store, task_id, seen: store.unhold(task_id, by=by, expected_revision=seen),
        actor,
        reason,
    )


def prioritize(priority: object, actor: str, reason: str) -> Order:
    """Raises InvalidPriority."""
    level = checked_priority(priority)
    return Order(
        "prioritize",
        lambda store, task_id, seen: store.reprioritise(
            task_id, priority=level, expected_revision=seen
        ),
        actor,
        reason,
    )


def to_front(actor: str, reason: str) -> Order:
    return Order(
        "move_to_front",
        lambda store, task_id, seen: store.move_to_front(task_id, expected_revision=seen),
        actor,
        reason,
    )


class Ordering(TaskLife):
    """Each gives the task as it stands. Errors: TaskNotFound, Conflict, NotQueued."""

    def hold_task(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """It does not start until it is released, and keeps its place."""
        return self._carry_out(hold(actor, reason), task_id, expected_revision)

    def release_task(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """A held task goes back to its old place."""
        return self._carry_out(release(actor, reason), task_id, expected_revision)

    def set_priority(
        self,
        task_id: str,
        priority: int,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """-1000 to 1000, the higher the sooner. Raises InvalidPriority."""
        return self._carry_out(prioritize(priority, actor, reason), task_id, expected_revision)

    def move_to_front(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """It is the next of all that wait, until its priority is changed."""
        return self._carry_out(to_front(actor, reason), task_id, expected_revision)

    def _carry_out(self, order: Order, task_id: str, seen: int | None) -> WorkerTask:
        before = self._store.get(task_id)
        task = self._change(order, task_id, seen)
        if before is not None and task.revision != before.revision:
            deed(order, before, task).save()
            self._advance()
        return task

    def _change(self, order: Order, task_id: str, seen: int | None) -> WorkerTask:
        with conflicts.noted(
            order.action,
            task_id,
            actor=order.actor,
            reason=order.reason,
            expected_revision=seen,
        ):
            task = order.verb(self._store, task_id, seen)
        ledger.follow_place(task, epoch=self._store.epoch)
        return task


def deed(order: Order, before: WorkerTask, after: WorkerTask) -> AuditRecord:
    """Its audit record, not saved yet."""
    return audit.entry(
        order.action,
        actor=order.actor,
        target=after.id,
        reason=order.reason,
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
