"""What one model's run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from ingestion.sync.common.progress import Reporter, SilentReporter
from ingestion.sync.common.run import Policy, SyncOptions, Verdict
from ingestion.sync.common.source import Crm, CrmSource, Meter, Model
from ingestion.sync.common.warehouse import Dataset, Warehouse


@dataclass(frozen=True)
class Run:
    """``pipelines_dir`` is where locks stand. ``run_id`` is written on every row that the run
    writes. ``mask`` blots secrets out of rejected records. ``list_keys_every``: how often all keys
    are listed, where they cannot be summed up. ``rejected_records`` and ``rejected_share``: see
    ``Rejects``. ``verdict``: on deletions that an earlier run has held back."""

    crm: Crm
    model: Model
    source: CrmSource
    options: SyncOptions
    warehouse: Warehouse
    pipelines_dir: Path
    lock_wait_seconds: float = 300
    reporter: Reporter = field(default_factory=SilentReporter)
    meter: Meter = field(default_factory=Meter)
    run_id: str = field(default_factory=lambda: uuid4().hex)
    mask: Callable[[str], str] = lambda text: text
    list_keys_every: timedelta = timedelta(days=1)
    rejected_records: int = 50
    rejected_share: float = 0.01
    schema_policy: Policy = "evolve"
    verdict: Verdict | None = None

    @property
    def name(self) -> str:
        return f"{self.crm.name}.{self.model.name}"

    @property
    def dataset(self) -> Dataset:
        return self.warehouse.dataset(self.crm.name)

    @property
    def lock_dir(self) -> Path:
        return self.pipelines_dir / "locks"
