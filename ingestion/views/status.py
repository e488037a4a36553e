"""Whether the system lives and can work."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingestion.services.notices import rounds
from ingestion.services.reporting.readiness import readiness


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """This process answers; asks nobody else."""
    return JsonResponse({"schema": 1, "live": True})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when every part works, else 503; each part says why."""
    rounds.look_in_background()
    found = readiness()
    return JsonResponse(found.to_dict(), status=200 if found.is_ready else 503)
