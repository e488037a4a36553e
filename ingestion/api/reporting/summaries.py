"""A task as a list shows it: short, whatever its parameters hold."""

from __future__ import annotations

from typing import Annotated

from ingestion.api.http.responses import ResponseBody, Time, one_of
from ingestion.api.schemas.waits import StartRange
from ingestion.pool.task import TaskStatus
from ingestion.pool.waits import ReasonCode


class TaskSummary(ResponseBody):
    """Long texts are cut and end with an ellipsis."""

    id: str
    route: str
    crm_source: str
    sync_type: str
    status: Annotated[str, one_of(TaskStatus)]
    priority: int
    queued_at: Time
    not_before: Time | None
    attempt: int
    max_attempts: int
    requested_by: str
    revision: int
    sync_history_id: int | None
    cancel_requested_at: Time | None
    parameters_text: str
    """JSON, for people; empty without parameters."""


class RunningSummary(TaskSummary):
    """``rows`` so far, ``rows_per_second`` and ``expected_end`` are null while they are unknown."""

    started_at: Time | None
    confirmed_at: Time | None
    worker: str | None
    last_heartbeat: Time | None
    progress: dict[str, str | int | float | bool | None]
    rows: int | None
    rows_per_second: float | None
    expected_end: StartRange | None


class WaitSummary(ResponseBody):
    """``sentence`` is for people; ``holders`` are ids of tasks that occupy slots, the first five."""

    code: Annotated[str, one_of(ReasonCode)]
    sentence: str
    holders: list[str]
    since: Time | None
    by: str
    until: Time | None
    start: StartRange | None


class WaitingSummary(TaskSummary):
    """``wait`` is null far back in a long queue. The last three fields are those of a held task
    alone."""

    position: int | None
    wait: WaitSummary | None
    held_at: Time | None = None
    held_by: str | None = None
    held_reason: str | None = None
