"""The pool's state for programs, and whether the system lives and can work."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingestion.pool.errors import PoolError, PoolUnavailable
from ingestion.services.readiness import readiness
from ingestion.services.worker_pool import get_worker_pool


def error(status: int, code: str, message: str) -> JsonResponse:
    """``{"error": {"code", "message"}}``, the one form of every refusal."""
    return JsonResponse({"error": {"code": code, "message": message}}, status=status)


@never_cache
@require_safe
def pool_status(request: HttpRequest) -> HttpResponse:
    """``PoolSnapshot.to_dict``; 401 when nobody is logged in, 503 when Redis is out of reach."""
    if not request.user.is_authenticated:
        return error(401, "NOT_LOGGED_IN", "Log in at /login/ first.")
    try:
        return JsonResponse(get_worker_pool().snapshot().to_dict())
    except PoolUnavailable as problem:
        return unavailable(problem)


def unavailable(problem: PoolError) -> JsonResponse:
    return error(503, problem.code, str(problem) or "The pool's state cannot be reached.")


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
