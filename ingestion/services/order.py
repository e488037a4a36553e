"""What operators do to a task that waits: hold it, let it go, give it another place.

With ``expected_revision``, the revision that the operator saw, a task that has changed since is left
alone: Conflict says how it stands now, and the audit record keeps who wanted what.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingestion.pool.task import WorkerTask
from ingestion.services import audit, conflicts, ledger
from ingestion.services.secrets import mask
from ingestion.services.submission import checked_priority
from ingestion.services.task_life import TaskLife


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
        by, why, seen = mask(audit.actor(actor)), mask(reason), expected_revision
        return self._ordered(
            "hold",
            task_id,
            lambda: self._store.hold(task_id, by=by, reason=why, expected_revision=seen),
            actor=actor,
            reason=reason,
            expected_revision=seen,
        )

    def release_task(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """A held task goes back to its old place."""
        by, seen = mask(audit.actor(actor)), expected_revision
        return self._ordered(
            "release",
            task_id,
            lambda: self._store.unhold(task_id, by=by, expected_revision=seen),
            actor=actor,
            reason=reason,
            expected_revision=seen,
        )

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
        level, seen = checked_priority(priority), expected_revision
        return self._ordered(
            "prioritize",
            task_id,
            lambda: self._store.reprioritise(task_id, priority=level, expected_revision=seen),
            actor=actor,
            reason=reason,
            expected_revision=seen,
        )

    def move_to_front(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> WorkerTask:
        """It is the next of all that wait, until its priority is changed."""
        seen = expected_revision
        return self._ordered(
            "move_to_front",
            task_id,
            lambda: self._store.move_to_front(task_id, expected_revision=seen),
            actor=actor,
            reason=reason,
            expected_revision=seen,
        )

    def _ordered(
        self,
        action: str,
        task_id: str,
        verb: Callable[[], WorkerTask],
        *,
        actor: str,
        reason: str,
        expected_revision: int | None,
    ) -> WorkerTask:
        before = self._store.get(task_id)
        with conflicts.noted(
            action, task_id, actor=actor, reason=reason, expected_revision=expected_revision
        ):
            task = verb()
        if before is None or task.revision != before.revision:
            ledger.follow_place(task, epoch=self._store.epoch)
            audit.record(
                action,
                actor=actor,
                target=task_id,
                reason=reason,
                before=before and place(before),
                after=place(task),
            )
            self._advance()
        return task


def place(task: WorkerTask) -> dict[str, Any]:
    """What these verbs change of a task, as the audit record keeps it."""
    return {
        "priority": task.priority,
        "is_held": task.is_held,
        "is_moved": task.front_score is not None,
        "revision": task.revision,
    }
