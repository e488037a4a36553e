"""The start page: the pool's numbers and the commands to type next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.access import Right
from ingestion.services.worker_pool import get_worker_pool
from ingestion.views.access import page


@page(Right.VIEW)
def home(request: HttpRequest) -> HttpResponse:
    try:
        snapshot = get_worker_pool().snapshot(queue_limit=20)
    except PoolUnavailable as problem:
        return render(request, "ingestion/home.html", {"problem": str(problem)}, status=503)
    return render(request, "ingestion/home.html", {"pool": snapshot})
