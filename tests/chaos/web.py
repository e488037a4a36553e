"""The doors of the web process: what a page or an API would call."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from ingestion.services.worker_pool import get_worker_pool


def submit(asked: dict[str, Any]) -> Any:
    return get_worker_pool().submit_task(**asked)


def cancel(asked: dict[str, Any]) -> Any:
    return get_worker_pool().cancel_task(asked["task_id"], actor="chaos", reason="at random")


def limit(asked: dict[str, Any]) -> Any:
    return get_worker_pool().set_max_workers(asked["max_workers"], actor="chaos")


def stats(_: dict[str, Any]) -> Any:
    return get_worker_pool().get_stats()


def door(verb: Callable[[dict[str, Any]], Any]) -> Callable[[HttpRequest], JsonResponse]:
    @csrf_exempt
    def view(request: HttpRequest) -> JsonResponse:
        began = time.monotonic()
        try:
            told = {"answer": verb(json.loads(request.body or "{}"))}
        except Exception as problem:
            told = {"error": f"{type(problem).__name__}: {problem}"}
        return JsonResponse({**told, "seconds": time.monotonic() - began})

    return view


urlpatterns = [path(verb.__name__, door(verb)) for verb in (submit, cancel, limit, stats)]
