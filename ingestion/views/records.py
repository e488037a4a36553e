"""What was done and how the system is set up: the audit record and the settings in force."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.pool.errors import PoolUnavailable
from ingestion.services import audit as records
from ingestion.services.access import Right
from ingestion.services.cursor import InvalidCursor
from ingestion.services.settings_overview import Override, overrides, settings_overview
from ingestion.services.worker_pool import get_worker_pool
from ingestion.views.access import page
from ingestion.views.filters import AuditFilter

PAGE_ROWS = 50


@page(Right.VIEW)
def audit(request: HttpRequest) -> HttpResponse:
    """The whole page, or the table alone for the page's own script."""
    form = AuditFilter(request.GET or None, actions=records.actions())
    wanted = _search(form)
    try:
        rows, older = records.search(wanted, at=request.GET.get("cursor"), limit=PAGE_ROWS)
    except InvalidCursor:
        rows, older = records.search(wanted, at=None, limit=PAGE_ROWS)
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
def settings(request: HttpRequest) -> HttpResponse:
    found = _overrides()
    by_setting = {one.setting: one for one in found or () if one.setting}
    context = {"groups": settings_overview(), "overrides": found, "by_setting": by_setting}
    return render(request, "ingestion/settings.html", context)


def _overrides() -> list[Override] | None:
    """None while the pool is out of reach: nobody knows them then."""
    try:
        return overrides(get_worker_pool().controls())
    except PoolUnavailable:
        return None
