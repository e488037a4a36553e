"""What operators change while the ledger decides: limits and pauses, and the order of what waits."""

from __future__ import annotations

from datetime import datetime

from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.snapshot import LimitInfo
from ingestion.pool.stored import clean_text
from ingestion.pool.task import WorkerTask
from ingestion.services import ledger_rows as rows
from ingestion.services.ledger_turn import LedgerTurns


class LedgerOperators(LedgerTurns):
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
        by: str,
        reason: str = "",
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        with self._turn() as turn:
            return turn.page.set_limit(
                max_workers,
                by=clean_text(by),
                reason=clean_text(reason),
                crm_source=crm_source,
                expires_at=expires_at,
            )

    def pause(
        self, crm_source: str | None, *, by: str, reason: str, expires_at: datetime | None = None
    ) -> PoolControls:
        with self._turn() as turn:
            return turn.page.pause(
                crm_source, by=clean_text(by), reason=clean_text(reason), expires_at=expires_at
            )

    def resume(self, crm_source: str | None, *, by: str, reason: str = "") -> PoolControls:
        with self._turn() as turn:
            return turn.page.resume(crm_source, by=by, reason=reason)

    def restore_controls(self, named: Named) -> PoolControls:
        with self._turn() as turn:
            return turn.page.restore_controls(named)

    # The order of what waits

    def hold(
        self, task_id: str, *, by: str, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.hold(
                task_id,
                by=clean_text(by),
                reason=clean_text(reason),
                expected_revision=expected_revision,
            )

    def unhold(self, task_id: str, *, by: str, expected_revision: int | None = None) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.unhold(task_id, by=by, expected_revision=expected_revision)

    def reprioritise(
        self, task_id: str, *, priority: int, expected_revision: int | None = None
    ) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.reprioritise(
                task_id, priority=priority, expected_revision=expected_revision
            )

    def move_to_front(self, task_id: str, *, expected_revision: int | None = None) -> WorkerTask:
        with self._turn(task_id) as turn:
            turn.load(rows.ready(self._policy)[:1])
            return turn.page.move_to_front(task_id, expected_revision=expected_revision)

    def cancel(
        self, task_id: str, *, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.cancel(
                task_id, reason=clean_text(reason), expected_revision=expected_revision
            )
