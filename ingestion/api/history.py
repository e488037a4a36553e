"""What ran: search, one run, CSV, and once more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from ingestion.api.answers import documented
from ingestion.api.errors import NotFound
from ingestion.api.given import (
    LARGEST_ID,
    Cursor,
    HistoryId,
    Key,
    Limit,
    Moment,
    Name,
    Text,
    Why,
    done,
)
from ingestion.api.security import caller, needs
from ingestion.services import history as runs
from ingestion.services import reruns
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["history"])
VIEW = needs(Right.VIEW)

Status = Literal["queued", "running", "success", "partial", "failed", "cancelled"]
Content = dict[str, Any]


class RunList(Schema):
    """``next_cursor`` is None at the end."""

    items: list[Content]
    next_cursor: str | None


class Retry(Why):
    """``ids`` of runs that have ended."""

    ids: Annotated[
        list[Annotated[int, Field(ge=1, le=LARGEST_ID, strict=True)]],
        Field(min_length=1, max_length=200),
    ]


class Again(Schema):
    """``submitted`` are ids of new tasks; for ``merged`` runs a waiting task does."""

    submitted: list[str]
    merged: int


class Wanted(Schema):
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


@router.get("/history", response=documented(RunList), auth=VIEW)
def history(
    request: HttpRequest, wanted: Query[Wanted], cursor: Cursor = "", limit: Limit = 50
) -> Content:
    """Runs, the latest first; those that still wait only with ``status=queued``."""
    return runs.search(wanted.search(), at=cursor, limit=limit).to_dict()


@router.get(
    "/history.csv",
    response=documented(str),
    auth=VIEW,
    openapi_extra={"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}},
)
def history_csv(request: HttpRequest, wanted: Query[Wanted]) -> StreamingHttpResponse:
    """The same search as a table for spreadsheets, whole."""
    answer = StreamingHttpResponse(runs.csv_lines(wanted.search()), content_type="text/csv")
    answer["Content-Disposition"] = 'attachment; filename="history.csv"'
    return answer


@router.post(
    "/history/retry", response=documented(Again, 404, 409, status=201), auth=needs(Right.OPERATE)
)
def retry_runs(request: HttpRequest, given: Retry, key: Key = None) -> HttpResponse:
    """Submit once more what several runs were; what was asked by two of them, once. None is
    submitted unless all have ended."""

    def do() -> Content:
        actor = caller(request).name
        made = reruns.of_runs(get_worker_pool(), given.ids, actor=actor, reason=given.reason)
        return made.to_dict()

    return done(request, key, do, status=201)


@router.get("/history/{history_id}", response=documented(Content, 404), auth=VIEW)
def one_run(request: HttpRequest, history_id: HistoryId) -> Content:
    """One run with its models, steps, counts, attempts, audit trail and lines of the log."""
    found = runs.run(history_id)
    if found is None:
        raise NotFound(f"The history knows no run {history_id}.")
    return found


@router.post(
    "/history/{history_id}/retry",
    response=documented(Content, 404, 409, status=201),
    auth=needs(Right.OPERATE),
)
def retry_run(
    request: HttpRequest, history_id: HistoryId, given: Why, key: Key = None
) -> HttpResponse:
    """Submit once more what a run was that has ended."""

    def do() -> Content:
        actor = caller(request).name
        again = reruns.of_run(get_worker_pool(), history_id, actor=actor, reason=given.reason)
        return {"task_id": again}

    return done(request, key, do, status=201)
