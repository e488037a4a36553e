"""What was done, what is wrong, and how the system is set up: audit record, notices, settings."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.models import Trouble
from ingestion.models.notices import NoticeLevel
from ingestion.pool.controls import PoolControls
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.freshness import bounds
from ingestion.services.notices import channels, deliveries
from ingestion.services.reporting.settings_overview import difference, overrides, settings_overview
from ingestion.services.security import audit as records
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool
from ingestion.sync.common.registry import crms
from ingestion.views.access import page
from ingestion.views.filters import AuditFilter
from ingestion.views.paging import asked_page

PAGE_ROWS = 50


@page(Right.VIEW)
def audit(request: HttpRequest) -> HttpResponse:
    """The whole page, or the table alone for the page's own script."""
    form = AuditFilter(request.GET or None, actions=records.actions())
    wanted = _search(form)
    rows, older = asked_page(request, lambda at: records.search(wanted, at=at, limit=PAGE_ROWS))
    part = "ingestion/audit_rows.html"
    template = part if request.headers.get("HX-Request") else "ingestion/audit.html"
    context = {
        "form": form,
        "rows": rows,
        "is_filtered": wanted != records.Search(),
        "older": urlencode({**request.GET.dict(), "cursor": older}) if older else "",
        "is_first": "cursor" not in request.GET,
    }
    return render(request, template, context)


def _search(form: AuditFilter) -> records.Search:
    if not form.is_valid():
        return records.Search()
    since, until = form.moments()
    typed = {name: form.cleaned_data[name] for name in ("action", "actor", "target")}
    return records.Search(since=since, until=until, **typed)


@page(Right.VIEW)
def notices(request: HttpRequest) -> HttpResponse:
    troubles = Trouble.objects.all()
    context = {
        "open": troubles.filter(ended_at=None),
        "over": troubles.exclude(ended_at=None)[:PAGE_ROWS],
        "channels": [found.to_dict() for found in channels.channels()],
        "levels": NoticeLevel.values,
        "log": deliveries.log(limit=PAGE_ROWS),
    }
    return render(request, "ingestion/notices.html", context)


@page(Right.VIEW)
def settings(request: HttpRequest) -> HttpResponse:
    controls = _controls()
    found = overrides(controls) if controls else None
    context = {
        "groups": settings_overview(),
        "overrides": found,
        "by_setting": {one.setting: one for one in found or () if one.setting},
        "warning": controls and difference(controls),
        "bounds": bounds.stored(),
        "datasets": [f"{crm.name}.{m.name}" for crm in crms().values() for m in crm.models],
    }
    return render(request, "ingestion/settings.html", context)


def _controls() -> PoolControls | None:
    """None while the pool is out of reach: nobody knows them then."""
    try:
        return get_worker_pool().controls()
    except PoolUnavailable:
        return None
