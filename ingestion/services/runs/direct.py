"""Runs of syncs outside the pool and its limit: from a shell, or the direct ones of schedules.

Their open rows in the ledger tell of them. A row also says which process runs it, so that on the
same host a dead one is known at once.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from django.db.models import QuerySet

from ingestion.models import SyncHistory
from ingestion.pool.snapshot import DirectRun
from ingestion.runfile import ProcessMark

DIRECT, SHELL = "direct", "shell"


def this_process() -> dict[str, Any]:
    """The mark that a row keeps."""
    mark = ProcessMark.of(os.getpid())
    return {"host": socket.gethostname(), "pid": mark.pid, "started": mark.started}


def open_rows() -> QuerySet[SyncHistory]:
    return SyncHistory.objects.filter(
        worker_pool_task_id=None, status__in=SyncHistory.OPEN_STATUSES
    )


def is_dead(row: SyncHistory) -> bool:
    """Whether its process has ended. False where nobody can know: on another host, or of a row
    that does not say."""
    process = row.configuration.get("process") or {}
    if process.get("host") != socket.gethostname():
        return False
    return not ProcessMark(process["pid"], process["started"]).is_alive


def running() -> tuple[DirectRun, ...]:
    """Those that are open, the oldest first."""
    return tuple(_run(row) for row in open_rows().order_by("start_time", "pk") if not is_dead(row))


def _run(row: SyncHistory) -> DirectRun:
    process = row.configuration.get("process") or {}
    return DirectRun(
        history_id=row.pk,
        crm_source=row.crm_source,
        sync_type=row.sync_type,
        execution=str(row.configuration.get("execution", SHELL)),
        started_at=row.start_time,
        schedule_id=row.schedule_id,
        holder=f"{process.get('host', 'unknown')}/{process.get('pid', '?')}",
    )
