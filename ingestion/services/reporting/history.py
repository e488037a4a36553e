"""The history as pages and programs read it: search, one run with all that is known of it, CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ingestion.models import SyncHistory
from ingestion.models.run_metrics import reported_models, reported_seconds
from ingestion.services.infra import cursor
from ingestion.services.reporting import run_log
from ingestion.services.reporting.task_summary import cut
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask, mask_json

LONGEST_ERROR = 300
MOST_AUDIT = 200
ENDED = tuple(s for s in SyncHistory.Status if s not in SyncHistory.OPEN_STATUSES)
# Tasks that still wait are the queue's; they are found when they are asked for.
SHOWN_BY_DEFAULT = (SyncHistory.Status.RUNNING, *ENDED)
COUNTS = ("processed", "created", "updated", "deleted", "failed")
CSV_COLUMNS = (
    "id",
    "task_id",
    "crm_source",
    "sync_type",
    "status",
    "start_time",
    "end_time",
    "duration_seconds",
    *(f"records_{count}" for count in COUNTS),
    "error_class",
    "error_message",
)
# Without the long columns, which a database that has to sort carries along.
READ_FOR_CSV = (
    *("worker_pool_task_id", "crm_source", "sync_type", "status", "start_time", "end_time"),
    *(f"records_{count}" for count in COUNTS),
    *("error_class", "error_message"),
)
# Where a spreadsheet begins to read a formula: at one of these signs, some of them full-width, at the
# start of a cell, or of a line in it.
FORMULA_START = re.compile(
    r"(?:^|(?<=[\r\n\v\f\x85\u2028\u2029]))(?=[=+\-@\t\r\uFF1D\uFF0B\uFF0D\uFF20])"
)

Result = dict[str, Any]


@dataclass(frozen=True)
class Search:
    """What to look for; empty fields say nothing. ``text`` is a part of an error, its class, or a
    task's id."""

    crm_source: str = ""
    sync_type: str = ""
    status: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""

    def rows(self) -> QuerySet[SyncHistory]:
        found = SyncHistory.objects.filter(
            status__in=[self.status] if self.status else SHOWN_BY_DEFAULT
        )
        exact = {"crm_source": self.crm_source, "sync_type": self.sync_type}
        found = found.filter(**{name: value for name, value in exact.items() if value})
        if self.since:
            found = found.filter(start_time__gte=self.since)
        if self.until:
            found = found.filter(start_time__lt=self.until)
        return found.filter(self._says()) if self.text else found

    def _says(self) -> Q:
        is_exact = Q(worker_pool_task_id=self.text[:36]) | Q(error_class=self.text[:30])
        return is_exact | Q(error_message__icontains=self.text) | Q(sync_type__icontains=self.text)


@dataclass(frozen=True)
class Page:
    """``next_cursor`` is None at the end."""

    items: list[Result]
    next_cursor: str | None

    def to_dict(self) -> dict[str, Any]:
        return {"items": self.items, "next_cursor": self.next_cursor}


def search(wanted: Search, *, at: str | None = None, limit: int = 50) -> Page:
    """The latest runs first. Raises InvalidCursor."""
    rows, following = cursor.page(wanted.rows(), by="start_time", cursor=at, limit=limit)
    return Page([result(row) for row in rows], following)


def last_results(limit: int) -> list[Result]:
    """The runs that ended last."""
    rows = SyncHistory.objects.filter(end_time__isnull=False).order_by("-end_time")
    return [result(row) for row in rows[:limit]]


def result(row: SyncHistory) -> Result:
    """One run as a list shows it."""
    return {
        "id": row.pk,
        "task_id": row.worker_pool_task_id,
        "route": f"{row.crm_source}.{row.sync_type}",
        "crm_source": row.crm_source,
        "sync_type": row.sync_type,
        "status": row.status,
        "start_time": row.start_time.isoformat(),
        "end_time": row.end_time.isoformat() if row.end_time else None,
        "duration_seconds": row.duration_seconds,
        **{f"records_{count}": getattr(row, f"records_{count}") for count in COUNTS},
        "error_class": row.error_class or None,
        "error_message": cut(mask(row.error_message), LONGEST_ERROR) if row.error_message else None,
    }


def run(history_id: int) -> dict[str, Any] | None:
    """All that is known of one run: its models with steps, counts and schema changes, its attempts,
    its audit trail and its lines of the log. None for an unknown one."""
    row = SyncHistory.objects.filter(pk=history_id).first()
    if row is None:
        return None
    task_id = row.worker_pool_task_id
    trail = audit.find(target=task_id, limit=MOST_AUDIT) if task_id else []
    asked: dict[str, Any] = mask_json(row.configuration)
    return {
        **result(row),
        "error_message": mask(row.error_message) if row.error_message else None,
        "records_per_second": row.records_per_second,
        "command": row.endpoint,
        "asked": asked.get("asked"),
        "parameters": asked.get("parameters", {}),
        "priority": row.priority,
        "requested_by": asked.get("requested_by", ""),
        "reason": asked.get("reason", ""),
        "configuration": asked,
        "attempt": row.attempt,
        "attempts": _attempts(trail),
        "models": mask_json(reported_models(row.performance_metrics)),
        "seconds": reported_seconds(row.performance_metrics),
        "audit": [audit.to_dict(record) for record in trail],
        "log": run_log.excerpt(row),
    }


def _attempts(trail: list[Any]) -> list[dict[str, Any]]:
    """How each attempt ended, the first one first."""
    endings = [record for record in reversed(trail) if (record.before or {}).get("attempt")]
    return [
        {
            "attempt": record.before["attempt"],
            "ended_at": record.at.isoformat(),
            "how": record.action,
            "worker": record.before.get("worker"),
            "error_message": record.reason,
        }
        for record in endings
        if record.action in ("retry", "complete", "fail", "cancel")
    ]


class _Line:
    """A file of one line at a time."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_lines(wanted: Search) -> Iterator[str]:
    """Every run that is looked for, the latest first, under a line of names."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(CSV_COLUMNS)
    yield line.text
    rows = wanted.rows().only(*READ_FOR_CSV).order_by("-start_time", "-pk")
    for row in rows.iterator(chunk_size=500):
        found = result(row)
        writer.writerow([_cell(found[name]) for name in CSV_COLUMNS])
        yield line.text


def _cell(value: Any) -> Any:
    return FORMULA_START.sub("'", value) if isinstance(value, str) else value
