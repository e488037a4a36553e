"""Runs of syncs outside the pool, of which only their open row in the ledger is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services import audit
from ingestion.services.doctor import ShellRun

# A run from a shell reports to nobody, and a full one may take many hours.
LONGEST_RUN_MINUTES = 24 * 60.0
WHY = "Still open after more than {minutes:g} minutes; its process must have died."


def gone(*, minutes: float = LONGEST_RUN_MINUTES) -> Iterator[ShellRun]:
    """Those that are open for longer."""
    oldest = timezone.now() - timedelta(minutes=minutes)
    rows = SyncHistory.objects.filter(
        worker_pool_task_id=None, status__in=SyncHistory.OPEN_STATUSES, start_time__lte=oldest
    )
    for row in rows.order_by("pk").iterator():
        yield of(row, why=WHY.format(minutes=minutes))


def of(row: SyncHistory, *, why: str) -> ShellRun:
    return ShellRun(row.pk, f"{row.crm_source}.{row.sync_type}", why)


def close(run: ShellRun) -> bool:
    """False when it has ended since."""
    status = SyncHistory.Status.FAILED.value
    is_closed = SyncHistory.objects.close_run(run.pk, status=status, error_message=run.why)
    if is_closed:
        audit.record(
            "close",
            target=f"history {run.pk}",
            reason=run.why,
            before={"status": SyncHistory.Status.RUNNING.value},
            after={"route": run.route, "status": status},
        )
    return is_closed
