"""What operators change of the pool, by whoever decides at present."""

from __future__ import annotations

from datetime import datetime

from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.snapshot import LimitInfo
from ingestion.pool.task import WorkerTask
from ingestion.services.referee_asking import Asking


class RefereeOperators(Asking):
    """See ``PoolStore``."""

    # Limits and pauses

    def controls(self) -> PoolControls:
        return self._ask(lambda store: store.controls())

    def limit(self) -> LimitInfo:
        return self._ask(lambda store: store.limit())

    def set_limit(
        self,
        max_workers: int | None,
        *,
        by: str,
        reason: str = "",
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._ask(
            lambda store: store.set_limit(
                max_workers, by=by, reason=reason, crm_source=crm_source, expires_at=expires_at
            )
        )

    def pause(
        self, crm_source: str | None, *, by: str, reason: str, expires_at: datetime | None = None
    ) -> PoolControls:
        return self._ask(
            lambda store: store.pause(crm_source, by=by, reason=reason, expires_at=expires_at)
        )

    def resume(self, crm_source: str | None, *, by: str, reason: str = "") -> PoolControls:
        return self._ask(lambda store: store.resume(crm_source, by=by, reason=reason))

    def restore_controls(self, named: Named) -> PoolControls:
        return self._ask(lambda store: store.restore_controls(named))

    # The order of what waits

    def hold(
        self, task_id: str, *, by: str, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.hold(
                task_id, by=by, reason=reason, expected_revision=expected_revision
            ),
        )

    def unhold(self, task_id: str, *, by: str, expected_revision: int | None = None) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.unhold(task_id, by=by, expected_revision=expected_revision),
        )

    def reprioritise(
        self, task_id: str, *, priority: int, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.reprioritise(
                task_id, priority=priority, expected_revision=expected_revision
            ),
        )

    def move_to_front(self, task_id: str, *, expected_revision: int | None = None) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.move_to_front(task_id, expected_revision=expected_revision),
        )

    def cancel(
        self, task_id: str, *, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.cancel(task_id, reason=reason, expected_revision=expected_revision),
        )
