"""The pool as it stands, whole."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from ninja import Router
from ninja.decorators import decorate_view

from ingestion.api.http.responses import documented, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.snapshot import PoolFigures
from ingestion.api.schemas.tasks import Task, WaitingTask
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["status"], auth=needs(Right.VIEW))


class Snapshot(PoolFigures):
    """The pool at one moment. ``queued`` are the first tasks in their order, ``delayed`` those that
    wait for their time, ``held`` those that an operator holds; the counts are of all of them."""

    active: list[Task]
    queued: list[WaitingTask]
    delayed: list[WaitingTask]
    held: list[WaitingTask]


@router.get("/status", operation_id="status_get", response=documented(Snapshot), by_alias=True)
@decorate_view(never_cache)
def status(request: HttpRequest) -> HttpResponse:
    """Limits, slots, the first tasks of the queue, workers, counters: what `status --json` prints."""
    return respond(get_worker_pool().snapshot().to_dict())
