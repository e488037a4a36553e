"""The schedules of syncs: when what runs by itself."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import Field, StringConstraints

from ingestion.api.http.requests import (
    LARGEST_ID,
    Key,
    Limit,
    Moment,
    Name,
    Parameters,
    Priority,
    Reason,
    ReasonBody,
    RequestBody,
    Text,
    perform,
)
from ingestion.api.http.responses import documented, respond
from ingestion.api.http.security import caller, needs
from ingestion.api.scheduling.schemas import (
    OneSchedule,
    ScheduleDeleted,
    ScheduleExport,
    ScheduleFindings,
    ScheduleList,
    SchedulePreview,
    ScheduleRuns,
    SchedulesImported,
    ScheduleStarted,
)
from ingestion.models import SyncSchedule
from ingestion.pool.change import ChangeRequest
from ingestion.services.scheduling import schedules as service
from ingestion.services.security.access import Right

router = Router(tags=["schedules"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

Content = dict[str, Any]
ScheduleId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Longer = Annotated[Text, StringConstraints(max_length=250)]
Every = Annotated[int, Field(ge=1, lt=10**6, strict=True)]


class ScheduleChanges(ReasonBody):
    """What is left out stays. With ``recurrence`` ``interval`` it runs every ``every``
    ``period``, with ``crontab`` when ``minute`` to ``month_of_year`` say, in ``timezone``."""

    name: Longer = ""
    crm_source: Name = ""
    model_name: Name = ""
    mode: SyncSchedule.Mode = SyncSchedule.Mode.DELTA
    options: Parameters = Field(default_factory=dict)
    execution: SyncSchedule.Execution = SyncSchedule.Execution.POOL
    priority: Priority = 0
    recurrence: SyncSchedule.Recurrence = SyncSchedule.Recurrence.INTERVAL
    every: Every | None = None
    period: SyncSchedule.Period = SyncSchedule.Period.MINUTES
    minute: Longer = "*"
    hour: Longer = "*"
    day_of_week: Longer = "*"
    day_of_month: Longer = "*"
    month_of_year: Longer = "*"
    timezone: Name = "UTC"
    start_at: Moment | None = None
    end_at: Moment | None = None
    enabled: bool = True

    def changed_fields(self) -> Content:
        """As ``schedules.create`` and ``edit`` take them."""
        return self.model_dump(exclude_unset=True, exclude={"reason"})


class NewSchedule(ScheduleChanges):
    """What is left out has the default."""

    name: Longer
    crm_source: Name
    model_name: Name


class EnableSchedule(ReasonBody):
    """``run_now``: also at once, and not only at its next time."""

    run_now: bool = False


class UnsavedSchedule(RequestBody):
    """A schedule as it would be."""

    schedule: NewSchedule
    count: Annotated[int, Field(ge=1, le=50, strict=True)] = service.SHOWN_RUNS


class ImportSchedules(RequestBody):
    """``schedules`` as an export has them; ``dry_run`` stores nothing."""

    schedules: Annotated[list[Parameters], Field(max_length=1000)]
    dry_run: bool = False


@router.get(
    "/schedules", operation_id="schedules_list", response=documented(ScheduleList), auth=VIEW
)
def schedules(request: HttpRequest, crm_source: Name = "") -> HttpResponse:
    """All schedules with their next times and last runs, by CRM and model."""
    return respond({"schedules": service.to_dicts(service.stored(crm_source))})


@router.post(
    "/schedules",
    operation_id="schedules_create",
    response=documented(OneSchedule, 409, status=201),
    auth=SCHEDULE,
)
def create(request: HttpRequest, body: NewSchedule, key: Key = None) -> HttpResponse:
    """Make a schedule. Its options are checked by the command that will get them."""

    def action() -> Content:
        made = service.create(body.changed_fields(), change=body.change(request))
        return {"schedule": service.to_dict(made)}

    return perform(request, key, action, status=201)


@router.post(
    "/schedules/preview",
    operation_id="schedules_preview",
    response=documented(SchedulePreview),
    auth=SCHEDULE,
)
def preview(request: HttpRequest, body: UnsavedSchedule) -> HttpResponse:
    """When it would run: in words, and its next times. Stores nothing."""
    found = service.preview(body.schedule.changed_fields(), count=body.count)
    return respond(found.to_dict())


@router.get(
    "/schedules/findings",
    operation_id="schedules_findings",
    response=documented(ScheduleFindings),
    auth=VIEW,
)
def findings(request: HttpRequest) -> HttpResponse:
    """Which schedules overlap, pass a CRM's quota or cannot keep up."""
    return respond({"findings": [found.to_dict() for found in service.judge()]})


@router.get(
    "/schedules/export",
    operation_id="schedules_export",
    response=documented(ScheduleExport),
    auth=VIEW,
    by_alias=True,
)
def export(request: HttpRequest) -> HttpResponse:
    """All schedules as `import` takes them, here or in another installation."""
    return respond(service.export_all())


@router.post(
    "/schedules/import",
    operation_id="schedules_import",
    response=documented(SchedulesImported, 409),
    auth=SCHEDULE,
)
def import_(request: HttpRequest, body: ImportSchedules, key: Key = None) -> HttpResponse:
    """Make those with new names, change those that are there; all or none."""

    def action() -> Content:
        change = ChangeRequest(by=caller(request).name)
        return {**service.import_all(body.schedules, dry_run=body.dry_run, change=change)}

    return perform(request, key, action)


@router.get(
    "/schedules/{schedule_id}",
    operation_id="schedules_get",
    response=documented(OneSchedule, 404),
    auth=VIEW,
)
def schedule(request: HttpRequest, schedule_id: ScheduleId) -> HttpResponse:
    """One schedule with its next times and its last run."""
    return respond(_shown(schedule_id))


@router.patch(
    "/schedules/{schedule_id}",
    operation_id="schedules_edit",
    response=documented(OneSchedule, 404, 409),
    auth=SCHEDULE,
)
def edit(
    request: HttpRequest, schedule_id: ScheduleId, body: ScheduleChanges, key: Key = None
) -> HttpResponse:
    """Change what is body. A new time counts from now on."""

    def action() -> Content:
        service.edit(schedule_id, body.changed_fields(), change=body.change(request))
        return _shown(schedule_id)

    return perform(request, key, action)


@router.delete(
    "/schedules/{schedule_id}",
    operation_id="schedules_delete",
    response=documented(ScheduleDeleted, 404, 409),
    auth=SCHEDULE,
)
def delete(
    request: HttpRequest,
    schedule_id: ScheduleId,
    reason: Annotated[Reason, Query()] = "",
    key: Key = None,
) -> HttpResponse:
    """Delete it; its runs stay in the history."""

    def action() -> Content:
        change = ChangeRequest(by=caller(request).name, reason=reason)
        service.delete(schedule_id, change=change)
        return {"deleted": schedule_id}

    return perform(request, key, action)


@router.post(
    "/schedules/{schedule_id}/enable",
    operation_id="schedules_enable",
    response=documented(OneSchedule, 404, 409),
    auth=SCHEDULE,
)
def enable(
    request: HttpRequest, schedule_id: ScheduleId, body: EnableSchedule, key: Key = None
) -> HttpResponse:
    """Switch it on: it runs at its next time."""

    def action() -> Content:
        service.set_enabled(schedule_id, True, run_now=body.run_now, change=body.change(request))
        return _shown(schedule_id)

    return perform(request, key, action)


@router.post(
    "/schedules/{schedule_id}/disable",
    operation_id="schedules_disable",
    response=documented(OneSchedule, 404, 409),
    auth=SCHEDULE,
)
def disable(
    request: HttpRequest, schedule_id: ScheduleId, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Switch it off. What runs goes on."""

    def action() -> Content:
        service.set_enabled(schedule_id, False, change=body.change(request))
        return _shown(schedule_id)

    return perform(request, key, action)


@router.post(
    "/schedules/{schedule_id}/run",
    operation_id="schedules_run",
    response=documented(ScheduleStarted, 404, 409),
    auth=SCHEDULE,
)
def run(
    request: HttpRequest, schedule_id: ScheduleId, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Run it now, beside its own times. ``task_id`` is null of a direct run, which a Celery worker
    takes."""

    def action() -> Content:
        task_id = service.run(schedule_id, change=body.change(request))
        return {"task_id": task_id or None}

    return perform(request, key, action)


@router.get(
    "/schedules/{schedule_id}/runs",
    operation_id="schedules_runs",
    response=documented(ScheduleRuns, 404),
    auth=VIEW,
)
def runs(request: HttpRequest, schedule_id: ScheduleId, limit: Limit = 20) -> HttpResponse:
    """Its runs, the latest first."""
    found = service.runs(schedule_id, limit=limit)
    return respond({"runs": [service.run_to_dict(row) for row in found]})


def _shown(schedule_id: int) -> Content:
    return {"schedule": service.to_dict(service.get(schedule_id))}
