"""The start page: the pool's numbers and the commands to type next."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.worker_pool import get_worker_pool


@never_cache
@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    try:
        snapshot = get_worker_pool().snapshot(queue_limit=20)
    except PoolUnavailable as problem:
        return render(request, "ingestion/home.html", {"problem": str(problem)}, status=503)
    return render(request, "ingestion/home.html", {"pool": snapshot})
