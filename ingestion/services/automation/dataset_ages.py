"""How old every dataset was at the end of a report's period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any

from django.db.models import QuerySet

from ingestion.models import SyncHistory
from ingestion.services.automation.facts import loaded_models
from ingestion.services.requests.routing import ALL

COMPLETE = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL)
# Most routes' last run is complete: so many rows at once are enough to find one.
ROWS_AT_ONCE = 20


def freshness(end: datetime) -> list[dict[str, Any]]:
    """When each dataset was last loaded completely, by a run of its own or of all: first those that
    never were though they were tried, then the oldest. Reads a few rows of each route, however long
    the history is."""
    last: dict[str, datetime | None] = {}
    for crm_source in _each_of(SyncHistory.objects.all(), "crm_source"):
        runs = SyncHistory.objects.filter(crm_source=crm_source)
        for sync_type in _each_of(runs, "sync_type"):
            of_route = runs.filter(sync_type=sync_type, end_time__lt=end)
            for dataset, at in _loaded(of_route, crm_source, sync_type):
                before = last.get(dataset)
                last[dataset] = max(at, before) if at and before else at or before
    never = sorted(dataset for dataset, at in last.items() if at is None)
    loaded = sorted((at, dataset) for dataset, at in last.items() if at is not None)
    return [
        *({"route": dataset, "loaded_at": None, "age_seconds": None} for dataset in never),
        *(_age(dataset, at, end) for at, dataset in loaded),
    ]


def _age(dataset: str, at: datetime, end: datetime) -> dict[str, Any]:
    seconds = round((end - at).total_seconds())
    return {"route": dataset, "loaded_at": at.isoformat(), "age_seconds": seconds}


def _each_of(rows: QuerySet[SyncHistory], column: str) -> Iterator[str]:
    """The values of an indexed column, each by one look into the index: DISTINCT reads all of it."""
    ordered = rows.order_by(column).values_list(column, flat=True)
    value = ordered.first()
    while value is not None:
        yield value
        value = ordered.filter(**{f"{column}__gt": value}).first()


def _loaded(
    rows: QuerySet[SyncHistory], crm_source: str, sync_type: str
) -> Iterator[tuple[str, datetime | None]]:
    """The datasets of a route, by its last complete run; a run of all tells of every model."""
    found = _last_complete(rows)
    if sync_type != ALL:
        if found is not None or rows.exclude(status__in=SyncHistory.OPEN_STATUSES).exists():
            yield f"{crm_source}.{sync_type}", found and found[0]
    elif found is not None:
        for model in loaded_models(found[1]):
            yield f"{crm_source}.{model['model']}", found[0]


def _last_complete(rows: QuerySet[SyncHistory]) -> tuple[datetime, dict[str, Any]] | None:
    """When it ended, and its metrics. A dry run has loaded nothing."""
    complete = rows.filter(status__in=COMPLETE).order_by("-end_time", "-pk")
    columns = ("end_time", "performance_metrics", "configuration")
    for start in count(step=ROWS_AT_ONCE):
        page = list(complete.values_list(*columns)[start : start + ROWS_AT_ONCE])
        for end_time, metrics, configuration in page:
            if not _is_dry(configuration):
                return end_time, metrics
        if len(page) < ROWS_AT_ONCE:
            break
    return None


def _is_dry(configuration: Any) -> bool:
    """A row that does not say counts as a real run."""
    if not isinstance(configuration, dict):
        return False
    parameters = configuration.get("parameters")
    of_task = parameters.get("dry_run") if isinstance(parameters, dict) else None
    return configuration.get("dry_run") is True or of_task is True
