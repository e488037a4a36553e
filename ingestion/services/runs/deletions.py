"""Deletions that a run has held back, because they are many: somebody accepts them."""

from __future__ import annotations

from ingestion.pool.change import ChangeRequest
from ingestion.services.runs.runner import RunHandle, run_sync
from ingestion.services.security import audit
from ingestion.sync.common.run import SyncOptions, SyncResult


def accept(crm_source: str, model: str, handle: RunHandle, *, change: ChangeRequest) -> SyncResult:
    """Read the model in full and mark as deleted what is gone, however much it is. Raises what
    ``run_sync`` raises."""
    audit.record("accept_deletions", change=change, target=f"{crm_source}.{model}")
    options = SyncOptions(mode="full", accept_deletions=True)
    return run_sync(crm_source, model, options, handle)
