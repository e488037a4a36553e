"""The pool for Prometheus: one snapshot and the ledger's figures, asked again with every scrape.

Nothing is counted in this process alone: whichever web process answers, the figures are the same.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ingestion.deprecated_names import METRICS
from ingestion.pool.errors import LedgerUnavailable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.pool.waits import ReasonCode
from ingestion.services.reporting.route_figures import Histogram, LedgerFigures, Route, RouteFigures
from ingestion.services.waiting.wait_reasons import line_reason

logger = logging.getLogger(__name__)

# The waiting tasks that are looked at one by one; the counts are of all.
QUEUE_LIMIT = 200
ROUTE = ("crm", "type")
WAIT = ("crm", "reason")
Routes = Sequence[tuple[Route, RouteFigures]]


class Figure(NamedTuple):
    """A gauge without labels."""

    name: str
    help: str
    value: float | None


class PoolCollector(Collector):
    """What one snapshot and the figures of the routes say; ``figures`` None: the ledger is away."""

    def __init__(
        self, snapshot: PoolSnapshot, figures: Mapping[Route, RouteFigures] | None
    ) -> None:
        self._snapshot = snapshot
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        for metric in self._metrics():
            yield metric
            if metric.name in METRICS:
                yield _under_old_name(metric, METRICS[metric.name])

    def _metrics(self) -> Iterable[Metric]:
        yield from _gauges(self._snapshot)
        yield from _tasks(self._snapshot)
        yield _events(self._snapshot)
        if self._figures is not None:
            yield from _routes(self._figures)


def _under_old_name(metric: Metric, name: str) -> Metric:
    old = Metric(name, metric.documentation, metric.type)
    old.samples = [sample._replace(name=name) for sample in metric.samples]
    return old


def exposition(snapshot: PoolSnapshot, figures: LedgerFigures) -> bytes:
    """The text that Prometheus reads. Without the ledger what the store knows is told all the same."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(PoolCollector(snapshot, _read(figures)))
    return generate_latest(registry)


def _read(figures: LedgerFigures) -> Mapping[Route, RouteFigures] | None:
    try:
        return figures.read()
    except LedgerUnavailable:
        logger.warning("metrics without the ledger's figures", exc_info=True)
        return None


def _gauges(snapshot: PoolSnapshot) -> Iterator[Metric]:
    for name, text, value in _figures(snapshot):
        if value is not None:
            yield GaugeMetricFamily(f"worker_pool_{name}", text, value=value)


def _figures(snapshot: PoolSnapshot) -> Iterator[Figure]:
    online = sum(worker.is_online for worker in snapshot.workers)
    yield Figure("max_workers", "The limit of running tasks.", snapshot.limit.max_workers)
    yield Figure(
        "usable_slots", "Of them, those that online workers can use.", snapshot.effective_limit
    )
    yield Figure("free_slots", "Slots that nobody has.", snapshot.available_workers)
    yield Figure("workers_online", "Celery workers that gave a sign of life.", online)
    yield Figure(
        "oldest_wait_seconds", "Waited so far by the oldest queued task.", _oldest(snapshot)
    )
    yield Figure(
        "monitor_age_seconds", "Since the last round of repairs.", snapshot.monitor_age_seconds
    )
    yield Figure("degraded", "1 while Redis or the ledger cannot be used.", int(snapshot.degraded))
    yield Figure(
        "paused", "1 while the whole pool is paused.", int(snapshot.controls.pause is not None)
    )
    yield Figure(
        "dead_letter_entries", "Entries that could not be read.", len(snapshot.dead_letters)
    )


def _oldest(snapshot: PoolSnapshot) -> float:
    if snapshot.oldest_queued_at is None:
        return 0.0
    return (snapshot.taken_at - snapshot.oldest_queued_at).total_seconds()


def _tasks(snapshot: PoolSnapshot) -> Iterator[Metric]:
    yield _active(snapshot)
    yield _direct_runs(snapshot)
    yield _longest(snapshot)
    yield _waiting(snapshot)
    yield _starts(snapshot)
    yield _crm_limits(snapshot)
    yield _crm_pauses(snapshot)


def _active(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily("worker_pool_active_tasks", "Who holds the slots.", labels=ROUTE)
    for route, count in sorted(Counter(_route(task) for task in snapshot.active).items()):
        found.add_metric(route, count)
    return found


def _direct_runs(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily(
        "worker_pool_direct_runs", "Syncs outside the pool and its limit.", labels=(*ROUTE, "by")
    )
    runs = Counter((run.crm_source, run.sync_type, run.execution) for run in snapshot.direct)
    for labels, count in sorted(runs.items()):
        found.add_metric(labels, count)
    return found


def _longest(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily(
        "worker_pool_longest_running_seconds", "Of the tasks of a route that run.", labels=ROUTE
    )
    longest: dict[Route, float] = {}
    for task in reversed(snapshot.active):  # the longest running one comes first
        started_at = task.started_at or snapshot.taken_at
        longest[_route(task)] = (snapshot.taken_at - started_at).total_seconds()
    for route, seconds in sorted(longest.items()):
        found.add_metric(route, seconds)
    return found


def _route(task: WorkerTask) -> Route:
    return task.crm_source, task.sync_type


def _waiting(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily(
        "worker_pool_waiting_tasks", "Tasks that wait, and what for.", labels=WAIT
    )
    shown = Counter((task.crm_source, code) for task, code in _codes(snapshot))
    for (crm_source, code), count in sorted((shown + _unseen(snapshot)).items()):
        found.add_metric((crm_source, code), count)
    return found


def _codes(snapshot: PoolSnapshot) -> Iterator[tuple[WorkerTask, str]]:
    for found in snapshot.waits.values():
        yield found.task, found.reason.code.value


def _unseen(snapshot: PoolSnapshot) -> Counter[tuple[str, str]]:
    """The tasks beyond those that the snapshot shows. In the line a CRM's tasks share one reason;
    of held and delayed ones beyond the first hundreds only the number is known."""
    seen = Counter(task.crm_source for task in snapshot.queued)
    rest: Counter[str] = Counter(snapshot.queued_by_crm) - seen
    found = Counter({(crm, line_reason(snapshot, crm).code.value): n for crm, n in rest.items()})
    found["", ReasonCode.NOT_BEFORE.value] = snapshot.delayed_count - len(snapshot.delayed)
    found["", ReasonCode.HELD.value] = snapshot.held_count - len(snapshot.held)
    return +found


def _starts(snapshot: PoolSnapshot) -> Metric:
    """Of the first task that waits for each reason."""
    found = GaugeMetricFamily(
        "worker_pool_next_start_seconds",
        "Until the next waiting task of a CRM starts, earliest and latest.",
        labels=(*WAIT, "bound"),
    )
    told: set[tuple[str, str]] = set()
    for task, code in _codes(snapshot):
        start = snapshot.waits[task.id].start
        if start is None or (task.crm_source, code) in told:
            continue
        told.add((task.crm_source, code))
        for bound, when in (("earliest", start.earliest), ("latest", start.latest)):
            seconds = (when - snapshot.taken_at).total_seconds()
            found.add_metric((task.crm_source, code, bound), seconds)
    return found


def _crm_limits(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily("worker_pool_crm_limit", "Limits of single CRMs.", labels=("crm",))
    for crm_source, limit in snapshot.controls.crm_limits.items():
        found.add_metric((crm_source,), limit.value)
    return found


def _crm_pauses(snapshot: PoolSnapshot) -> Metric:
    found = GaugeMetricFamily("worker_pool_crm_paused", "1 for a paused CRM.", labels=("crm",))
    for crm_source in snapshot.controls.crm_pauses:
        found.add_metric((crm_source,), 1)
    return found


def _events(snapshot: PoolSnapshot) -> Metric:
    found = CounterMetricFamily(
        "worker_pool_events",
        "What the store counts: started, completed, lost ...",
        labels=("event",),
    )
    for event, count in sorted(snapshot.counters.items()):
        found.add_metric((event,), count)
    return found


def _routes(figures: Mapping[Route, RouteFigures]) -> Iterator[Metric]:
    routes = sorted(figures.items())
    yield _runs(routes)
    yield _attempts(routes)
    yield _rows(routes)
    yield _last_success(routes)
    yield _histogram("wait_seconds", "From submission to start.", ((r, f.waits) for r, f in routes))
    yield _histogram("run_seconds", "From start to end.", ((r, f.runs) for r, f in routes))


def _runs(routes: Routes) -> Metric:
    found = CounterMetricFamily(
        "worker_pool_runs", "Runs of this month by their end.", labels=(*ROUTE, "outcome")
    )
    for route, figures in routes:
        for outcome, count in sorted(figures.outcomes.items()):
            found.add_metric((*route, outcome), count)
    return found


def _attempts(routes: Routes) -> Metric:
    found = CounterMetricFamily(
        "worker_pool_attempts", "Attempts of the runs of this month.", labels=ROUTE
    )
    for route, figures in routes:
        if figures.outcomes:
            found.add_metric(route, figures.attempts)
    return found


def _rows(routes: Routes) -> Metric:
    found = CounterMetricFamily(
        "worker_pool_rows", "Rows of the runs of this month.", labels=(*ROUTE, "kind")
    )
    for route, figures in routes:
        for kind, count in sorted(figures.rows.items()):
            found.add_metric((*route, kind), count)
    return found


def _last_success(routes: Routes) -> Metric:
    found = GaugeMetricFamily(
        "worker_pool_last_success_timestamp_seconds",
        "When the last successful run of a route ended.",
        labels=ROUTE,
    )
    for route, figures in routes:
        if figures.last_success_at:
            found.add_metric(route, figures.last_success_at.timestamp())
    return found


def _histogram(name: str, text: str, found: Iterable[tuple[Route, Histogram]]) -> Metric:
    family = HistogramMetricFamily(f"worker_pool_{name}", f"{text} This month.", labels=ROUTE)
    for route, histogram in found:
        if any(histogram.counts):
            family.add_metric(route, histogram.cumulative(), histogram.total_seconds)
    return family
