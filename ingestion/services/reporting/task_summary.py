"""A task as a list shows it: short, whatever was handed in with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from ingestion.pool.snapshot import Explanation
from ingestion.pool.task import WorkerTask, plain
from ingestion.pool.waits import Reason
from ingestion.services.waiting.usual_times import Usual

LONGEST_TEXT = 200
LONGEST_PARAMETERS = 120
MOST_PROGRESS = 8
MOST_HOLDERS = 5
SHOWN = (
    "id",
    "crm_source",
    "sync_type",
    "status",
    "priority",
    "queued_at",
    "not_before",
    "attempt",
    "max_attempts",
    "requested_by",
    "revision",
    "sync_history_id",
    "cancel_requested_at",
)
OF_RUNNING = ("started_at", "confirmed_at", "worker", "last_heartbeat")
OF_HELD = ("held_at", "held_by", "held_reason")

Summary = dict[str, Any]


def waiting(task: WorkerTask, found: Explanation | None, *, position: int | None = None) -> Summary:
    """Its ``position`` and ``wait`` where they are known."""
    return {
        **_common(task),
        **(_values(task, OF_HELD) if task.is_held else {}),
        "position": position if found is None else found.position,
        "wait": _wait(found) if found else None,
    }


def running(task: WorkerTask, usual: Usual | None) -> Summary:
    """``rows_per_second`` and ``expected_end`` are None while they cannot be known."""
    rows = task.progress.get("total_rows")
    return {
        **_common(task),
        **_values(task, OF_RUNNING),
        "progress": _progress(task.progress),
        "rows": rows if isinstance(rows, int) else None,
        "rows_per_second": _rate(rows, task.started_at, task.last_heartbeat),
        "expected_end": usual.end_of(task.started_at) if usual and task.started_at else None,
    }


def cut(value: Any, longest: int = LONGEST_TEXT) -> Any:
    """A long text loses its end, and shows that."""
    if isinstance(value, str) and len(value) > longest:
        return f"{value[: longest - 1]}…"
    return value


def _common(task: WorkerTask) -> Summary:
    parameters = task.parameters
    return {
        **_values(task, SHOWN),
        "route": task.route,
        "parameters_text": cut(_written(parameters), LONGEST_PARAMETERS) if parameters else "",
    }


def _values(task: WorkerTask, names: Sequence[str]) -> Summary:
    return {name: cut(plain(getattr(task, name))) for name in names}


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _progress(progress: Mapping[str, Any]) -> Summary:
    few = list(progress.items())[:MOST_PROGRESS]
    return {
        str(cut(name, 40)): cut(value if _is_plain(value) else _written(value), 80)
        for name, value in few
    }


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _rate(rows: Any, started_at: datetime | None, moved_at: datetime | None) -> float | None:
    """Up to the last report, so that the number stands still between two reports."""
    if not isinstance(rows, int) or not started_at or not moved_at:
        return None
    seconds = (moved_at - started_at).total_seconds()
    return round(rows / seconds, 1) if seconds > 0 else None


def _wait(found: Explanation) -> Summary:
    """The reason and the start in one."""
    start = found.start.to_dict() if found.start else None
    return {**_reason(found.reason), "start": start}


@lru_cache(maxsize=64)
def _reason(reason: Reason) -> Summary:
    """Of the holders their ids alone, and of many the first ones."""
    told = {name: cut(value) for name, value in reason.to_dict().items()}
    return {**told, "holders": [cut(holder.id) for holder in reason.holders[:MOST_HOLDERS]]}
