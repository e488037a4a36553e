"""The history: the list of runs, and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.services.reporting import history as runs
from ingestion.services.reporting import run_steps
from ingestion.services.security.access import Right
from ingestion.views.access import page
from ingestion.views.filters import HistoryFilter
from ingestion.views.paging import asked_page

PAGE_ROWS = 50


@page(Right.VIEW)
def history(request: HttpRequest) -> HttpResponse:
    """The whole page, or the table alone for the page's own script."""
    form = HistoryFilter(request.GET or None)
    wanted = _search(form)
    found = asked_page(request, lambda at: runs.search(wanted, at=at, limit=PAGE_ROWS))
    part = "ingestion/history_rows.html"
    template = part if request.headers.get("HX-Request") else "ingestion/history.html"
    context = {
        "form": form,
        "found": found,
        "is_filtered": wanted != runs.Search(),
        "older": _query(request, cursor=found.next_cursor) if found.next_cursor else "",
        "csv": urlencode(_given(wanted)),
        "is_first": "cursor" not in request.GET,
    }
    return render(request, template, context)


def _search(form: HistoryFilter) -> runs.Search:
    if not form.is_valid():
        return runs.Search()
    since, until = form.moments()
    typed = {
        name: form.cleaned_data[name] for name in ("crm_source", "sync_type", "status", "text")
    }
    return runs.Search(since=since, until=until, **typed)


def _query(request: HttpRequest, **changes: str) -> str:
    return urlencode({**request.GET.dict(), **changes})


def _given(wanted: runs.Search) -> dict[str, str]:
    """As the API reads it."""
    times = {"since": wanted.since, "until": wanted.until}
    given: dict[str, Any] = {name: when.isoformat() for name, when in times.items() if when}
    texts = ("crm_source", "sync_type", "status", "text")
    return given | {name: value for name in texts if (value := getattr(wanted, name))}


@page(Right.VIEW)
def run(request: HttpRequest, history_id: int) -> HttpResponse:
    found = runs.run(history_id)
    if found is None:
        raise Http404("There is no such run.")
    context = {"run": found, "steps": run_steps.steps_of(found)}
    return render(request, "ingestion/run.html", context)
