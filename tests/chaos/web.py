"""The endpoints of the web process: what a page or an API would call."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from ingestion.pool.change import ChangeRequest
from ingestion.services.worker_pool import get_worker_pool


def submit(asked: dict[str, Any]) -> Any:
    return get_worker_pool().submit_task(**asked)


def cancel(asked: dict[str, Any]) -> Any:
    return get_worker_pool().cancel_task(
        asked["task_id"], change=ChangeRequest(by="chaos", reason="at random")
    )


def limit(asked: dict[str, Any]) -> Any:
    get_worker_pool().set_max_workers(asked["max_workers"], change=ChangeRequest(by="chaos"))
    return asked["max_workers"]


def stats(_: dict[str, Any]) -> Any:
    return get_worker_pool().get_stats()


def endpoint(verb: Callable[[dict[str, Any]], Any]) -> Callable[[HttpRequest], JsonResponse]:
    @csrf_exempt
    def view(request: HttpRequest) -> JsonResponse:
        try:
            told = {"answer": verb(json.loads(request.body or "{}"))}
        except Exception as problem:
            told = {"error": f"{type(problem).__name__}: {problem}"}
        return JsonResponse(told)

    return view


urlpatterns = [path(verb.__name__, endpoint(verb)) for verb in (submit, cancel, limit, stats)]
