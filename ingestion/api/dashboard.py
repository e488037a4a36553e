"""What the dashboard shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from ingestion.api.answers import documented, shared
from ingestion.api.security import needs
from ingestion.services import charts as series
from ingestion.services import dashboard as board
from ingestion.services import freshness
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["dashboard"], auth=needs(Right.VIEW))
MOST_OFFSET = 10_000_000

Content = dict[str, Any]


@router.get("/dashboard", response=documented(Content, 304))
def dashboard(
    request: HttpRequest,
    queue_offset: Annotated[int, Query(ge=0, le=MOST_OFFSET)] = 0,
    queue_limit: Annotated[int, Query(ge=0, le=100)] = 25,
) -> HttpResponse:
    """The pool at this moment: slots, queue, workers, last results. At most a second old and at
    most 64 KB; 304 while nothing happens."""
    found = board.live(get_worker_pool(), queue_offset=queue_offset, queue_limit=queue_limit)
    return shared(request, found)


@router.get("/dashboard/charts", response=documented(Content, 304))
def charts(request: HttpRequest, range: Literal["1h", "6h", "24h", "7d"] = "6h") -> HttpResponse:
    """Numbers per span of time, runs in lanes, and what was done to the pool beside them."""
    return shared(request, series.charts(range))


@router.get("/datasets", response=documented(Content, 304))
def datasets(request: HttpRequest) -> HttpResponse:
    """How fresh every dataset of the warehouse is."""
    return shared(request, freshness.freshness())
