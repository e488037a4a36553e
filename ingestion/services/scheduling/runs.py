"""Runs the sync of a schedule: through the pool, or directly in the process that was asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from django.utils import timezone

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.overlap import OnOverlap
from ingestion.services.beat.entries import has_ended
from ingestion.services.beat.recurrence import recurrence_of
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.routing import Route, resolve
from ingestion.services.requests.submission import Submission
from ingestion.services.runs import direct
from ingestion.services.runs.runner import RunHandle
from ingestion.services.scheduling.errors import ScheduleNotFound
from ingestion.services.scheduling.fields import parameters_of
from ingestion.sync.common.progress import SilentReporter

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

logger = logging.getLogger(__name__)


class RunHere(Protocol):
    """Runs the command of a route in this process."""

    def __call__(self, route: Route, handle: RunHandle, parameters: Mapping[str, Any]) -> None: ...


def execute(schedule_id: int, *, asked_by: str, pool: WorkerPoolService, run_here: RunHere) -> str:
    """What was done: ``task <id>``, ``ran directly``, or ``skipped: <why>``.

    For beat (``asked_by`` empty) a schedule runs once per turn, whoever asks how often; for a
    person it runs now, enabled or not. Errors: ScheduleNotFound, PoolUnavailable (the turn is
    still to come), SyncError of a direct run.
    """
    schedule = _found(schedule_id)
    if asked_by:
        return _run(schedule, asked_by, pool, run_here)
    now = timezone.now()
    if why := _why_not(schedule, now):
        return _skipped(schedule, why)
    return _run_in_turn(schedule, now, pool, run_here)


def _found(schedule_id: int) -> SyncSchedule:
    with as_unavailable():
        schedule = SyncSchedule.objects.filter(pk=schedule_id).first()
    if schedule is None:
        raise ScheduleNotFound(f"There is no schedule {schedule_id}; it was deleted.")
    return schedule


def _why_not(schedule: SyncSchedule, now: datetime) -> str:
    if not schedule.enabled:
        return "it is disabled"
    if has_ended(schedule, now):
        return f"it has ended at {schedule.end_at:%Y-%m-%d %H:%M} UTC"
    if schedule.start_at and now < schedule.start_at:
        return f"it starts at {schedule.start_at:%Y-%m-%d %H:%M} UTC"
    return ""


def _run_in_turn(
    schedule: SyncSchedule, now: datetime, pool: WorkerPoolService, run_here: RunHere
) -> str:
    seen = schedule.last_turn_at
    turn = now if seen is None else recurrence_of(schedule).turn(seen, now)
    if turn is None or not SyncSchedule.objects.take_turn(schedule.pk, seen=seen, at=turn):
        return _skipped(schedule, "its turn was taken already")
    try:
        return _run(schedule, f"schedule {schedule.name}", pool, run_here)
    except PoolUnavailable:
        with as_unavailable():
            SyncSchedule.objects.give_back_turn(schedule.pk, taken=turn, seen=seen)
        raise


def _run(schedule: SyncSchedule, asked_by: str, pool: WorkerPoolService, run_here: RunHere) -> str:
    if schedule.execution == SyncSchedule.Execution.POOL:
        return f"task {submit(pool, schedule, asked_by)}"
    return _run_directly(schedule, run_here)


def submit(pool: WorkerPoolService, schedule: SyncSchedule, asked_by: str) -> str:
    """Through the pool; the id of the task that does the work: one that waits to do the same is
    enough. Raises PoolUnavailable."""
    asked = Submission(
        schedule.crm_source,
        schedule.model_name,
        parameters_of(schedule),
        schedule.priority,
        requested_by=asked_by,
        reason=f"schedule {schedule.pk}: {schedule.name}",
        on_overlap=OnOverlap.COALESCE,
    )
    task_id = pool.submit(asked).task_id
    rows = SyncHistory.objects.filter(worker_pool_task_id=task_id, schedule=None)
    rows.update(schedule=schedule)
    return task_id


def _run_directly(schedule: SyncSchedule, run_here: RunHere) -> str:
    mine = direct.open_rows().filter(schedule=schedule)
    if any(not direct.is_dead(row) for row in mine):
        return _skipped(schedule, "its last run has not ended")
    handle = RunHandle(SilentReporter(), execution=direct.DIRECT, schedule_id=schedule.pk)
    route = resolve(schedule.crm_source, schedule.model_name)
    run_here(route, handle, parameters_of(schedule))
    return "ran directly"


def _skipped(schedule: SyncSchedule, why: str) -> str:
    logger.info("schedule %d (%s) skipped: %s", schedule.pk, schedule.name, why)
    return f"skipped: {why}"
