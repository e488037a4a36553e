"""A CRM at a glance: whether it is set up, and how the last loads of each of its models went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from ingestion.conf import crm_environment
from ingestion.services.freshness.datasets import Dataset, datasets, promise_to_dict
from ingestion.sync.common.registry import crm, crms
from ingestion.sync.common.source import Crm, Model

TREND_LOADS = 20
TIMES = ("last_success_at", "due_at", "late_since")


@dataclass(frozen=True)
class ModelOverview:
    """``trend``: rows of the last loads, the oldest first. ``last_run_id``: the latest run's row
    in the history, however it ended."""

    name: str
    is_routed: bool
    reads: str
    note: str
    freshness: str
    last_success_at: datetime | None
    last_rows: int | None
    last_status: str | None
    last_run_id: int | None
    usual_interval_seconds: float | None
    promise: dict[str, Any] | None
    due_at: datetime | None
    late_since: datetime | None
    trend: tuple[int, ...]


@dataclass(frozen=True)
class CrmOverview:
    """``missing``: the required settings that have no value."""

    name: str
    title: str
    sync_types: tuple[str, ...]
    missing: tuple[str, ...]
    models: tuple[ModelOverview, ...]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many models are fresh, aging, stale, never loaded, without a promise; those that are
        any."""
        return dict(Counter(model.freshness for model in self.models))

    @property
    def last_success_at(self) -> datetime | None:
        return max((m.last_success_at for m in self.models if m.last_success_at), default=None)

    def to_dict(self) -> dict[str, Any]:
        models = [
            {
                **asdict(m),
                **{name: _iso(getattr(m, name)) for name in TIMES},
                "trend": list(m.trend),
            }
            for m in self.models
        ]
        return {
            "name": self.name,
            "title": self.title,
            "sync_types": list(self.sync_types),
            "missing": list(self.missing),
            "last_success_at": _iso(self.last_success_at),
            "counts": self.counts,
            "models": models,
        }


def overview(name: str) -> CrmOverview:
    """Raises LookupError for a CRM that there is not."""
    found, now = crm(name), timezone.now()
    models = zip(found.models, datasets(found.name), strict=True)
    return CrmOverview(
        name=found.name,
        title=found.title,
        sync_types=found.sync_types,
        missing=_missing(found, crm_environment()),
        models=tuple(_model(found, model, dataset, now) for model, dataset in models),
    )


def overviews() -> list[CrmOverview]:
    return [overview(name) for name in crms()]


def _missing(found: Crm, environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(s.name for s in found.settings if s.required and not environment.get(s.name))


def _model(found: Crm, model: Model, dataset: Dataset, now: datetime) -> ModelOverview:
    success, last = dataset.last_success, dataset.loads[0] if dataset.loads else None
    return ModelOverview(
        name=model.name,
        is_routed=found.routed,
        reads=_reads(model),
        note=model.note,
        freshness=str(dataset.freshness(now)),
        last_success_at=success.ended_at if success else None,
        last_rows=success.rows if success else None,
        last_status=last.status if last else None,
        last_run_id=last.history_id if last else None,
        usual_interval_seconds=dataset.usual_interval_seconds,
        promise=promise_to_dict(dataset.promise),
        due_at=dataset.due_at,
        late_since=dataset.late_since(now),
        trend=tuple(load.rows for load in reversed(dataset.loads[:TREND_LOADS])),
    )


def _reads(model: Model) -> str:
    if model.incremental == "full":
        return "everything each time"
    return f"what is new, by {model.cursor}" if model.cursor else "what is new"


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
