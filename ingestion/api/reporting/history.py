"""What ran: search, one run, CSV, and retries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from ingestion.api.http.errors import NotFound
from ingestion.api.http.requests import (
    LARGEST_ID,
    Cursor,
    HistoryId,
    Key,
    Limit,
    Moment,
    Name,
    ReasonBody,
    Text,
    perform,
)
from ingestion.api.http.responses import ResponseBody, Time, documented, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.audit import AuditEntry
from ingestion.api.schemas.runs import ModelRun, Run
from ingestion.services.reporting import history as runs
from ingestion.services.reporting import reruns
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["history"])
VIEW = needs(Right.VIEW)

Status = Literal["queued", "running", "success", "partial", "failed", "cancelled"]
Content = dict[str, Any]


class RunPage(ResponseBody):
    """``next_cursor`` is null at the end."""

    items: list[Run]
    next_cursor: str | None


class Attempt(ResponseBody):
    """How one attempt ended. ``how``: retry, complete, fail or cancel."""

    attempt: int
    ended_at: Time
    how: str
    worker: str | None
    error_message: str


class RunDetails(Run):
    """All that is known of one run. ``asked``: the sync type that was asked for, where another
    command ran in its place. ``log``: its lines of the logs."""

    records_per_second: float | None
    command: str
    asked: str | None
    parameters: dict[str, Any]
    priority: int
    requested_by: str
    reason: str
    configuration: dict[str, Any]
    attempt: int
    attempts: list[Attempt]
    seconds: dict[str, float]
    """Of the steps before and after the models: start, finish."""
    models: list[ModelRun]
    audit: list[AuditEntry]
    log: list[str]


class RetryRuns(ReasonBody):
    """``ids`` of runs that have ended."""

    ids: Annotated[
        list[Annotated[int, Field(ge=1, le=LARGEST_ID, strict=True)]],
        Field(min_length=1, max_length=200),
    ]


class RunsRetried(ResponseBody):
    """``submitted`` are ids of new tasks; ``coalesced`` counts runs that a waiting task stands
    for."""

    submitted: list[str]
    coalesced: int


class RunRetried(ResponseBody):
    """``task_id`` is the new task's."""

    task_id: str


class HistoryQuery(BaseModel):
    """``since`` and ``until`` are of the start; ``text`` is a part of an error or a task's id."""

    crm_source: Name = ""
    sync_type: Name = ""
    status: Status | None = None
    since: Moment | None = None
    until: Moment | None = None
    text: Text = ""

    def search(self) -> runs.Search:
        return runs.Search(
            self.crm_source,
            self.sync_type,
            self.status or "",
            self.since,
            self.until,
            self.text[:200],
        )


@router.get("/history", operation_id="history_list", response=documented(RunPage), auth=VIEW)
def history(
    request: HttpRequest, query: Query[HistoryQuery], cursor: Cursor = "", limit: Limit = 50
) -> HttpResponse:
    """Runs, the latest first; those that still wait only with ``status=queued``."""
    return respond(runs.search(query.search(), at=cursor, limit=limit).to_dict())


@router.get(
    "/history.csv",
    operation_id="history_export",
    response=documented(None),
    auth=VIEW,
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def history_csv(request: HttpRequest, query: Query[HistoryQuery]) -> StreamingHttpResponse:
    """The same search as a table for spreadsheets, whole."""
    answer = StreamingHttpResponse(
        runs.csv_lines(query.search()), content_type="text/csv; charset=utf-8"
    )
    answer["Content-Disposition"] = 'attachment; filename="history.csv"'
    return answer


@router.post(
    "/history/retry",
    operation_id="history_retry_many",
    response=documented(RunsRetried, 404, 409, status=201),
    auth=needs(Right.OPERATE),
)
def retry_runs(request: HttpRequest, body: RetryRuns, key: Key = None) -> HttpResponse:
    """Submit again what several runs were; what two of them asked for, once. None is submitted
    unless all have ended."""

    def action() -> Content:
        made = reruns.of_runs(get_worker_pool(), body.ids, change=body.change(request))
        return made.to_dict()

    return perform(request, key, action, status=201)


@router.get(
    "/history/{history_id}",
    operation_id="history_get",
    response=documented(RunDetails, 404),
    auth=VIEW,
)
def one_run(request: HttpRequest, history_id: HistoryId) -> HttpResponse:
    """One run with its models, steps, counts, attempts, audit trail and lines of the log."""
    found = runs.run(history_id)
    if found is None:
        raise NotFound(f"The history knows no run {history_id}.")
    return respond(found)


@router.post(
    "/history/{history_id}/retry",
    operation_id="history_retry",
    response=documented(RunRetried, 404, 409, status=201),
    auth=needs(Right.OPERATE),
)
def retry_run(
    request: HttpRequest, history_id: HistoryId, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Submit again what a run was that has ended."""

    def action() -> Content:
        again = reruns.of_run(get_worker_pool(), history_id, change=body.change(request))
        return {"task_id": again}

    return perform(request, key, action, status=201)
