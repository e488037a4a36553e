"""Schedules as they are answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ingestion.api.http.responses import ResponseBody, Time, one_of
from ingestion.api.schemas.runs import RunStatus
from ingestion.models import SyncSchedule


class ScheduleFields(ResponseBody):
    """A schedule as an import takes it. ``every`` and ``period`` are those of an interval, ``minute``
    to ``month_of_year`` those of a crontab; the others are left out."""

    name: str
    crm_source: str
    model_name: str
    mode: Annotated[str, one_of(SyncSchedule.Mode)]
    options: dict[str, Any]
    """Further options of the sync."""
    execution: Annotated[str, one_of(SyncSchedule.Execution)]
    priority: int
    recurrence: Annotated[str, one_of(SyncSchedule.Recurrence)]
    every: int | None = None
    period: Annotated[str, one_of(SyncSchedule.Period)] | None = None
    minute: str | None = None
    hour: str | None = None
    day_of_week: str | None = None
    day_of_month: str | None = None
    month_of_year: str | None = None
    timezone: str
    start_at: Time | None
    end_at: Time | None
    enabled: bool


class SchedulePreview(ResponseBody):
    """When it runs: in words, and its next times; none while it is switched off or after its end."""

    words: str
    next_runs: list[Time]


class ScheduleRun(ResponseBody):
    """``task_id`` is null of a direct run."""

    history_id: int
    task_id: str | None
    status: RunStatus
    started_at: Time
    ended_at: Time | None
    records_processed: int
    error_message: str | None


class Schedule(ScheduleFields, SchedulePreview):
    """A stored schedule with its next times and its last run."""

    id: int
    last_run: ScheduleRun | None
    created_by: str
    updated_by: str
    created_at: Time
    updated_at: Time


class ScheduleList(ResponseBody):
    schedules: list[Schedule]


class OneSchedule(ResponseBody):
    schedule: Schedule


class ScheduleRuns(ResponseBody):
    runs: list[ScheduleRun]


class ScheduleStarted(ResponseBody):
    """``task_id`` is null of a direct run, which a Celery worker takes."""

    task_id: str | None


class ScheduleDeleted(ResponseBody):
    """The id of the schedule that is gone."""

    deleted: int


class ScheduleFinding(ResponseBody):
    """``code`` for programs, ``sentence`` for people; ``subject`` is a CRM, a route or a schedule."""

    code: str
    subject: str
    sentence: str


class ScheduleFindings(ResponseBody):
    findings: list[ScheduleFinding]


class ScheduleExport(ResponseBody):
    """What an import takes."""

    schema_version: Literal[1] = Field(alias="schema")
    schedules: list[ScheduleFields]


class SchedulesImported(ResponseBody):
    """How many there were of each."""

    created: int
    changed: int
    unchanged: int
