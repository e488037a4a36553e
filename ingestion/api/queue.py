"""The queue as a whole."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from ingestion.api.answers import documented
from ingestion.api.errors import Stale
from ingestion.api.given import Key, Why, done
from ingestion.api.security import caller, needs
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["queue"], auth=needs(Right.OPERATE))


class Started(Schema):
    """How many tasks were started."""

    started: int


class Cleared(Schema):
    """How many tasks were cancelled."""

    cancelled: int


class Clear(Why):
    """``expected_count``: how many wait, as the caller saw it; another number is a 409."""

    expected_count: Annotated[int, Field(ge=0, strict=True)] | None = None


@router.post("/queue/process", response=documented(Started, 409))
def process_queue(request: HttpRequest, given: Why, key: Key = None) -> HttpResponse:
    """Start waiting tasks in free slots now."""
    return done(request, key, lambda: {"started": get_worker_pool().process_queue()})


@router.post("/queue/clear", response=documented(Cleared, 409))
def clear_queue(request: HttpRequest, given: Clear, key: Key = None) -> HttpResponse:
    """Cancel every task that waits."""

    def do() -> dict[str, Any]:
        _check(given.expected_count)
        actor = caller(request).name
        return {"cancelled": get_worker_pool().clear_queue(actor=actor, reason=given.reason)}

    return done(request, key, do)


def _check(expected: int | None) -> None:
    count = get_worker_pool().snapshot(queue_limit=0).waiting_count
    if expected is not None and expected != count:
        raise Stale(f"{count} tasks wait now, not {expected}.", present={"count": count})
