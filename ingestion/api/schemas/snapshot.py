"""The figures of the pool at one moment, which the status and the dashboard share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ingestion.api.http.responses import Counts, ResponseBody, Time, one_of
from ingestion.api.schemas.controls import Controls, LimitOrigin


class DirectRun(ResponseBody):
    """A sync outside the pool: ``direct`` by a schedule, ``shell`` from a command line. ``holder``:
    host and process id."""

    history_id: int
    crm_source: str
    sync_type: str
    execution: str
    started_at: Time
    schedule_id: int | None
    holder: str


class Worker(ResponseBody):
    """A Celery worker; ``capacity`` is how many tasks it runs at once. ``is_leaving``: it takes no
    more syncs, drained or being shut down. ``release``: the version that it runs, empty where it
    does not say."""

    name: str
    last_seen_at: Time
    capacity: int
    is_online: bool
    is_leaving: bool
    release: str


class Host(ResponseBody):
    """The workers of one host together. ``capacity``: the processes of those online."""

    name: str
    workers_online: int
    workers_leaving: int
    capacity: int
    running: int
    releases: list[str]
    last_seen_at: Time


class MonitorAge(ResponseBody):
    """Null while no round of the monitor was ever seen."""

    last_round_at: Time | None
    age_seconds: float | None


class BeatAge(ResponseBody):
    """Null while beat has never sent anything."""

    last_tick_at: Time | None
    age_seconds: float | None


class PoolFigures(ResponseBody):
    """Limits, counts, workers and clocks."""

    schema_version: Literal[1] = Field(alias="schema")
    taken_at: Time
    state: Annotated[
        str, one_of(("degraded", "unknown", "paused", "available", "overloaded", "busy"))
    ]
    max_workers: int
    effective_limit: int
    """``max_workers``, or less while fewer workers are online."""
    limit: LimitOrigin
    controls: Controls
    active_count: int
    direct_count: int
    queued_count: int
    delayed_count: int
    held_count: int
    queued_by_crm: Counts
    available_workers: int
    utilization: float
    """Percent of the slots in use; more than 100 after the limit was lowered."""
    oldest_queued_at: Time | None
    direct: list[DirectRun]
    workers: list[Worker]
    hosts: list[Host]
    counters: Counts
    """Since the pool began; those that are 0 are left out."""
    monitor: MonitorAge
    beat: BeatAge
    dead_letters: dict[str, str]
    """Stored entries that cannot be read, by task id."""
    degraded: bool
    degraded_since: Time | None
    degraded_reason: str
    warnings: list[str]
    """Sentences about settings of the process that answers which differ from what is in force."""
    sandboxed_crms: list[str]
    """CRMs that the sandbox serves: what they load is made up."""
