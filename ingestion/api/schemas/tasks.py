"""A task of the pool."""

from __future__ import annotations

from typing import Annotated, Any

from ingestion.api.http.responses import Counts, ResponseBody, Time, one_of
from ingestion.api.schemas.runs import ModelRun
from ingestion.api.schemas.waits import Wait
from ingestion.models import SyncHistory
from ingestion.pool.task import TaskStatus


class TaskMetrics(ResponseBody):
    models: list[ModelRun]


class TaskResult(ResponseBody):
    """Empty until an attempt has ended. ``counts`` are records: processed, created, updated,
    deleted, failed. ``error_class`` only of one that failed."""

    status: Annotated[str, one_of(SyncHistory.Status)] | None = None
    counts: Counts | None = None
    warning: str | None = None
    metrics: TaskMetrics | None = None
    error_class: str | None = None


class Task(ResponseBody):
    """One request to run one sync."""

    id: str
    task_name: str
    """The Celery task's."""
    crm_source: str
    sync_type: str
    parameters: dict[str, Any]
    """The options of the sync."""
    status: Annotated[str, one_of(TaskStatus)]
    priority: int
    """The higher the sooner."""
    queued_at: Time
    started_at: Time | None
    completed_at: Time | None
    celery_task_id: str | None
    error_message: str | None
    last_heartbeat: Time | None
    attempt: int
    """Counts from 1 with the first start; 0 before."""
    max_attempts: int
    worker: str | None
    confirmed_at: Time | None
    """When a worker took this attempt."""
    lease_expires_at: Time | None
    cancel_requested_at: Time | None
    not_before: Time | None
    progress: dict[str, str | int | float | bool | None]
    """model, step, rows of the step, total_rows."""
    result: TaskResult
    requested_by: str
    sync_history_id: int | None
    revision: int
    """Rises with each change; ``expected_revision`` of a change is held against it."""
    held_at: Time | None
    held_by: str
    held_reason: str
    front_score: int | None
    """Set when the task was moved to the front."""
    after: dict[str, str]
    """The tasks that must complete before it may start, id to route."""
    followers: dict[str, str]
    """The tasks that waited for it, id to route."""


class ListedTask(Task):
    """A task with its ``route``: ``hubspot.deals``."""

    route: str


class WaitingTask(Task):
    """A queued task, its place in the line and why it waits; null where that was not asked."""

    position: int | None
    wait: Wait | None
