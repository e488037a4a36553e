"""Where a waiting task stands: its priority, the front, held or not."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.http.requests import Key, Priority, RevisionBody, TaskId, perform
from ingestion.api.http.responses import documented
from ingestion.api.http.security import needs
from ingestion.api.pool.tasks import OneTask
from ingestion.pool.change import ChangeRequest
from ingestion.services.reporting import task_list
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import WorkerTask, get_worker_pool

router = Router(tags=["tasks"], auth=needs(Right.OPERATE))
ANSWERS = documented(OneTask, 404, 409)


class NewPriority(RevisionBody):
    """The higher the sooner."""

    priority: Priority


@router.post("/tasks/{task_id}/prioritize", operation_id="tasks_prioritize", response=ANSWERS)
def prioritize(
    request: HttpRequest, task_id: TaskId, body: NewPriority, key: Key = None
) -> HttpResponse:
    """A waiting task runs sooner or later."""
    level = body.priority
    return _ordered(
        request,
        body,
        key,
        lambda change: get_worker_pool().set_priority(task_id, level, change=change),
    )


@router.post("/tasks/{task_id}/front", operation_id="tasks_move_to_front", response=ANSWERS)
def move_to_front(
    request: HttpRequest, task_id: TaskId, body: RevisionBody, key: Key = None
) -> HttpResponse:
    """A waiting task becomes the next."""
    return _ordered(
        request, body, key, lambda change: get_worker_pool().move_to_front(task_id, change=change)
    )


@router.post("/tasks/{task_id}/hold", operation_id="tasks_hold", response=ANSWERS)
def hold(
    request: HttpRequest, task_id: TaskId, body: RevisionBody, key: Key = None
) -> HttpResponse:
    """A waiting task does not start until it is released."""
    return _ordered(
        request, body, key, lambda change: get_worker_pool().hold_task(task_id, change=change)
    )


@router.post("/tasks/{task_id}/release", operation_id="tasks_release", response=ANSWERS)
def release(
    request: HttpRequest, task_id: TaskId, body: RevisionBody, key: Key = None
) -> HttpResponse:
    """A held task goes back to its old place."""
    return _ordered(
        request, body, key, lambda change: get_worker_pool().release_task(task_id, change=change)
    )


def _ordered(
    request: HttpRequest,
    body: RevisionBody,
    key: str | None,
    verb: Callable[[ChangeRequest], WorkerTask],
) -> HttpResponse:
    change = body.change(request)
    return perform(request, key, lambda: {"task": task_list.shown(verb(change))})
