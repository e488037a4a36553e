"""The tasks of the pool: those that run and wait, and the actions on one."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import BaseModel, Field

from ingestion.api.http.errors import Stale
from ingestion.api.http.requests import (
    Key,
    Limit,
    Moment,
    Name,
    Parameters,
    Priority,
    Reason,
    ReasonBody,
    RequestBody,
    RevisionBody,
    TaskId,
    Text,
    perform,
)
from ingestion.api.http.responses import ResponseBody, documented, respond
from ingestion.api.http.security import caller, needs
from ingestion.api.schemas.tasks import ListedTask
from ingestion.api.schemas.waits import Wait
from ingestion.deprecated_names import with_old_keys
from ingestion.pool.errors import InvalidParameters, NotQueued, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import LONGEST_ID, PRIORITY_MAX, PRIORITY_MIN
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.reporting import reruns, task_list
from ingestion.services.requests.submission import MOST_PREDECESSORS, Submission
from ingestion.services.security.access import Right
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks.bulk import TaskFilter
from ingestion.services.tasks.submissions import MOST_AT_ONCE
from ingestion.services.worker_pool import WorkerTask, get_worker_pool

router = Router(tags=["tasks"])
VIEW, OPERATE = needs(Right.VIEW), needs(Right.OPERATE)
Attempts = Annotated[int, Field(ge=1, le=100, strict=True)]


class TaskPage(ResponseBody):
    """``total`` is of all open tasks, ``next_cursor`` null at the end."""

    items: list[ListedTask]
    next_cursor: str | None
    total: int


class OneTask(ResponseBody):
    """A task as it stands."""

    task: ListedTask


class NotAccepted(ResponseBody):
    """Why a submission of many was refused."""

    code: str
    message: str


class Became(ResponseBody):
    """``task_id`` null with an ``error``; ``coalesced_into`` as in ``SubmittedTask``."""

    task_id: str | None
    coalesced_into: str | None
    error: NotAccepted | None


class Batch(ResponseBody):
    """What became of each submission, in their order."""

    results: list[Became]


class SubmittedTask(OneTask):
    """``coalesced_into``: the task's id, if it waited already and the submission was coalesced with
    it."""

    coalesced_into: str | None


class ExplainedTask(OneTask):
    """``wait`` of a task that waits; null of others."""

    wait: Wait | None


class Forecast(Wait):
    """What would become of a submission; ``sentence`` says it to people. ``coalesced_into``: the task
    that waits already and that it would be coalesced with; position, reason and start are then
    that task's."""

    crm_source: str
    sync_type: str
    parameters: dict[str, Any]
    priority: int
    sentence: str
    coalesced_into: str | None


Predecessors = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_ID)]], Field(max_length=MOST_PREDECESSORS)
]


class NewTask(RequestBody):
    """``parameters`` as the options of a sync; ``priority`` the higher the sooner. ``on_overlap``:
    whether a request that repeats a waiting one is coalesced with it, or refused with a 409.
    ``after``: the tasks that must have completed before this one starts; when one of them fails or
    is cancelled, this one is cancelled."""

    crm_source: Name
    sync_type: Name | None = None
    parameters: Parameters = Field(default_factory=dict)
    priority: Priority = 0
    not_before: Moment | None = None
    max_attempts: Attempts | None = None
    on_overlap: OnOverlap = OnOverlap.ALLOW
    after: Predecessors = Field(default_factory=list)
    reason: Reason = ""


class NewTasks(RequestBody):
    """Submissions, each as if it came alone."""

    tasks: Annotated[list[NewTask], Field(min_length=1, max_length=MOST_AT_ONCE)]


class ForecastQuery(BaseModel):
    """As ``NewTask``, in an address; ``after`` is repeated for each task."""

    crm_source: Name
    sync_type: Name = ""
    parameters: Text = ""
    priority: Annotated[int, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX)] = 0
    on_overlap: OnOverlap = OnOverlap.ALLOW
    after: Predecessors = Field(default_factory=list)


@router.get("/tasks", operation_id="tasks_list", response=documented(TaskPage), auth=VIEW)
def tasks(
    request: HttpRequest,
    status: Literal["running", "queued", "delayed", "held"] | None = None,
    crm_source: Name = "",
    sync_type: Name = "",
    requested_by: Name = "",
    older_than_seconds: Annotated[float | None, Query(ge=0, le=1e9)] = None,
    cursor: Annotated[str, Query(max_length=200)] = "",
    limit: Limit = 50,
) -> HttpResponse:
    """Tasks that run, then those that wait in the order in which they will start."""
    wanted = TaskFilter(
        crm_source=crm_source or None,
        sync_type=sync_type or None,
        status=status,
        older_than_seconds=older_than_seconds,
        requested_by=requested_by or None,
    )
    found = task_list.page(get_worker_pool(), wanted, cursor=cursor, limit=limit)
    return respond(found.to_dict())


@router.get(
    "/tasks/{task_id}", operation_id="tasks_get", response=documented(ExplainedTask, 404), auth=VIEW
)
def task(request: HttpRequest, task_id: TaskId) -> HttpResponse:
    """One task; finished ones are known for the retention time, and stay in the history."""
    return respond({**_shown(_known(task_id)), "wait": _wait(task_id)})


@router.get(
    "/forecast", operation_id="tasks_forecast", response=documented(Forecast, 409), auth=VIEW
)
def forecast(request: HttpRequest, query: Query[ForecastQuery]) -> HttpResponse:
    """What a submission would do: start at once, wait and how long, or be coalesced. Stores nothing.
    ``parameters`` is a JSON object as text."""
    asked = Submission(**{**dict(query), "parameters": _parameters(query.parameters)})
    found = get_worker_pool().forecast(asked)
    return respond(mask_json(found.to_dict()))


def _parameters(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text or "{}")
    except (ValueError, RecursionError) as problem:
        raise InvalidParameters("parameters must be a JSON object.") from problem
    IngestionAdapter.validate_parameters(found if isinstance(found, dict) else {})
    return found


@router.post(
    "/tasks",
    operation_id="tasks_submit",
    response=documented(SubmittedTask, 409, status=201),
    auth=OPERATE,
)
def submit(request: HttpRequest, body: NewTask, key: Key = None) -> HttpResponse:
    """Submit a sync. It starts at once when a slot is free."""
    IngestionAdapter.validate_parameters(body.parameters)

    def action() -> dict[str, Any]:
        asked = Submission(**dict(body), requested_by=caller(request).name)
        made = get_worker_pool().submit(asked)
        shown = _shown(_known(made.task_id))
        return with_old_keys({**shown, "coalesced_into": made.coalesced_into})

    return perform(request, key, action, status=201)


@router.post(
    "/submissions",
    operation_id="tasks_submit_many",
    response=documented(Batch, status=201),
    auth=OPERATE,
)
def submit_many(request: HttpRequest, body: NewTasks, key: Key = None) -> HttpResponse:
    """Submit many syncs at once. One that is wrong refuses them all; one that overlaps and asks to
    be rejected then is refused alone."""
    for new in body.tasks:
        IngestionAdapter.validate_parameters(new.parameters)

    def action() -> dict[str, Any]:
        by = caller(request).name
        asked = [Submission(**dict(new), requested_by=by) for new in body.tasks]
        found = get_worker_pool().submit_many(asked)
        return {"results": [with_old_keys(became.to_dict()) for became in found]}

    return perform(request, key, action, status=201)


@router.post(
    "/tasks/{task_id}/cancel",
    operation_id="tasks_cancel",
    response=documented(OneTask, 404, 409),
    auth=OPERATE,
)
def cancel(
    request: HttpRequest, task_id: TaskId, body: RevisionBody, key: Key = None
) -> HttpResponse:
    """Take a waiting task off the queue, ask a running one to stop."""

    def action() -> dict[str, Any]:
        before = _known(task_id)
        if not get_worker_pool().cancel_task(task_id, change=body.change(request)):
            raise Stale(f"The task has ended: it is {before.status}.", present=before.to_dict())
        return _shown(_known(task_id))

    return perform(request, key, action)


@router.post(
    "/tasks/{task_id}/retry",
    operation_id="tasks_retry",
    response=documented(OneTask, 404, 409, status=201),
    auth=OPERATE,
)
def retry(request: HttpRequest, task_id: TaskId, body: ReasonBody, key: Key = None) -> HttpResponse:
    """Submit again what a task was that has ended."""

    def action() -> dict[str, Any]:
        again = reruns.of_task(get_worker_pool(), task_id, change=body.change(request))
        return _shown(_known(again))

    return perform(request, key, action, status=201)


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
