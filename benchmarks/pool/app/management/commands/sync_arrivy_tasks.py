"""A sync that does nothing for ``--max-records`` milliseconds."""

from __future__ import annotations

from typing import Any

from benchmarks.pool import runs
from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.run import ModelResult, SyncResult


class Command(SyncCommand):
    crm_source = "arrivy"
    sync_type = "tasks"

    def prepare(self) -> None:
        """It loads nothing."""

    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        run.result = SyncResult(self.crm_source, self.sync_type, [ModelResult(self.sync_type)])
        run.reporter.step(self.sync_type, "extract")
        runs.run(options["max_records"] or 0)
