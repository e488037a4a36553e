"""The log of a run."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from ingestion.api.http.requests import LARGEST_ID, HistoryId, Name
from ingestion.api.http.responses import ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.services.runlog import lines
from ingestion.services.security.access import Right

router = Router(tags=["history"], auth=needs(Right.VIEW))


class LogLine(ResponseBody):
    """``number`` counts from 1; where numbers are missing, lines of the middle were cut."""

    number: int
    at: Time
    level: Annotated[str, one_of(lines.LEVELS)]
    model: str
    text: str


class RunLogPage(ResponseBody):
    """``next_after``: what to give as ``after`` next time; null where no line came."""

    schema_version: Literal[1] = Field(alias="schema")
    lines: list[LogLine]
    next_after: int | None
    has_ended: bool
    """Whether no more lines will come."""


@router.get(
    "/history/{history_id}/log",
    operation_id="history_log",
    response=documented(RunLogPage, 404),
    by_alias=True,
)
def run_log(
    request: HttpRequest,
    history_id: HistoryId,
    after: Annotated[int, Query(ge=0, le=LARGEST_ID)] = 0,
    level: Literal["", "debug", "info", "warning", "error", "critical"] = "",
    text: Name = "",
    limit: Annotated[int, Query(ge=1, le=lines.MOST_LINES)] = lines.MOST_LINES,
) -> HttpResponse:
    """The lines of a run, the oldest first; of one that runs ask again with ``after``."""
    found = lines.read(history_id, after=after, level=level, text=text, limit=limit)
    return respond(found.to_dict())


@router.get(
    "/history/{history_id}/log.txt",
    operation_id="history_log_file",
    response=documented(None, 404),
    openapi_extra={"responses": {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}},
)
def run_log_file(request: HttpRequest, history_id: HistoryId) -> StreamingHttpResponse:
    """The same as a file."""
    found = lines.read(history_id)
    answer = StreamingHttpResponse(
        lines.as_lines(found.lines), content_type="text/plain; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="run-{history_id}.log"'
    return answer
