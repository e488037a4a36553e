"""The reports: the list, one with its plots, and one as a file."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.models import AutomationReport
from ingestion.services.automation import html
from ingestion.services.automation import report as service
from ingestion.services.automation.rule_errors import ReportNotFound
from ingestion.services.security.access import Right
from ingestion.views.access import page
from ingestion.views.paging import asked_page

PAGE_ROWS = 30


@page(Right.VIEW)
def reports(request: HttpRequest) -> HttpResponse:
    found, older = asked_page(request, lambda at: service.reports(at=at, limit=PAGE_ROWS))
    told = [service.summary(one) for one in found]
    context = {"reports": told, "older": older, "is_first": "cursor" not in request.GET}
    return render(request, "ingestion/reports.html", context)


@page(Right.VIEW)
def report(request: HttpRequest, report_id: int) -> HttpResponse:
    found = _found(report_id)
    content = service.to_dict(found)
    plots = {name: content[name] for name in ("hours", "slowest", "most_failing", "freshness")}
    context = {"report": content, "headline": service.headline(found), "plots": plots}
    return render(request, "ingestion/report.html", context)


@page(Right.VIEW)
def file(request: HttpRequest, report_id: int) -> HttpResponse:
    """One file that needs nothing else, to keep or to send."""
    answer = HttpResponse(html.page(_found(report_id)))
    answer["Content-Disposition"] = f'attachment; filename="report-{report_id}.html"'
    return answer


def _found(report_id: int) -> AutomationReport:
    try:
        return service.find(report_id)
    except ReportNotFound as problem:
        raise Http404("There is no such report.") from problem
