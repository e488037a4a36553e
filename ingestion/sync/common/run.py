"""What one run of a sync is asked to do, and what it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import uuid4

Mode = Literal["delta", "full", "force7"]
# What a run may change in a table that is there. ``evolve``: new columns and wider types.
# ``columns``: new columns, no type. ``ask``: nothing by itself; what is new is proposed, its values
# stand in ``_overflow`` until somebody says yes. ``freeze``: no field that is new is loaded.
Policy = Literal["evolve", "columns", "ask", "freeze"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)


def policy_of(word: str) -> Policy:
    """Raises ValueError."""
    return POLICIES[POLICIES.index(word)]


@dataclass(frozen=True)
class SyncOptions:
    """How to run. ``delta`` reads what is new; ``full`` everything; ``force7`` the last seven days
    again, watermark untouched, as does a window by ``start_date`` / ``end_date``.
    ``accept_deletions``: mark as deleted what is gone, however much it is."""

    mode: Mode = "delta"
    force: bool = False
    start_date: datetime | None = None
    end_date: datetime | None = None
    max_records: int | None = None
    batch_size: int | None = None
    dry_run: bool = False
    accept_deletions: bool = False

    def to_dict(self) -> dict[str, Any]:
        """What was asked for, as JSON; defaults are left out."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value not in (None, False)
        }


@dataclass(frozen=True)
class Verdict:
    """What somebody has decided about deletions that were held back, for as many as there were."""

    kind: Literal["accepted", "dismissed"]
    count: int


@dataclass
class ModelResult:
    """What one model's run did; counts are records. ``held_back``: how many of ``living`` ones are not
    in the CRM any more and were not marked, because they are many; None: the run could not tell."""

    model: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    held_back: int | None = None
    living: int = 0
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
    """What a run did, model by model. ``status`` as SyncHistory.status. ``run_id``: what the rows
    that it wrote have as ``_run_id``. ``seconds``: of the steps before and after the models."""

    crm_source: str
    sync_type: str
    models: list[ModelResult] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    run_id: str = field(default_factory=lambda: uuid4().hex)

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
        return {
            "run_id": self.run_id,
            "seconds": self.seconds,
            "models": [asdict(m) for m in self.models],
        }
