"""What the dashboard shows now."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from ingestion.api.http.responses import ResponseBody, cached, shared
from ingestion.api.http.security import needs
from ingestion.api.reporting.summaries import RunningSummary, WaitingSummary
from ingestion.api.schemas.runs import Run
from ingestion.api.schemas.snapshot import PoolFigures
from ingestion.services.notices import rounds
from ingestion.services.reporting import dashboard as board
from ingestion.services.security.access import Right
from ingestion.services.tasks.bulk import TaskFilter
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["dashboard"], auth=needs(Right.VIEW))
MOST_OFFSET = 10_000_000


class QueuePage(ResponseBody):
    """Which part of the queue ``queued`` is; ``total`` tasks stand in it."""

    offset: int
    limit: int
    total: int


class LastDay(ResponseBody):
    """How many runs ended how in the last 24 hours."""

    success: int
    partial: int
    failed: int
    cancelled: int
    success_rate: float | None
    """Percent, cancelled runs aside; null where none was tried."""


class Dashboard(PoolFigures):
    """At most 64 KB: with ``is_cut`` lists were shortened, the counts never are. ``dead_letters`` is
    empty here, ``dead_letter_count`` its number."""

    active: list[RunningSummary]
    queued: list[WaitingSummary]
    delayed: list[WaitingSummary]
    held: list[WaitingSummary]
    queue_page: QueuePage
    state_reason: str
    read_only: bool
    """Whether this installation refuses every change."""
    dead_letter_count: int
    problems: list[str]
    """Sentences on what needs somebody."""
    notes: list[str]
    """Sentences on what passes by itself."""
    results: list[Run]
    """The runs that ended last."""
    last_24h: LastDay
    is_cut: bool


@router.get("/dashboard", operation_id="dashboard_get", response=cached(Dashboard), by_alias=True)
def dashboard(
    request: HttpRequest,
    queue_offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
    queue_limit: Annotated[int, Query(ge=0, le=100)] = 25,
    queue_crm: Annotated[str, Query(max_length=100)] = "",
    queue_type: Annotated[str, Query(max_length=100)] = "",
) -> HttpResponse:
    """The pool at this moment: slots, queue, workers, last results. At most a second old and at
    most 64 KB; 304 while nothing happens. With `queue_crm` or `queue_type` the queue holds the first
    tasks that match, of 500 that are looked at."""
    rounds.look_in_background()
    wanted = TaskFilter(crm_source=queue_crm or None, sync_type=queue_type or None)
    found = board.live(
        get_worker_pool(), queue_offset=queue_offset, queue_limit=queue_limit, wanted=wanted
    )
    return shared(request, found)
