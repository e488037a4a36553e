"""What operators change in the ledger's store: limits and pauses, and the order of the queue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.record import clean_text
from ingestion.pool.snapshot import LimitInfo
from ingestion.pool.task import WorkerTask
from ingestion.services.ledger import rows
from ingestion.services.ledger.transaction import LedgerTransactions


class LedgerOperators(LedgerTransactions):
    """See ``PoolStore``."""

    # Limits and pauses

    def controls(self) -> PoolControls:
        with self._look() as page:
            return page.controls()

    def limit(self) -> LimitInfo:
        with self._look() as page:
            return page.limit()

    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        with self._transaction() as tx:
            return tx.page.set_limit(
                max_workers,
                change=clean_change(change),
                crm_source=crm_source,
                expires_at=expires_at,
            )

    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        with self._transaction() as tx:
            return tx.page.pause(crm_source, change=clean_change(change), expires_at=expires_at)

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        with self._transaction() as tx:
            return tx.page.resume(crm_source, change=change)

    def restore_controls(self, named: Named) -> PoolControls:
        with self._transaction() as tx:
            return tx.page.restore_controls(named)

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        with self._transaction() as tx:
            return tx.page.set_priority_aging(aging)

    def rescore(self, *, at_most: int = 500) -> bool:
        """No row keeps a score."""
        return False

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._transaction(task_id) as tx:
            return tx.page.hold(task_id, change=clean_change(change))

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._transaction(task_id) as tx:
            return tx.page.release(task_id, change=change)

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        with self._transaction(task_id) as tx:
            return tx.page.prioritize(task_id, priority=priority, change=change)

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._transaction(task_id) as tx:
            tx.load(rows.ready(tx.page.rule)[:1])
            return tx.page.move_to_front(task_id, change=change)

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        with self._transaction(task_id) as tx:
            return tx.page.meet(task_id, predecessors=predecessors)

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._transaction(task_id) as tx:
            return tx.page.cancel(task_id, change=clean_change(change))


def clean_change(change: ChangeRequest) -> ChangeRequest:
    """With texts that can be encoded."""
    return replace(change, by=clean_text(change.by), reason=clean_text(change.reason))
