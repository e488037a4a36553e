"""The pool's state for programs, and whether the system lives and can work."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.access import Right
from ingestion.services.readiness import readiness
from ingestion.services.worker_pool import get_worker_pool
from ingestion.views.access import data
from ingestion.views.answers import unavailable


@data(Right.VIEW)
def pool_status(request: HttpRequest) -> HttpResponse:
    """``PoolSnapshot.to_dict``; 503 when the pool is out of reach."""
    try:
        return JsonResponse(get_worker_pool().snapshot().to_dict())
    except PoolUnavailable as problem:
        return unavailable(problem)


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """This process answers; asks nobody else."""
    return JsonResponse({"schema": 1, "live": True})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when every part works, else 503; each part says why."""
    found = readiness()
    return JsonResponse(found.to_dict(), status=200 if found.is_ready else 503)
