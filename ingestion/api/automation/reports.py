"""The reports on what happened in a span of time."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.automation.report_schemas import Report, ReportSummary
from ingestion.api.http.requests import LARGEST_ID, Cursor, Key, Limit, RequestBody, perform
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import caller, needs
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation import report, reporting
from ingestion.services.security.access import Right

router = Router(tags=["reports"])
VIEW, SCHEDULE = needs(Right.VIEW), needs(Right.SCHEDULE)

ReportId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
LONGEST_HOURS = 31 * 24


class ReportPage(ResponseBody):
    """``next_cursor`` is null at the end."""

    items: list[ReportSummary]
    next_cursor: str | None


class ReportMade(ResponseBody):
    report: ReportSummary


class OneReport(ResponseBody):
    report: Report


class NewReport(RequestBody):
    """How far to look back."""

    hours: Annotated[int, Field(ge=1, le=LONGEST_HOURS, strict=True)] = 12


@router.get("/reports", operation_id="reports_list", response=documented(ReportPage), auth=VIEW)
def reports(request: HttpRequest, cursor: Cursor = "", limit: Limit = 20) -> HttpResponse:
    """The reports, the latest first, each in two sentences."""
    found, following = report.reports(at=cursor, limit=limit)
    return respond({"items": [report.summary(one) for one in found], "next_cursor": following})


@router.post(
    "/reports",
    operation_id="reports_create",
    response=documented(ReportMade, 409, status=201),
    auth=SCHEDULE,
)
def make_report(request: HttpRequest, body: NewReport, key: Key = None) -> HttpResponse:
    """Make a report now; no notice is sent."""

    def action() -> dict[str, Any]:
        made, _ = reporting.generate(
            hours=body.hours, tells=False, change=ChangeRequest(by=caller(request).name)
        )
        return {"report": report.summary(made)}

    return perform(request, key, action, status=201)


@router.get(
    "/reports/{report_id}",
    operation_id="reports_get",
    response=documented(OneReport, 404),
    auth=VIEW,
    by_alias=True,
)
def one_report(request: HttpRequest, report_id: ReportId) -> HttpResponse:
    """One report; ``sources`` names for each figure the rows it counts."""
    return respond({"report": report.to_dict(report.find(report_id))})
