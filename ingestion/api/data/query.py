"""Questions in SQL."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import AfterValidator, StringConstraints

from ingestion.api.http.errors import Busy
from ingestion.api.http.requests import Name, ReasonBody, storable
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import caller, needs
from ingestion.services.data.sql import box
from ingestion.services.security.access import Right

router = Router(tags=["data"])

Sql = Annotated[
    str, StringConstraints(min_length=1, max_length=box.LONGEST_QUERY), AfterValidator(storable)
]


class QueryBody(ReasonBody):
    """``crm_source``: whose tables are named by their models in the query."""

    crm_source: Name
    sql: Sql


class QueryAnswer(ResponseBody):
    """``rows``: values in the order of ``columns``; texts are cut after 500 characters. ``is_cut``:
    there are more rows than are given."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


@router.post(
    "/data/query",
    operation_id="data_query",
    response=documented(QueryAnswer, 404),
    auth=needs(Right.QUERY),
)
def query(request: HttpRequest, body: QueryBody) -> HttpResponse:
    """Ask a CRM's tables in SQL: read-only, bounded in time and rows, recorded in the audit. What is
    masked for the caller is null, or cannot be read at all."""
    personal = Right.PERSONAL in caller(request).rights
    asked = box.Query(body.crm_source, body.sql, personal)
    try:
        return respond(box.ask(asked, change=body.change(request)).to_dict())
    except box.TooManyQueries as busy:
        raise Busy(" ".join((box.TooManyQueries.__doc__ or "").split())) from busy
