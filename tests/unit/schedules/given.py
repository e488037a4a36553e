"""A schedule, and what beat makes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django_celery_beat.models import PeriodicTask

from ingestion.models import SyncSchedule
from ingestion.pool.change import ChangeRequest
from ingestion.scheduler import WarehouseEntry
from ingestion.services.scheduling import runs as schedule_runs
from ingestion.services.scheduling import schedules
from ingestion.services.worker_pool import get_worker_pool
from ingestion.tasks_enhanced import run_ingestion

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday


def made(**fields: Any) -> SyncSchedule:
    usual = {
        "name": "contacts",
        "crm_source": "hubspot",
        "model_name": "contacts",
        "recurrence": "interval",
        "every": 10,
        "period": "minutes",
    }
    return schedules.create({**usual, **fields}, change=ChangeRequest(by="ann"))


def entry(schedule: SyncSchedule) -> PeriodicTask:
    return PeriodicTask.objects.get(name=f"sync-schedule-{schedule.pk}")


def is_due(schedule: SyncSchedule) -> bool:
    """As beat sees it."""
    return bool(WarehouseEntry(entry(schedule)).is_due().is_due)


def fire(schedule: SyncSchedule) -> str:
    """What beat's message does."""
    return str(run_ingestion(schedule.pk))


def taken(schedule: SyncSchedule) -> str:
    """Whether the turn is given, without running anything."""
    schedule.refresh_from_db()

    def run_here(*args: Any) -> None: ...

    done = schedule_runs.execute(
        schedule.pk, asked_by="", pool=get_worker_pool(), run_here=run_here
    )
    return "skipped" if done.startswith("skipped") else "ran"
