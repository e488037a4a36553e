"""What the ledger counts by route, for metrics: outcomes, attempts, rows, waits, run times.

The counts start again with every month (UTC): every process then counts the same rows, and never
more than a month of them. Each row is read once per process.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from ingestion.models import SyncHistory
from ingestion.pool.clock import from_us
from ingestion.pool.task import utc_now
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.routing import routes

# Seconds; a sync takes from moments to hours.
BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
# A row may become visible so long after the end that it names.
OVERLAP = timedelta(minutes=10)
KINDS = ("processed", "created", "updated", "deleted", "failed")

Route = tuple[str, str]


@dataclass
class Histogram:
    """``counts`` by bucket, the last one for what is above all."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total_seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total_seconds += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus wants it: (upper bound, how many are not above it)."""
        bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


@dataclass
class RouteFigures:
    """Of one route. ``waits`` and ``runs`` are of those that a worker took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    last_success_at: datetime | None = None
    waits: Histogram = field(default_factory=Histogram)
    runs: Histogram = field(default_factory=Histogram)

    def add(self, ended: Ended) -> None:
        self.outcomes[ended.status] += 1
        self.rows.update(dict(zip(KINDS, ended.rows, strict=True)))
        self.attempts += ended.attempt if ended.is_of_pool else 1
        if ended.status == SyncHistory.Status.SUCCESS:
            self.last_success_at = max(self.last_success_at or ended.end_time, ended.end_time)
        if ended.attempt or not ended.is_of_pool:
            self.runs.add(max(0.0, (ended.end_time - ended.start_time).total_seconds()))
        if ended.attempt and ended.queued_us is not None:
            waited = ended.start_time - from_us(ended.queued_us)
            self.waits.add(max(0.0, waited.total_seconds()))


class Ended(NamedTuple):
    """What is read of a row that has ended."""

    pk: int
    crm_source: str
    sync_type: str
    status: str
    start_time: datetime
    end_time: datetime
    queued_us: int | None
    attempt: int
    task_id: str | None
    rows: tuple[int, ...]

    @property
    def is_of_pool(self) -> bool:
        return self.task_id is not None


ALONE = (
    "pk",
    "crm_source",
    "sync_type",
    "status",
    "start_time",
    "end_time",
    "queued_us",
    "attempt",
    "worker_pool_task_id",
)
COLUMNS = (*ALONE, *(f"records_{kind}" for kind in KINDS))


def ended_after(moment: datetime) -> Iterable[Ended]:
    """Rows that have ended since. Raises LedgerUnavailable."""
    found = SyncHistory.objects.filter(end_time__gte=moment)
    with as_unavailable():
        for row in found.order_by().values_list(*COLUMNS).iterator(chunk_size=2000):
            yield Ended._make((*row[: len(ALONE)], row[len(ALONE) :]))


def last_success_before(moment: datetime, route: Route) -> datetime | None:
    """When the latest successful run ended that began before. Raises LedgerUnavailable."""
    crm_source, sync_type = route
    found = SyncHistory.objects.filter(
        crm_source=crm_source,
        sync_type=sync_type,
        status=SyncHistory.Status.SUCCESS,
        start_time__lt=moment,
    )
    with as_unavailable():
        return found.order_by("-start_time").values_list("end_time", flat=True).first()


class LedgerFigures:
    """The figures of this month, read on as rows end. One per process, for several threads."""

    def __init__(self, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: datetime | None = None
        self._read_until = clock()
        self._routes: dict[Route, RouteFigures] = {}
        self._recent: dict[int, datetime] = {}

    def read(self) -> Mapping[Route, RouteFigures]:
        """Those of every known route. Raises LedgerUnavailable."""
        month = self._clock().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        with self._lock:
            if month != self._since:
                self._begin(month)
            for ended in ended_after(max(month, self._read_until - OVERLAP)):
                self._add(ended)
            self._forget_old()
            return dict(self._routes)

    def _begin(self, month: datetime) -> None:
        self._routes = {
            route: RouteFigures(last_success_at=last_success_before(month, route))
            for route in routes()
        }
        self._since = self._read_until = month
        self._recent = {}

    def _add(self, ended: Ended) -> None:
        if ended.pk in self._recent:
            return
        self._recent[ended.pk] = ended.end_time
        self._read_until = max(self._read_until, ended.end_time)
        self._routes.setdefault((ended.crm_source, ended.sync_type), RouteFigures()).add(ended)

    def _forget_old(self) -> None:
        oldest = self._read_until - OVERLAP
        self._recent = {pk: end for pk, end in self._recent.items() if end >= oldest}
