"""The lines of the logs that belong to one run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.utils import timezone

from ingestion.conf import system_conf
from ingestion.models import SyncHistory
from ingestion.services.secrets import mask

FILES = ("ingestion.log", "sync_engines.log", "celery.log")
# Of each file only its end is read: what is older has to be looked for in the file itself.
READ_BYTES = 1_000_000
MOST_LINES = 200
LONGEST_LINE = 500
STAMP = "%Y-%m-%d %H:%M:%S"
MARGIN = timedelta(seconds=2)


def excerpt(row: SyncHistory) -> list[str]:
    """Lines of its time that name its task or its route, in order; the last ones if they are many."""
    names = _names(row)
    begin, end = _stamp(row.start_time - MARGIN), _stamp((row.end_time or timezone.now()) + MARGIN)
    found = sorted(
        line
        for name in FILES
        for line in _tail(system_conf().log_dir / name)
        if begin <= line[: len(begin)] <= end and any(one in line for one in names)
    )
    return [mask(line)[:LONGEST_LINE] for line in found[-MOST_LINES:]]


def _names(row: SyncHistory) -> tuple[str, ...]:
    names = (f"{row.crm_source}.{row.sync_type}", row.endpoint, row.worker_pool_task_id)
    return tuple(name for name in names if name)


def _stamp(when: datetime) -> str:
    """As the logs write it: the process's zone is UTC."""
    return when.astimezone(UTC).strftime(STAMP)


def _tail(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - READ_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return
    yield from text.splitlines()
