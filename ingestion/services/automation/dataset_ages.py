"""How old every dataset was at the end of a report's period."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Max, Q, QuerySet

from ingestion.models import SyncHistory
from ingestion.services.automation.facts import loaded_models
from ingestion.services.requests.routing import ALL

COMPLETE = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL)
DRY = Q(configuration__dry_run=True) | Q(configuration__parameters__dry_run=True)


def freshness(end: datetime) -> list[dict[str, Any]]:
    """When each dataset was last loaded completely, by a run of its own or of all: first those that
    never were though they were tried, then the oldest."""
    last: dict[str, datetime | None] = dict.fromkeys(sorted(_tried(end)))
    for dataset, at in (*_single(end), *_of_all(end)):
        before = last.get(dataset)
        last[dataset] = max(at, before) if before else at
    never = [dataset for dataset, at in last.items() if at is None]
    loaded = sorted((at, dataset) for dataset, at in last.items() if at is not None)
    return [
        *({"route": dataset, "loaded_at": None, "age_seconds": None} for dataset in never),
        *(_age(dataset, at, end) for at, dataset in loaded),
    ]


def _age(dataset: str, at: datetime, end: datetime) -> dict[str, Any]:
    seconds = round((end - at).total_seconds())
    return {"route": dataset, "loaded_at": at.isoformat(), "age_seconds": seconds}


def _tried(end: datetime) -> Iterator[str]:
    """Datasets that had a run of their own."""
    rows = SyncHistory.objects.filter(end_time__lt=end).exclude(sync_type=ALL).order_by()
    closed = rows.exclude(status__in=SyncHistory.OPEN_STATUSES)
    for crm_source, sync_type in closed.values_list("crm_source", "sync_type").distinct():
        yield f"{crm_source}.{sync_type}"


def _complete(end: datetime) -> QuerySet[SyncHistory]:
    rows = SyncHistory.objects.filter(status__in=COMPLETE, end_time__lt=end)
    # Not by exclude(DRY): a row that does not say counts as a real run.
    return rows.exclude(pk__in=rows.filter(DRY).values("pk")).order_by()


def _single(end: datetime) -> Iterator[tuple[str, datetime]]:
    rows = _complete(end).exclude(sync_type=ALL)
    for crm_source, sync_type, at in rows.values_list("crm_source", "sync_type").annotate(
        Max("end_time")
    ):
        yield f"{crm_source}.{sync_type}", at


def _of_all(end: datetime) -> Iterator[tuple[str, datetime]]:
    """By the latest run of all models of each CRM; its row tells of every model."""
    rows = _complete(end).filter(sync_type=ALL)
    for crm_source in rows.values_list("crm_source", flat=True).distinct():
        row = rows.filter(crm_source=crm_source).order_by("-end_time", "-pk").first()
        if row is None or row.end_time is None:
            continue
        for model in loaded_models(row.performance_metrics):
            yield f"{crm_source}.{model['model']}", row.end_time
