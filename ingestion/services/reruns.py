"""Doing once more what the history tells."""

from __future__ import annotations

from typing import Any

from ingestion.models import SyncHistory
from ingestion.pool.errors import PoolError, TaskNotFound
from ingestion.services.parameters import KNOWN
from ingestion.services.worker_pool import WorkerPoolService


class NotEnded(PoolError):
    """The run has not ended: there is nothing to do once more."""

    code = "NOT_ENDED"


def of_task(pool: WorkerPoolService, task_id: str, *, actor: str, reason: str = "") -> str:
    """Submit what a task of the pool was; the new task's id. Raises TaskNotFound, NotEnded."""
    row = SyncHistory.objects.filter(worker_pool_task_id=task_id).first()
    return _again(pool, row, actor=actor, reason=reason)


def of_run(pool: WorkerPoolService, history_id: int, *, actor: str, reason: str = "") -> str:
    """The same for any run, whichever door it came through. Raises TaskNotFound, NotEnded."""
    row = SyncHistory.objects.filter(pk=history_id).first()
    return _again(pool, row, actor=actor, reason=reason)


def _again(pool: WorkerPoolService, row: SyncHistory | None, *, actor: str, reason: str) -> str:
    if row is None:
        raise TaskNotFound("The history knows no such run.")
    if row.status in SyncHistory.OPEN_STATUSES:
        raise NotEnded(f"The run has not ended, it is {row.status}; there is nothing to retry.")
    asked = row.configuration
    return pool.submit_task(
        row.crm_source,
        asked.get("asked") or row.sync_type,
        parameters_of(asked),
        priority=asked.get("priority", 0),
        requested_by=actor,
        reason=reason or f"retry of run {row.pk}",
    )


def parameters_of(configuration: dict[str, Any]) -> dict[str, Any]:
    """A run of the command line keeps them beside everything else."""
    found = configuration.get("parameters")
    if isinstance(found, dict):
        return found
    return {name: value for name, value in configuration.items() if name in KNOWN}
