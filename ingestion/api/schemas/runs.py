"""A run as the history has it."""

from __future__ import annotations

from typing import Annotated

from ingestion.api.http.responses import ResponseBody, Time, one_of
from ingestion.models import SyncHistory

RunStatus = Annotated[str, one_of(SyncHistory.Status)]


class Run(ResponseBody):
    """One run of one sync, through the pool or beside it; counts are records."""

    id: int
    task_id: str | None
    """Null for a run outside the pool."""
    route: str
    crm_source: str
    sync_type: str
    status: RunStatus
    start_time: Time
    end_time: Time | None
    duration_seconds: float | None
    """Null while it has not ended."""
    records_processed: int
    records_created: int
    records_updated: int
    records_deleted: int
    records_failed: int
    error_class: str | None
    error_message: str | None


class ModelRun(ResponseBody):
    """What a run did for one model; counts are records. Runs of older versions lack fields."""

    model: str
    processed: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    failed: int = 0
    watermark: str | None = None
    """Where the next incremental run begins."""
    seconds: dict[str, float] = {}
    """By step: lock, connect, prepare, extract, convert, stage, list_keys, load, other."""
    requests: int = 0
    throttled: int = 0
    """Requests that the CRM answered with 429 or the like."""
    bytes_read: int = 0
    warning: str | None = None
    error: str | None = None
    skipped: str | None = None
    """Why this account has no such model."""
    schema_changes: list[str] = []
