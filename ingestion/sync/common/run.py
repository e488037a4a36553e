"""What one run of a sync is asked to do, and what it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

Mode = Literal["delta", "full", "force7"]


@dataclass(frozen=True)
class SyncOptions:
    """How to run. ``delta`` reads what is new; ``full`` everything; ``force7`` the last seven days
    again, watermark untouched, as does a window by ``start_date`` / ``end_date``."""

    mode: Mode = "delta"
    force: bool = False
    start_date: datetime | None = None
    end_date: datetime | None = None
    max_records: int | None = None
    batch_size: int | None = None
    dry_run: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What was asked for, as JSON; defaults are left out."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value not in (None, False)
        }


@dataclass
class ModelResult:
    """What one model's run did; counts are records."""

    model: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    watermark: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    throttled: int = 0
    bytes_read: int = 0
    warning: str | None = None  # set: the run is partial, and why
    error: str | None = None  # set: the model failed, and why
    skipped: str | None = None  # set: this account has no such model, and ``all`` passed over it
    schema_changes: list[str] = field(default_factory=list)


@dataclass
class SyncResult:
    """What a run did, model by model. ``status`` as SyncHistory.status."""

    crm_source: str
    sync_type: str
    models: list[ModelResult] = field(default_factory=list)

    def total(self, count: str) -> int:
        return sum(getattr(m, count) for m in self.models)

    @property
    def status(self) -> str:
        return "partial" if any(m.warning for m in self.models) else "success"

    @property
    def counts(self) -> dict[str, int]:
        """processed, created, updated, deleted, failed."""
        names = ("processed", "created", "updated", "deleted", "failed")
        return {name: self.total(name) for name in names}

    @property
    def warning(self) -> str | None:
        found = [f"{m.model}: {m.warning}" for m in self.models if m.warning]
        return "; ".join(found) or None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that a command prints."""
        return {
            "crm_source": self.crm_source,
            "sync_type": self.sync_type,
            "status": self.status,
            "warning": self.warning,
            "counts": self.counts,
            **self.metrics(),
        }

    def metrics(self) -> dict[str, Any]:
        """The form kept in SyncHistory.performance_metrics and in the task's result."""
        return {"models": [asdict(m) for m in self.models]}
