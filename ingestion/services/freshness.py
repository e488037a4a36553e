"""How fresh every dataset of the warehouse is, told from the history."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.routing import ALL
from ingestion.services.shared_answers import Answer, SharedAnswers, answer, as_json
from ingestion.sync.common.registry import crms

KEPT_SECONDS = 10.0
# So many runs of each CRM are looked at; a model that none of them loaded is looked up alone.
LOOKED_AT = 200
# A dataset is as old as its usual interval, and half as much again, before it ages.
LATE, STALE = 1.5, 3.0
# Nobody syncs it regularly yet: then a day is fresh, and a week is stale.
DEFAULT_INTERVAL_SECONDS = 16 * 3600.0
RIGHT = frozenset({SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL})

shared = SharedAnswers(KEPT_SECONDS)


class Freshness(StrEnum):
    FRESH = "fresh"
    AGING = "aging"
    STALE = "stale"
    NEVER = "never"


@dataclass(frozen=True)
class Load:
    """What one run did for one model."""

    ended_at: datetime
    status: str
    rows: int
    history_id: int

    @property
    def is_right(self) -> bool:
        return self.status in RIGHT


@dataclass(frozen=True)
class Dataset:
    """One model's table, by its loads, the latest first."""

    crm_source: str
    crm_title: str
    model: str
    loads: tuple[Load, ...]

    @property
    def last_success(self) -> Load | None:
        return next((load for load in self.loads if load.is_right), None)

    @property
    def usual_interval_seconds(self) -> float | None:
        """Between two successes, in the middle of the last ones; None before there are three."""
        ends = [load.ended_at for load in self.loads if load.is_right][:LOOKED_AT]
        gaps = [(a - b).total_seconds() for a, b in pairwise(ends)]
        return round(statistics.median(gaps), 1) if len(gaps) >= 2 else None

    def freshness(self, now: datetime) -> Freshness:
        success = self.last_success
        if success is None:
            return Freshness.NEVER
        interval = max(self.usual_interval_seconds or DEFAULT_INTERVAL_SECONDS, 60.0)
        age = now - success.ended_at
        if age <= timedelta(seconds=interval * LATE):
            return Freshness.FRESH
        return Freshness.AGING if age <= timedelta(seconds=interval * STALE) else Freshness.STALE

    def to_dict(self, now: datetime) -> dict[str, Any]:
        success, last = self.last_success, self.loads[0] if self.loads else None
        return {
            "crm_source": self.crm_source,
            "crm_title": self.crm_title,
            "model": self.model,
            "freshness": str(self.freshness(now)),
            "last_success_at": success.ended_at.isoformat() if success else None,
            "last_rows": success.rows if success else None,
            "last_status": last.status if last else None,
            "last_run_at": last.ended_at.isoformat() if last else None,
            "usual_interval_seconds": self.usual_interval_seconds,
        }


def freshness() -> Answer:
    """Every dataset of every CRM. Raises DatabaseError."""
    return shared.get("datasets", _made)


def _made() -> Answer:
    now = timezone.now()
    found = [dataset.to_dict(now) for dataset in datasets()]
    counts = {str(word): 0 for word in Freshness}
    for dataset in found:
        counts[dataset["freshness"]] += 1
    content = {"counts": counts, "datasets": found}
    whole = {"schema": 1, "taken_at": now.isoformat(), **content}
    return answer(as_json(whole), steady=content, taken_at=now)


def datasets(crm_source: str | None = None) -> Iterator[Dataset]:
    """Of one CRM, or of all, in the order of their tables."""
    for name, found in crms().items():
        if crm_source in (None, name):
            loads = loads_of(name)
            for model in found.models:
                own = tuple(loads.get(model.name) or _older(name, model.name))
                yield Dataset(name, found.title, model.name, own)


def loads_of(crm_source: str) -> dict[str, list[Load]]:
    """What the last runs of a CRM loaded, by model, the latest first."""
    found: dict[str, list[Load]] = defaultdict(list)
    for row in _ended(crm_source)[:LOOKED_AT]:
        for model, load in _loads(row):
            found[model].append(load)
    return found


def _older(crm_source: str, model: str) -> Iterable[Load]:
    rows = _ended(crm_source).filter(sync_type=model)[:3]
    return [load for row in rows for name, load in _loads(row) if name == model]


def _ended(crm_source: str) -> Any:
    statuses = [*RIGHT, SyncHistory.Status.FAILED]
    return SyncHistory.objects.filter(
        crm_source=crm_source, status__in=statuses, end_time__isnull=False
    ).order_by("-end_time")


def _loads(row: SyncHistory) -> Iterator[tuple[str, Load]]:
    """A run of all models tells of each what became of it; one that tells nothing was of one."""
    if row.end_time is None or _is_dry(row):
        return
    told = row.performance_metrics.get("models") or []
    for model in told:
        if not model.get("skipped"):
            yield str(model["model"]), _load(row, row.end_time, model)
    if not told and row.sync_type != ALL:
        rows = row.records_processed
        yield row.sync_type, Load(row.end_time, row.status, rows, row.pk)


def _is_dry(row: SyncHistory) -> bool:
    """It wrote nothing."""
    asked = row.configuration
    return bool(asked.get("dry_run") or (asked.get("parameters") or {}).get("dry_run"))


def _load(row: SyncHistory, ended_at: datetime, model: dict[str, Any]) -> Load:
    if model.get("error"):
        status = str(SyncHistory.Status.FAILED)
    elif model.get("warning"):
        status = str(SyncHistory.Status.PARTIAL)
    else:
        status = str(SyncHistory.Status.SUCCESS)
    return Load(ended_at, status, int(model.get("processed") or 0), row.pk)
