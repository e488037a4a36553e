"""What the rules judge: recorded runs, the pool at one moment, the schedules."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from ingestion.conf import automation_conf, pool_conf
from ingestion.models import SyncHistory, SyncSchedule
from ingestion.models.run_metrics import reported_models
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.reporting.reruns import parameters_of
from ingestion.services.runs import direct

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

REMEMBERED = timedelta(days=14)
RUNS_PER_ROUTE = 30
MOST_RUNS = 20_000
COMPLETE = ("success", "partial")
FIELDS = (
    "pk",
    "crm_source",
    "sync_type",
    "status",
    "start_time",
    "end_time",
    "records_processed",
    "error_message",
    "error_class",
    "configuration",
    "performance_metrics",
    "attempt",
    "worker_pool_task_id",
)


@dataclass(frozen=True)
class Run:
    """One run that has ended."""

    history_id: int
    crm_source: str
    sync_type: str
    status: str
    started_at: datetime
    ended_at: datetime
    processed: int
    error: str
    error_class: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    requests: int = 0
    throttled: int = 0
    # Of the models that it loaded.
    model_seconds: Mapping[str, float] = field(default_factory=dict)
    # False: a task that was cancelled while it waited.
    has_run: bool = True

    @property
    def route(self) -> str:
        return f"{self.crm_source}.{self.sync_type}"

    @property
    def seconds(self) -> float:
        """Of work; to wait is none."""
        return (self.ended_at - self.started_at).total_seconds() if self.has_run else 0.0

    @property
    def is_complete(self) -> bool:
        return self.status in COMPLETE

    @property
    def has_failed(self) -> bool:
        return self.status == "failed"

    def failed_with(self, classes: Container[str], *, words: re.Pattern[str]) -> bool:
        """Whether it failed with an error of these classes. ``words`` of the sentence are looked
        for only in a run that was recorded before failures were classed."""
        if not self.has_failed:
            return False
        return self.error_class in classes if self.error_class else bool(words.search(self.error))


@dataclass(frozen=True)
class Facts:
    """``runs`` by route, the latest first. ``ceiling``: the highest limit that automation may set.
    ``dead_runs``: open rows of the ledger whose process has died."""

    now: datetime
    snapshot: PoolSnapshot
    runs: Mapping[str, Sequence[Run]] = field(default_factory=dict)
    schedules: Sequence[SyncSchedule] = ()
    dead_runs: Sequence[int] = ()
    ceiling: int = 1
    stale_minutes: float = 30.0

    def routes(self) -> Iterator[tuple[str, Sequence[Run]]]:
        """Those whose CRM is not paused, by name."""
        for route in sorted(self.runs):
            crm_source = route.partition(".")[0]
            if self.snapshot.controls.pause_of(crm_source) is None:
                yield route, self.runs[route]

    def of_crm(self) -> dict[str, list[Run]]:
        """The runs of the routes above by CRM, the latest first."""
        found: dict[str, list[Run]] = defaultdict(list)
        for route, runs in self.routes():
            found[route.partition(".")[0]].extend(runs)
        return {
            crm: sorted(runs, key=lambda r: r.ended_at, reverse=True) for crm, runs in found.items()
        }

    def since(self, runs: Sequence[Run], *, minutes: float) -> list[Run]:
        return [run for run in runs if run.ended_at > self.now - timedelta(minutes=minutes)]


def collect(pool: WorkerPoolService) -> Facts:
    """Raises PoolUnavailable."""
    dead = [row.pk for row in direct.open_rows() if direct.is_dead(row)]
    return Facts(
        now=timezone.now(),
        snapshot=pool.snapshot(queue_limit=1),
        runs=recorded_runs(),
        schedules=tuple(SyncSchedule.objects.filter(enabled=True)),
        dead_runs=dead,
        ceiling=automation_conf().max_workers,
        stale_minutes=pool_conf().stale_minutes,
    )


def recorded_runs() -> dict[str, list[Run]]:
    """The last runs of each route."""
    rows = SyncHistory.objects.filter(end_time__gt=timezone.now() - REMEMBERED)
    closed = rows.exclude(status__in=SyncHistory.OPEN_STATUSES).order_by("-end_time", "-pk")
    found: dict[str, list[Run]] = defaultdict(list)
    for values in closed.values_list(*FIELDS)[:MOST_RUNS].iterator():
        run = run_of(*values)
        if len(found[run.route]) < RUNS_PER_ROUTE:
            found[run.route].append(run)
    return dict(found)


def run_of(
    history_id: int,
    crm_source: str,
    sync_type: str,
    status: str,
    start: datetime,
    end: datetime,
    processed: int,
    error: str | None,
    error_class: str,
    configuration: Mapping[str, Any],
    metrics: Mapping[str, Any],
    attempt: int,
    task_id: str | None,
) -> Run:
    """From ``FIELDS`` of a row."""
    models = reported_models(metrics)
    return Run(
        history_id,
        crm_source,
        sync_type,
        status,
        start,
        end,
        processed,
        error or "",
        error_class,
        parameters_of(configuration),
        requests=sum(model["requests"] for model in models),
        throttled=sum(model["throttled"] for model in models),
        model_seconds={
            model["model"]: sum(model["seconds"].values()) for model in loaded_models(metrics)
        },
        has_run=attempt > 0 or task_id is None,
    )


def loaded_models(metrics: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of ``performance_metrics``: what tells of each model that was loaded."""
    for model in reported_models(metrics):
        if model["model"] and not (model.get("error") or model.get("skipped")):
            yield model
