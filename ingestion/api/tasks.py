"""The tasks of the pool: those that run and wait, and what can be done with one."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from ingestion.api.answers import documented
from ingestion.api.errors import Stale
from ingestion.api.given import (
    Given,
    Key,
    Limit,
    Moment,
    Name,
    Parameters,
    Priority,
    Reason,
    Seen,
    TaskId,
    Text,
    Why,
    done,
)
from ingestion.api.security import caller, needs
from ingestion.pool.errors import InvalidParameters, NotQueued, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import PRIORITY_MAX, PRIORITY_MIN
from ingestion.services import reruns, task_list
from ingestion.services.access import Right
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.secrets import mask_json
from ingestion.services.worker_pool import WorkerTask, get_worker_pool

router = Router(tags=["tasks"])
VIEW, OPERATE = needs(Right.VIEW), needs(Right.OPERATE)
Attempts = Annotated[int, Field(ge=1, le=100, strict=True)]


class TaskList(Schema):
    """``total`` is of all open tasks, ``next_cursor`` None at the end."""

    items: list[dict[str, Any]]
    next_cursor: str | None
    total: int


class OneTask(Schema):
    """A task as it stands. ``absorbed_by``: its id, when a submission found it waiting already."""

    task: dict[str, Any]
    absorbed_by: str | None = None


class ExplainedTask(Schema):
    """``wait``: position, reason and expected start of a task that waits."""

    task: dict[str, Any]
    wait: dict[str, Any] | None


class Submit(Given):
    """``parameters`` as the options of a sync; ``priority`` the higher the sooner. ``on_overlap``:
    whether a request that repeats a waiting one is merged with it, or refused with a 409."""

    crm_source: Name
    sync_type: Name | None = None
    parameters: Parameters = Field(default_factory=dict)
    priority: Priority = 0
    not_before: Moment | None = None
    max_attempts: Attempts | None = None
    on_overlap: OnOverlap = OnOverlap.ALLOW
    reason: Reason = ""


class Wish(Schema):
    """As ``Submit``, in an address."""

    crm_source: Name
    sync_type: Name = ""
    parameters: Text = ""
    priority: Annotated[int, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX)] = 0
    on_overlap: OnOverlap = OnOverlap.ALLOW


@router.get("/tasks", response=documented(TaskList), auth=VIEW)
def tasks(
    request: HttpRequest,
    status: Literal["running", "queued", "delayed", "held"] | None = None,
    crm_source: Name = "",
    sync_type: Name = "",
    requested_by: Name = "",
    older_than_seconds: Annotated[float | None, Query(ge=0, le=1e9)] = None,
    cursor: Annotated[str, Query(max_length=100)] = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """Tasks that run, then those that wait in the order in which they will start."""
    wanted = task_list.Wanted(status or "", crm_source, sync_type, requested_by, older_than_seconds)
    return task_list.page(get_worker_pool(), wanted, cursor=cursor, limit=limit).to_dict()


@router.get("/tasks/{task_id}", response=documented(ExplainedTask, 404), auth=VIEW)
def task(request: HttpRequest, task_id: TaskId) -> dict[str, Any]:
    """One task; finished ones are known for the retention time, and stay in the history."""
    return {**_shown(_known(task_id)), "wait": _wait(task_id)}


@router.get("/forecast", response=documented(dict[str, Any], 409), auth=VIEW)
def forecast(request: HttpRequest, wish: Query[Wish]) -> dict[str, Any]:
    """What a submission would do: start at once, wait and how long, or be merged. Stores nothing.
    ``parameters`` is a JSON object as text."""
    parameters = _parameters(wish.parameters)
    found = get_worker_pool().forecast(
        wish.crm_source,
        wish.sync_type or None,
        parameters,
        wish.priority,
        on_overlap=wish.on_overlap,
    )
    told: dict[str, Any] = mask_json(found.to_dict())
    return told


def _parameters(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text or "{}")
    except (ValueError, RecursionError) as problem:
        raise InvalidParameters("parameters must be a JSON object.") from problem
    IngestionAdapter.validate_parameters(found if isinstance(found, dict) else {})
    return found


@router.post("/tasks", response=documented(OneTask, 409, status=201), auth=OPERATE)
def submit(request: HttpRequest, given: Submit, key: Key = None) -> HttpResponse:
    """Submit a sync. It starts at once when a slot is free."""
    IngestionAdapter.validate_parameters(given.parameters)

    def do() -> dict[str, Any]:
        made = get_worker_pool().submit(
            given.crm_source,
            given.sync_type,
            given.parameters,
            given.priority,
            requested_by=caller(request).name,
            max_attempts=given.max_attempts,
            not_before=given.not_before,
            reason=given.reason,
            on_overlap=given.on_overlap,
        )
        return {**_shown(_known(made.task_id)), "absorbed_by": made.absorbed_by}

    return done(request, key, do, status=201)


@router.post("/tasks/{task_id}/cancel", response=documented(OneTask, 404, 409), auth=OPERATE)
def cancel(request: HttpRequest, task_id: TaskId, given: Seen, key: Key = None) -> HttpResponse:
    """Take a waiting task off the queue, ask a running one to stop."""

    def do() -> dict[str, Any]:
        before, actor = _known(task_id), caller(request).name
        is_cancelled = get_worker_pool().cancel_task(
            task_id,
            actor=actor,
            reason=given.reason,
            expected_revision=given.expected_revision,
        )
        if not is_cancelled:
            raise Stale(f"The task has ended: it is {before.status}.", present=before.to_dict())
        return _shown(_known(task_id))

    return done(request, key, do)


@router.post(
    "/tasks/{task_id}/retry", response=documented(OneTask, 404, 409, status=201), auth=OPERATE
)
def retry(request: HttpRequest, task_id: TaskId, given: Why, key: Key = None) -> HttpResponse:
    """Submit once more what a task was that has ended."""

    def do() -> dict[str, Any]:
        actor = caller(request).name
        again = reruns.of_task(get_worker_pool(), task_id, actor=actor, reason=given.reason)
        return _shown(_known(again))

    return done(request, key, do, status=201)


def _known(task_id: str) -> WorkerTask:
    found = get_worker_pool().get_task_status(task_id)
    if found is None:
        raise TaskNotFound(f"The pool knows no task {task_id}; /api/history may.")
    return found


def _shown(found: WorkerTask) -> dict[str, Any]:
    return {"task": task_list.shown(found)}


def _wait(task_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = mask_json(get_worker_pool().explain(task_id).wait())
    except NotQueued:
        return None
    return found
