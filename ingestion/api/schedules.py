"""The schedules of syncs: when what runs by itself."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field, StringConstraints

from ingestion.api.answers import documented
from ingestion.api.given import (
    LARGEST_ID,
    Given,
    Key,
    Limit,
    Moment,
    Name,
    Parameters,
    Priority,
    Reason,
    Text,
    Why,
    done,
)
from ingestion.api.security import caller, needs
from ingestion.models import SyncSchedule
from ingestion.services import schedules as service
from ingestion.services.access import Right

router = Router(tags=["schedules"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

Content = dict[str, Any]
ScheduleId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Longer = Annotated[Text, StringConstraints(max_length=250)]
Every = Annotated[int, Field(ge=1, lt=10**6, strict=True)]


class Changes(Why):
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

    def fields_given(self) -> Content:
        """As ``schedules.create`` and ``edit`` take them."""
        return self.model_dump(exclude_unset=True, exclude={"reason"})


class NewSchedule(Changes):
    """What is left out has the default."""

    name: Longer
    crm_source: Name
    model_name: Name


class Enable(Why):
    """``run_now``: also at once, and not only at its next time."""

    run_now: bool = False


class Unsaved(Given):
    """A schedule as it would be."""

    schedule: NewSchedule
    count: Annotated[int, Field(ge=1, le=50, strict=True)] = service.SHOWN_RUNS


class Import(Given):
    """``schedules`` as an export has them; ``dry_run`` stores nothing."""

    schedules: Annotated[list[Parameters], Field(max_length=1000)]
    dry_run: bool = False


class Imported(Schema):
    """How many there were of each."""

    created: int
    changed: int
    unchanged: int


@router.get("/schedules", response=documented(Content), auth=VIEW)
def schedules(request: HttpRequest, crm_source: Name = "") -> Content:
    """All schedules with their next times and last runs, by CRM and model."""
    return {"schedules": service.to_dicts(service.stored(crm_source))}


@router.post("/schedules", response=documented(Content, 409, status=201), auth=SCHEDULE)
def create(request: HttpRequest, given: NewSchedule, key: Key = None) -> HttpResponse:
    """Make a schedule. Its options are checked by the command that will get them."""

    def do() -> Content:
        actor = caller(request).name
        made = service.create(given.fields_given(), actor=actor, reason=given.reason)
        return {"schedule": service.to_dict(made)}

    return done(request, key, do, status=201)


@router.post("/schedules/preview", response=documented(Content), auth=SCHEDULE)
def preview(request: HttpRequest, given: Unsaved) -> Content:
    """When it would run: in words, and its next times. Stores nothing."""
    return service.preview(given.schedule.fields_given(), count=given.count).to_dict()


@router.get("/schedules/findings", response=documented(Content), auth=VIEW)
def findings(request: HttpRequest) -> Content:
    """Which schedules overlap, pass a CRM's quota or cannot keep up."""
    return {"findings": [found.to_dict() for found in service.judge()]}


@router.get("/schedules/export", response=documented(Content), auth=VIEW)
def export(request: HttpRequest) -> Content:
    """All schedules as `import` takes them, here or in another installation."""
    return service.export_all()


@router.post("/schedules/import", response=documented(Imported, 409), auth=SCHEDULE)
def import_(request: HttpRequest, given: Import, key: Key = None) -> HttpResponse:
    """Make those with new names, change those that are there; all or none."""

    def do() -> Content:
        actor = caller(request).name
        return {**service.import_all(given.schedules, dry_run=given.dry_run, actor=actor)}

    return done(request, key, do)


@router.get("/schedules/{schedule_id}", response=documented(Content, 404), auth=VIEW)
def schedule(request: HttpRequest, schedule_id: ScheduleId) -> Content:
    """One schedule with its next times and its last run."""
    return {"schedule": service.to_dict(service.get(schedule_id))}


@router.patch("/schedules/{schedule_id}", response=documented(Content, 404, 409), auth=SCHEDULE)
def edit(
    request: HttpRequest, schedule_id: ScheduleId, given: Changes, key: Key = None
) -> HttpResponse:
    """Change what is given. A new time counts from now on."""

    def do() -> Content:
        actor = caller(request).name
        service.edit(schedule_id, given.fields_given(), actor=actor, reason=given.reason)
        return schedule(request, schedule_id)

    return done(request, key, do)


@router.delete("/schedules/{schedule_id}", response=documented(Content, 404, 409), auth=SCHEDULE)
def delete(
    request: HttpRequest,
    schedule_id: ScheduleId,
    reason: Annotated[Reason, Query()] = "",
    key: Key = None,
) -> HttpResponse:
    """Delete it; its runs stay in the history."""

    def do() -> Content:
        service.delete(schedule_id, actor=caller(request).name, reason=reason)
        return {"deleted": schedule_id}

    return done(request, key, do)


@router.post(
    "/schedules/{schedule_id}/enable", response=documented(Content, 404, 409), auth=SCHEDULE
)
def enable(
    request: HttpRequest, schedule_id: ScheduleId, given: Enable, key: Key = None
) -> HttpResponse:
    """Switch it on: it runs at its next time."""

    def do() -> Content:
        actor = caller(request).name
        service.set_enabled(
            schedule_id, True, run_now=given.run_now, actor=actor, reason=given.reason
        )
        return schedule(request, schedule_id)

    return done(request, key, do)


@router.post(
    "/schedules/{schedule_id}/disable", response=documented(Content, 404, 409), auth=SCHEDULE
)
def disable(
    request: HttpRequest, schedule_id: ScheduleId, given: Why, key: Key = None
) -> HttpResponse:
    """Switch it off. What runs goes on."""

    def do() -> Content:
        actor = caller(request).name
        service.set_enabled(schedule_id, False, actor=actor, reason=given.reason)
        return schedule(request, schedule_id)

    return done(request, key, do)


@router.post("/schedules/{schedule_id}/run", response=documented(Content, 404, 409), auth=SCHEDULE)
def run(request: HttpRequest, schedule_id: ScheduleId, given: Why, key: Key = None) -> HttpResponse:
    """Run it now, beside its own times. ``task_id`` is null of a direct run, which a Celery worker
    takes."""

    def do() -> Content:
        task_id = service.run(schedule_id, actor=caller(request).name, reason=given.reason)
        return {"task_id": task_id or None}

    return done(request, key, do)


@router.get("/schedules/{schedule_id}/runs", response=documented(Content, 404), auth=VIEW)
def runs(request: HttpRequest, schedule_id: ScheduleId, limit: Limit = 20) -> Content:
    """Its runs, the latest first."""
    return {"runs": [service.run_to_dict(row) for row in service.runs(schedule_id, limit=limit)]}
