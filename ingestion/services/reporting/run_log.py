"""The lines of the logs that belong to one run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ingestion.installation_conf import system_conf
from ingestion.models import SyncHistory
from ingestion.services.security.secrets import mask

FILES = ("ingestion.log", "sync_engines.log", "celery.log")
# Of each file only its end is read: what is older has to be looked for in the file itself.
READ_BYTES = 1_000_000
MOST_LINES = 200
LONGEST_LINE = 500
MARGIN = timedelta(seconds=2)


def excerpt(row: SyncHistory) -> list[str]:
    """Lines of its time that are bound to it or name its task or route, in order; the last ones if
    they are many."""
    begin, end = _stamp(row.start_time - MARGIN), _stamp((row.end_time or timezone.now()) + MARGIN)
    found = [
        event
        for name in FILES
        for line in _tail(system_conf().log_dir / name)
        if _names_it(line, row)
        for event in _events(line)
        if begin <= event["timestamp"] <= end and _is_about(event, row)
    ]
    found.sort(key=lambda event: str(event["timestamp"]))
    lines = [line for event in found for line in _readable(event)]
    return [mask(line)[:LONGEST_LINE] for line in lines[-MOST_LINES:]]


def _names_it(line: str, row: SyncHistory) -> bool:
    """Not yet read as JSON, which costs more."""
    route = f"{row.crm_source}.{row.sync_type}"
    names = (f'"run": {row.pk}', route, row.endpoint, row.worker_pool_task_id)
    return any(name in line for name in names if name)


def _is_about(event: Mapping[str, Any], row: SyncHistory) -> bool:
    """False for what another run of the same route logs of itself."""
    task_id = row.worker_pool_task_id
    is_named = task_id is not None and task_id in event["event"]
    return is_named or event.get("run", row.pk) == row.pk


def _events(line: str) -> Iterator[Mapping[str, Any]]:
    """One; none where the line is broken or of an older version."""
    try:
        event = json.loads(line)
    except ValueError:
        return
    if isinstance(event, dict) and {"timestamp", "level", "event", "logger"} <= event.keys():
        yield event


def _readable(event: Mapping[str, Any]) -> list[str]:
    head = "{timestamp} {level} {logger} {event}".format(**event)
    return [head, *str(event.get("exception", "")).splitlines()]


def _stamp(when: datetime) -> str:
    """As the logs write it."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _tail(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - READ_BYTES))
            text = log.read().decode(errors="replace")
    except OSError:
        return
    yield from text.splitlines()
