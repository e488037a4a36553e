"""The workers' entry points: one Celery task per route, under its contract name."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from celery import Task, shared_task
from structlog.contextvars import bind_contextvars

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.requests.routing import routes, task_name
from ingestion.services.security.audit import acting
from ingestion.services.worker.execute import TaskFailed, prepare, run_task
from ingestion.services.worker_pool import get_worker_pool


class SyncTask(Task):
    """The base of every sync task; a route's task has its CRM and its sync type."""

    abstract = True
    ignore_result = True
    acks_late = False
    throws = (TaskFailed,)  # logged with its cause before it is raised
    crm_source: str
    sync_type: str


def run_route(
    self: SyncTask, *, task_id: str | None = None, attempt: int | None = None, **parameters: Any
) -> str:
    """Run one attempt of a pool task. Called without ``task_id`` and ``attempt``, with the
    parameters of a sync, it submits itself to the pool instead and returns the pool's task id."""
    if task_id is None or attempt is None:
        return get_worker_pool().submit_task(
            self.crm_source, self.sync_type, parameters, requested_by="celery"
        )
    worker = f"{self.request.hostname or 'worker'}/{os.getpid()}"
    # Until the next task begins, so that Celery's line of how this one ended has them too.
    bind_contextvars(task_id=task_id, attempt=attempt, crm=self.crm_source, model=self.sync_type)
    prepare(self.crm_source, self.sync_type)
    with acting(worker):
        return run_task(get_worker_pool(), task_id, attempt=attempt, worker=worker)


for _crm_source, _sync_type in routes():
    shared_task(
        name=task_name(_crm_source, _sync_type),
        base=SyncTask,
        bind=True,
        crm_source=_crm_source,
        sync_type=_sync_type,
    )(run_route)


@shared_task(
    name="ingestion.run_ingestion",
    ignore_result=True,
    # Where there is a result backend, a direct run that failed has FAILED there too.
    store_errors_even_if_ignored=True,
    acks_late=False,
    autoretry_for=(PoolUnavailable,),
    retry_backoff=True,
    max_retries=5,
)
def run_ingestion(schedule_id: int, asked_by: str = "") -> str:
    """Run the sync of a schedule; ``asked_by`` is empty for beat. Fails when a direct run fails."""
    with acting(asked_by or "beat (schedule)"):
        return IngestionAdapter().execute_schedule(schedule_id, asked_by=asked_by)


@shared_task(name="ingestion.tasks.generate_automation_reports", ignore_result=True)
def generate_automation_reports(hours: float = 12) -> int:
    """Look back, keep a report, tell people; the report's id."""
    # Here and below: every command imports this module, and pays for what it imports.
    from ingestion.services.automation import reporting

    with acting("beat (automation-reports)"):
        return int(reporting.generate(hours=hours)[0].pk)


@shared_task(name="ingestion.tasks.run_automation_rules", ignore_result=True)
def run_automation_rules() -> dict[str, int]:
    """Let the rules judge; how many recommendations by outcome."""
    from ingestion.services.automation import engine

    with acting("beat (automation-rules)"):
        return dict(Counter(act.outcome for act in engine.run_rules(get_worker_pool())))
