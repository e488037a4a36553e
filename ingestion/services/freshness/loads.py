"""What the recorded runs of a CRM loaded, model by model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.models import SyncHistory
from ingestion.models.run_metrics import reported_models
from ingestion.services.requests.routing import ALL

# So many runs of each CRM are looked at; a model that none of them loaded is looked up alone.
LOOKED_AT = 200
RIGHT = frozenset({SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL})


@dataclass(frozen=True)
class Load:
    """What one run did for one model. ``error``: why it failed, empty otherwise."""

    ended_at: datetime
    status: str
    rows: int
    history_id: int
    error: str = ""

    @property
    def is_right(self) -> bool:
        return self.status in RIGHT


def loads_of(crm_source: str) -> dict[str, list[Load]]:
    """What the last runs of a CRM loaded, by model, the latest first."""
    found: dict[str, list[Load]] = defaultdict(list)
    for row in _ended(crm_source)[:LOOKED_AT]:
        for model, load in _loads(row):
            found[model].append(load)
    return found


def older_loads_of(crm_source: str, model: str) -> Sequence[Load]:
    """Of a model's own runs, however many runs of others came after them."""
    rows = _ended(crm_source).filter(sync_type=model)[:3]
    return [load for row in rows for name, load in _loads(row) if name == model]


def _ended(crm_source: str) -> Any:
    statuses = [*RIGHT, SyncHistory.Status.FAILED]
    return SyncHistory.objects.filter(
        crm_source=crm_source, status__in=statuses, end_time__isnull=False
    ).order_by("-end_time")


def _loads(row: SyncHistory) -> Iterator[tuple[str, Load]]:
    """A run of all models reports what became of each; one that reports nothing was of one."""
    if row.end_time is None or _is_dry(row):
        return
    reported = [model for model in reported_models(row.performance_metrics) if model["model"]]
    for model in reported:
        if not model.get("skipped"):
            yield model["model"], _load(row, row.end_time, model)
    if not reported and row.sync_type != ALL:
        error = row.error_message or ""
        yield (
            row.sync_type,
            Load(row.end_time, row.status, row.records_processed, row.pk, error),
        )


def _is_dry(row: SyncHistory) -> bool:
    """It wrote nothing."""
    asked = row.configuration
    return bool(asked.get("dry_run") or (asked.get("parameters") or {}).get("dry_run"))


def _load(row: SyncHistory, ended_at: datetime, model: dict[str, Any]) -> Load:
    error = str(model.get("error") or "")
    if error:
        status = str(SyncHistory.Status.FAILED)
    elif model.get("warning"):
        status = str(SyncHistory.Status.PARTIAL)
    else:
        status = str(SyncHistory.Status.SUCCESS)
    return Load(ended_at, status, model["processed"], row.pk, error)
