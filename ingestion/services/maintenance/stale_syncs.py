"""Closes the ledger rows of runs that nobody holds any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from ingestion.conf import history_conf, pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.task import TaskStatus
from ingestion.services.beat import entries as schedule_beat
from ingestion.services.doctor import direct_runs
from ingestion.services.maintenance import retention
from ingestion.services.security import audit
from ingestion.services.tasks.repairs import GRACE_SECONDS

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

ALL_OPEN = "Closed with everything that was open."


@dataclass(frozen=True)
class StaleSync:
    """An open row that should be closed, and why."""

    row: SyncHistory
    why: str


@dataclass(frozen=True)
class StaleReport:
    """What was found, and how many rows are closed now (none in a dry run). ``old`` rows of the
    history are more than its policy keeps, ``orphans`` refer to what is gone; a dry run only
    counts them."""

    found: tuple[StaleSync, ...]
    closed: int = 0
    old: int = 0
    orphans: int = 0

    def to_dict(self) -> dict[str, int]:
        return {
            "found": len(self.found),
            "closed": self.closed,
            "old": self.old,
            "orphans": self.orphans,
        }


def clean_up(
    pool: WorkerPoolService, *, minutes: float | None = None, dry_run: bool = False
) -> StaleReport:
    """Close what nobody runs, thin the history, remove what refers to nothing; see
    ``close_stale_syncs`` for ``minutes``."""
    report = close_stale_syncs(pool, minutes=minutes, dry_run=dry_run)
    old = retention.thin(keep_days=history_conf().retention_days, dry_run=dry_run)
    orphans = schedule_beat.remove_orphans(dry_run=dry_run)
    if not dry_run and (old or orphans):
        audit.record("cleanup", after={"history_deleted": old, "orphans_removed": orphans})
    return replace(report, old=old, orphans=orphans)


def close_stale_syncs(
    pool: WorkerPoolService, *, minutes: float | None = None, dry_run: bool = False
) -> StaleReport:
    """End what has not moved for ``minutes``: WORKER_POOL_STALE_MINUTES for tasks of the pool and
    a day for other runs, unless given. 0: everything that is open, what waits too."""
    found = tuple(_stale_syncs(pool, minutes))
    if dry_run or not found:
        return StaleReport(found)
    if minutes == 0:
        pool.clear_queue(change=ChangeRequest(reason=ALL_OPEN))
    for stale in found:
        if stale.row.worker_pool_task_id is None:
            direct_runs.close(direct_runs.of(stale.row, why=stale.why))
    pool.cleanup_stale_active_tasks(minutes)
    pool.run_monitor_round()
    ids = [stale.row.pk for stale in found]
    still_open = SyncHistory.objects.filter(pk__in=ids, status__in=SyncHistory.OPEN_STATUSES)
    return StaleReport(found, closed=len(ids) - still_open.count())


def _stale_syncs(pool: WorkerPoolService, minutes: float | None) -> Iterator[StaleSync]:
    now = timezone.now()
    direct, pooled = (
        (direct_runs.LONGEST_RUN_MINUTES, pool_conf().stale_minutes)
        if minutes is None
        else (minutes, minutes)
    )
    for row in SyncHistory.objects.filter(status__in=SyncHistory.OPEN_STATUSES).iterator():
        why = (
            direct_runs.why_gone(row, minutes=direct)
            if row.worker_pool_task_id is None
            else _why_pooled(row, pool, now, pooled)
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
    if not minutes:
        return ALL_OPEN
    moved_at = task.last_heartbeat or task.started_at
    if (
        task.status == TaskStatus.RUNNING
        and moved_at
        and moved_at < now - timedelta(minutes=minutes)
    ):
        return f"No progress for more than {minutes:g} minutes."
    return None
