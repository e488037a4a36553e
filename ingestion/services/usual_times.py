"""How long the runs of a route usually take, learned from the last ones."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion.models import SyncHistory

LEARNED_FROM = 20
KEPT_SECONDS = 60.0


@dataclass(frozen=True)
class Usual:
    """The middle half of the last runs, in seconds; ``based_on`` how many there were."""

    low_seconds: float
    high_seconds: float
    based_on: int

    def end_of(self, started_at: datetime) -> dict[str, Any]:
        """Between which times a run that began then may be expected to end."""
        return {
            "earliest": (started_at + timedelta(seconds=self.low_seconds)).isoformat(),
            "latest": (started_at + timedelta(seconds=self.high_seconds)).isoformat(),
            "based_on": self.based_on,
        }


class UsualTimes:
    """What is usual, by route; asks the ledger once a minute for each."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, Usual | None]] = {}

    def usual(self, crm_source: str, sync_type: str) -> Usual | None:
        """None while the route never ran to its end."""
        route, now = (crm_source, sync_type), self._clock()
        with self._lock:
            learned_at, known = self._kept.get(route, (None, None))
        if learned_at is not None and now - learned_at < KEPT_SECONDS:
            return known
        found = learn(crm_source, sync_type)
        with self._lock:
            self._kept[route] = (now, found)
        return found

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()


def learn(crm_source: str, sync_type: str) -> Usual | None:
    rows = SyncHistory.objects.filter(
        crm_source=crm_source,
        sync_type=sync_type,
        status__in=(SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL),
        end_time__isnull=False,
    )
    times = rows.order_by("-start_time").values_list("start_time", "end_time")[:LEARNED_FROM]
    return usual_of([(end - start).total_seconds() for start, end in times if end])


def usual_of(seconds: list[float]) -> Usual | None:
    if not seconds:
        return None
    if len(seconds) < 4:
        return Usual(min(seconds), max(seconds), len(seconds))
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Usual(round(low, 1), round(high, 1), len(seconds))


usual_times = UsualTimes()
