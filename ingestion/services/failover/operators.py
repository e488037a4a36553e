"""What operators change of the pool, sent to the active store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.snapshot import LimitInfo
from ingestion.pool.task import WorkerTask
from ingestion.services.failover.base import FailoverBase


class FailoverOperators(FailoverBase):
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
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._ask(
            lambda store: store.set_limit(
                max_workers, change=change, crm_source=crm_source, expires_at=expires_at
            )
        )

    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._ask(
            lambda store: store.pause(crm_source, change=change, expires_at=expires_at)
        )

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        return self._ask(lambda store: store.resume(crm_source, change=change))

    def restore_controls(self, named: Named) -> PoolControls:
        return self._ask(lambda store: store.restore_controls(named))

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        return self._ask(lambda store: store.set_priority_aging(aging))

    def rescore(self, *, at_most: int = 500) -> bool:
        return self._ask(lambda store: store.rescore(at_most=at_most))

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.hold(task_id, change=change),
        )

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.release(task_id, change=change),
        )

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.prioritize(task_id, priority=priority, change=change),
        )

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.move_to_front(task_id, change=change),
        )

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.meet(task_id, predecessors=predecessors),
        )

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._ask_about(
            task_id,
            lambda store: store.cancel(task_id, change=change),
        )
