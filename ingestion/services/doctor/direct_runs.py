"""Runs of syncs outside the pool, of which only their open row in the ledger is left.

A row on this host is judged by its process; one from elsewhere by its age alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.runs import direct
from ingestion.services.security import audit
from ingestion.sync.common.errors import LOST

# A run from a shell reports to nobody, and a full one may take many hours.
LONGEST_RUN_MINUTES = 24 * 60.0
WHY = "Still open after more than {minutes:g} minutes; its process must have died."
DEAD = "Its process has ended without a word."


@dataclass(frozen=True)
class DirectRunRow:
    """An open row of a run outside the pool, and why nobody can be behind it any more."""

    pk: int
    route: str
    why: str


def gone(*, minutes: float = LONGEST_RUN_MINUTES) -> Iterator[DirectRunRow]:
    """Those whose process has died, or that are open for longer."""
    for row in direct.open_rows().order_by("pk").iterator():
        if why := why_gone(row, minutes=minutes):
            yield of(row, why=why)


def why_gone(row: SyncHistory, *, minutes: float = LONGEST_RUN_MINUTES) -> str | None:
    """None while it may still run."""
    if direct.is_dead(row):
        return DEAD
    is_old = row.start_time <= timezone.now() - timedelta(minutes=minutes)
    return WHY.format(minutes=minutes) if is_old else None


def of(row: SyncHistory, *, why: str) -> DirectRunRow:
    return DirectRunRow(row.pk, f"{row.crm_source}.{row.sync_type}", why)


def close(run: DirectRunRow) -> bool:
    """False when it has ended since."""
    status = SyncHistory.Status.FAILED.value
    is_closed = SyncHistory.objects.close_run(
        run.pk, status=status, error_message=run.why, error_class=LOST
    )
    if is_closed:
        audit.record(
            "close",
            target=f"history {run.pk}",
            change=ChangeRequest(reason=run.why),
            before={"status": SyncHistory.Status.RUNNING.value},
            after={"route": run.route, "status": status},
        )
    return is_closed
