"""The CRMs: all at a glance, and a page for each."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.services.breakers import breaker
from ingestion.services.crms import table_rows
from ingestion.services.crms.crm_overview import overview, overviews
from ingestion.services.reporting import history as runs
from ingestion.services.security.access import Right
from ingestion.views.access import page

LAST_RUNS = 15


@page(Right.VIEW)
def crms(request: HttpRequest) -> HttpResponse:
    return render(request, "ingestion/crms.html", {"crms": overviews()})


@page(Right.VIEW)
def crm(request: HttpRequest, name: str) -> HttpResponse:
    try:
        found = overview(name)
    except LookupError as problem:
        raise Http404("There is no such CRM.") from problem
    last = runs.search(runs.Search(crm_source=found.name), limit=LAST_RUNS)
    return render(
        request,
        "ingestion/crm.html",
        {
            "crm": found,
            "runs": last.items,
            "rows": table_rows.rows_of(found.name),
            "breaker": breaker.open_breakers().get(found.name),
            "breaker_warning": breaker.warnings().get(found.name),
        },
    )
