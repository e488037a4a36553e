"""Closes the ledger rows of runs that nobody holds any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from ingestion.conf import pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.task import TaskStatus
from ingestion.services import shell_runs
from ingestion.services.repairs import GRACE_SECONDS
from ingestion.services.worker_pool import WorkerPoolService


@dataclass(frozen=True)
class StaleSync:
    """An open row that should be closed, and why."""

    row: SyncHistory
    why: str


@dataclass(frozen=True)
class StaleReport:
    """What was found, and how many rows are closed now (none in a dry run)."""

    found: tuple[StaleSync, ...]
    closed: int = 0

    def to_dict(self) -> dict[str, int]:
        return {"found": len(self.found), "closed": self.closed}


def close_stale_syncs(
    pool: WorkerPoolService, *, minutes: float | None = None, dry_run: bool = False
) -> StaleReport:
    """End what has not moved for ``minutes``: WORKER_POOL_STALE_MINUTES for tasks of the pool and
    a day for other runs, unless given."""
    found = tuple(_stale_syncs(pool, minutes))
    if dry_run or not found:
        return StaleReport(found)
    for stale in found:
        if stale.row.worker_pool_task_id is None:
            shell_runs.close(shell_runs.of(stale.row, why=stale.why))
    pool.cleanup_stale_active_tasks(minutes)
    pool.run_monitor_round()
    ids = [stale.row.pk for stale in found]
    still_open = SyncHistory.objects.filter(pk__in=ids, status__in=SyncHistory.OPEN_STATUSES)
    return StaleReport(found, closed=len(ids) - still_open.count())


def _stale_syncs(pool: WorkerPoolService, minutes: float | None) -> Iterator[StaleSync]:
    now = timezone.now()
    for row in SyncHistory.objects.filter(status__in=SyncHistory.OPEN_STATUSES).iterator():
        why = (
            shell_runs.why_gone(row, minutes=minutes or shell_runs.LONGEST_RUN_MINUTES)
            if row.worker_pool_task_id is None
            else _why_pooled(row, pool, now, minutes or pool_conf().stale_minutes)
        )
        if why:
            yield StaleSync(row, why)


def _why_pooled(
    row: SyncHistory, pool: WorkerPoolService, now: datetime, minutes: float
) -> str | None:
    task = pool.get_task_status(str(row.worker_pool_task_id))
    if task is None:
        young = row.created_at > now - timedelta(seconds=GRACE_SECONDS)
        return None if young else "The pool no longer knows its task."
    if task.status.is_final:
        return f"Its task has ended: it is {task.status}."
    moved_at = task.last_heartbeat or task.started_at
    if (
        task.status == TaskStatus.RUNNING
        and moved_at
        and moved_at < now - timedelta(minutes=minutes)
    ):
        return f"No progress for more than {minutes:g} minutes."
    return None
