"""Where a waiting task stands: its priority, the front, held or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.answers import documented
from ingestion.api.given import Key, Priority, Seen, TaskId, done
from ingestion.api.security import caller, needs
from ingestion.api.tasks import OneTask
from ingestion.services import task_list
from ingestion.services.access import Right
from ingestion.services.worker_pool import WorkerTask, get_worker_pool

router = Router(tags=["tasks"], auth=needs(Right.OPERATE))
ANSWERS = documented(OneTask, 404, 409)


class Doing(TypedDict):
    """Who, why, and what they saw."""

    actor: str
    reason: str
    expected_revision: int | None


class NewPriority(Seen):
    """The higher the sooner."""

    priority: Priority


@router.post("/tasks/{task_id}/priority", response=ANSWERS)
def set_priority(
    request: HttpRequest, task_id: TaskId, given: NewPriority, key: Key = None
) -> HttpResponse:
    """Let a waiting task run sooner or later."""
    level = given.priority
    return _ordered(
        request, key, lambda who: get_worker_pool().set_priority(task_id, level, **_of(given, who))
    )


@router.post("/tasks/{task_id}/front", response=ANSWERS)
def move_to_front(
    request: HttpRequest, task_id: TaskId, given: Seen, key: Key = None
) -> HttpResponse:
    """Let a waiting task be the next."""
    return _ordered(
        request, key, lambda who: get_worker_pool().move_to_front(task_id, **_of(given, who))
    )


@router.post("/tasks/{task_id}/hold", response=ANSWERS)
def hold(request: HttpRequest, task_id: TaskId, given: Seen, key: Key = None) -> HttpResponse:
    """Let a waiting task keep its place and not start."""
    return _ordered(
        request, key, lambda who: get_worker_pool().hold_task(task_id, **_of(given, who))
    )


@router.post("/tasks/{task_id}/release", response=ANSWERS)
def release(request: HttpRequest, task_id: TaskId, given: Seen, key: Key = None) -> HttpResponse:
    """Let a held task go back to its old place."""
    return _ordered(
        request, key, lambda who: get_worker_pool().release_task(task_id, **_of(given, who))
    )


def _ordered(
    request: HttpRequest, key: str | None, verb: Callable[[str], WorkerTask]
) -> HttpResponse:
    name = caller(request).name
    return done(request, key, lambda: {"task": task_list.shown(verb(name))})


def _of(given: Seen, name: str) -> Doing:
    return {"actor": name, "reason": given.reason, "expected_revision": given.expected_revision}
