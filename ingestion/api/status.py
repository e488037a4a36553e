"""The pool as it stands, whole."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from ninja import Router
from ninja.decorators import decorate_view

from ingestion.api.answers import documented
from ingestion.api.security import needs
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["status"], auth=needs(Right.VIEW))


@router.get("/status/", response=documented(dict[str, Any]))
@decorate_view(never_cache)
def status(request: HttpRequest) -> HttpResponse | dict[str, Any]:
    """Limits, slots, the first tasks of the queue, workers, counters: what `status --json` prints."""
    return get_worker_pool().snapshot().to_dict()
