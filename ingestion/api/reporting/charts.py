"""What happened over time."""

from __future__ import annotations

from typing import Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from ingestion.api.http.responses import ResponseBody, Time, cached, shared
from ingestion.api.http.security import needs
from ingestion.api.schemas.runs import RunStatus
from ingestion.services.reporting import charts as series
from ingestion.services.security.access import Right

router = Router(tags=["dashboard"], auth=needs(Right.VIEW))

RangeName = Literal["1h", "6h", "24h", "7d"]


class Series(ResponseBody):
    """Columns of equal length, one value per bucket; null where nothing ended in it."""

    at: list[int]
    """When a bucket begins, in seconds since 1970."""
    completed: list[int]
    failed: list[int]
    cancelled: list[int]
    rows: list[int]
    wait_seconds: list[float | None]
    """Mean from submission to start."""
    run_seconds: list[float | None]
    """Mean from start to end."""
    running: list[int]


class Lane(ResponseBody):
    """The runs of a route, each as id in the history, status, start and end; times in seconds since
    1970, the end null while it runs."""

    route: str
    crm_source: str
    runs: list[tuple[int, RunStatus, int, int | None]]


class ChartEvent(ResponseBody):
    """An action that concerned the pool as a whole."""

    at: Time
    action: str
    actor: str
    target: str
    text: str


class Charts(ResponseBody):
    """``is_complete`` is false where there were too many runs: then they are counted from
    ``from_read`` on."""

    schema_version: Literal[1] = Field(alias="schema")
    taken_at: Time
    range: RangeName
    since: Time = Field(alias="from")
    until: Time = Field(alias="to")
    bucket_seconds: int
    is_complete: bool
    from_read: Time
    series: Series
    lanes: list[Lane]
    lanes_left_out: int
    """How many earlier runs of the range are not in ``lanes``; more where not ``is_complete``."""
    events: list[ChartEvent]
    events_left_out: int
    """How many earlier actions of the range are not in ``events``."""


@router.get(
    "/dashboard/charts", operation_id="dashboard_charts", response=cached(Charts), by_alias=True
)
def charts(request: HttpRequest, range: RangeName = "6h") -> HttpResponse:
    """Numbers per span of time, runs in lanes, and what operators did to the pool."""
    return shared(request, series.charts(range))
