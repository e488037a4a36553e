"""The queue as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router
from pydantic import Field

from ingestion.api.http.errors import Stale
from ingestion.api.http.requests import Key, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, documented
from ingestion.api.http.security import needs
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["queue"], auth=needs(Right.OPERATE))


class QueueProcessed(ResponseBody):
    """How many tasks were started."""

    started: int


class QueueCleared(ResponseBody):
    """How many tasks were cancelled."""

    cancelled: int


class ClearQueue(ReasonBody):
    """``expected_count``: how many wait, as the caller saw it; another number is a 409."""

    expected_count: Annotated[int, Field(ge=0, strict=True)] | None = None


@router.post(
    "/queue/process", operation_id="queue_process", response=documented(QueueProcessed, 409)
)
def process_queue(request: HttpRequest, body: ReasonBody, key: Key = None) -> HttpResponse:
    """Start waiting tasks in free slots now."""
    return perform(request, key, lambda: {"started": get_worker_pool().process_queue()})


@router.post("/queue/clear", operation_id="queue_clear", response=documented(QueueCleared, 409))
def clear_queue(request: HttpRequest, body: ClearQueue, key: Key = None) -> HttpResponse:
    """Cancel every task that waits."""

    def action() -> dict[str, Any]:
        _check(body.expected_count)
        return {"cancelled": get_worker_pool().clear_queue(change=body.change(request))}

    return perform(request, key, action)


def _check(expected: int | None) -> None:
    count = get_worker_pool().snapshot(queue_limit=0).waiting_count
    if expected is not None and expected != count:
        raise Stale(f"{count} tasks wait now, not {expected}.", present={"count": count})
