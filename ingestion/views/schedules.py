"""The schedules: the list, one with its runs, and the form that makes or changes one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.models import SyncSchedule
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.beat.recurrence import CRON_FIELDS
from ingestion.services.reporting import history
from ingestion.services.requests.parameters import KNOWN
from ingestion.services.requests.routing import routes
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.errors import ScheduleNotFound
from ingestion.services.scheduling.fields import MODE_OPTIONS, to_fields
from ingestion.services.scheduling.load import Finding
from ingestion.services.security.access import Right
from ingestion.sync.common.registry import crms
from ingestion.views.access import page

SHOWN_RUNS = 50
NEW: dict[str, Any] = {
    "name": "", "crm_source": "", "model_name": "", "mode": "delta", "options": {},
    "execution": "pool", "priority": 0, "recurrence": "interval", "every": 30,
    "period": "minutes", **dict.fromkeys(CRON_FIELDS, "*"), "minute": "0", "hour": "4",
    "timezone": "UTC", "start_at": None, "end_at": None, "enabled": True,
}  # fmt: skip


@page(Right.VIEW)
def all_schedules(request: HttpRequest) -> HttpResponse:
    found = schedules.to_dicts(schedules.stored())
    context = {"schedules": found, "findings": _findings()}
    return render(request, "ingestion/schedules.html", context)


@page(Right.VIEW)
def one(request: HttpRequest, schedule_id: int) -> HttpResponse:
    schedule = _found(schedule_id)
    context = {
        "schedule": schedules.to_dict(schedule),
        "route": schedule.route,
        "runs": [history.result(row) for row in schedules.runs(schedule_id, limit=SHOWN_RUNS)],
    }
    return render(request, "ingestion/schedule.html", context)


@page(Right.SCHEDULE)
def new(request: HttpRequest) -> HttpResponse:
    """What an address names stands in the form already."""
    given = {n: request.GET[n][:100] for n in ("crm_source", "model_name") if n in request.GET}
    return _form(request, {**NEW, **given})


@page(Right.SCHEDULE)
def edit(request: HttpRequest, schedule_id: int) -> HttpResponse:
    schedule = _found(schedule_id)
    return _form(request, {**NEW, **to_fields(schedule)}, schedule)


def _form(
    request: HttpRequest, fields: dict[str, Any], schedule: SyncSchedule | None = None
) -> HttpResponse:
    """The script of the page fills it, previews it, and hands it to the API."""
    kinds = {name: list(getattr(SyncSchedule, name.title())) for name in ("mode", "execution")}
    context = {
        "schedule": schedule,
        "form": {"id": schedule.pk if schedule else None, "fields": fields, "models": _models()},
        "crms": {name: crm.title for name, crm in crms().items()},
        "modes": kinds["mode"],
        "periods": list(SyncSchedule.Period),
        "cron_fields": [(name, name.replace("_", " ").capitalize()) for name in CRON_FIELDS],
        "options": ", ".join(name for name in KNOWN if name not in MODE_OPTIONS),
    }
    return render(request, "ingestion/schedule_form.html", context)


def _models() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for crm_source, model in routes():
        found.setdefault(crm_source, []).append(model)
    return found


def _found(schedule_id: int) -> SyncSchedule:
    try:
        return schedules.get(schedule_id)
    except ScheduleNotFound as problem:
        raise Http404("There is no such schedule.") from problem


def _findings() -> tuple[Finding, ...]:
    """Nothing is judged while the limit is not known."""
    try:
        return schedules.judge()
    except PoolUnavailable:
        return ()
