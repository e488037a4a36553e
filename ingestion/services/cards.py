"""A task as a list shows it: short, whatever was handed in with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingestion.services.usual_times import Usual

LONGEST_TEXT = 200
LONGEST_PARAMETERS = 120
MOST_PROGRESS = 8
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

Card = dict[str, Any]


def waiting(task: Mapping[str, Any], *, position: int | None) -> Card:
    """Of a task as ``WorkerTask.to_dict`` tells it, with ``position`` and ``wait`` where known."""
    return {
        **_common(task),
        **{name: cut(task[name]) for name in OF_HELD if task.get(name)},
        "position": task.get("position", position),
        "wait": _short(_wait(task.get("wait"))),
    }


def running(task: Mapping[str, Any], usual: Usual | None) -> Card:
    """``rows_per_second`` and ``expected_end`` are None while they cannot be known."""
    started_at = task.get("started_at")
    rows = task["progress"].get("total_rows")
    return {
        **_common(task),
        **{name: cut(task.get(name)) for name in OF_RUNNING},
        "progress": _progress(task["progress"]),
        "rows": rows if isinstance(rows, int) else None,
        "rows_per_second": _rate(rows, started_at, task.get("last_heartbeat")),
        "expected_end": usual.end_of(datetime.fromisoformat(started_at))
        if usual and started_at
        else None,
    }


def cut(value: Any, longest: int = LONGEST_TEXT) -> Any:
    """A long text loses its end, and shows that."""
    if isinstance(value, str) and len(value) > longest:
        return f"{value[: longest - 1]}…"
    return value


def _common(task: Mapping[str, Any]) -> Card:
    parameters = task["parameters"]
    return {
        **{name: cut(task.get(name)) for name in SHOWN},
        "route": f"{task['crm_source']}.{task['sync_type']}",
        "parameters_text": cut(_written(parameters), LONGEST_PARAMETERS) if parameters else "",
    }


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _progress(progress: Mapping[str, Any]) -> Card:
    few = list(progress.items())[:MOST_PROGRESS]
    return {
        str(cut(name, 40)): cut(value if _is_plain(value) else _written(value), 80)
        for name, value in few
    }


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _rate(rows: Any, started_at: str | None, moved_at: str | None) -> float | None:
    """Up to the last report, so that the number stands still between two reports."""
    if not isinstance(rows, int) or not started_at or not moved_at:
        return None
    ran = datetime.fromisoformat(moved_at) - datetime.fromisoformat(started_at)
    return round(rows / ran.total_seconds(), 1) if ran.total_seconds() > 0 else None


def _wait(found: Mapping[str, Any] | None) -> Card | None:
    """The reason and the start in one; of the holders their ids alone."""
    if found is None:
        return None
    reason = found["reason"]
    holders = [holder["id"] for holder in reason["holders"]]
    return {**reason, "holders": holders, "start": found["start"]}


def _short(value: Any) -> Any:
    """What an explanation says, with its texts and lists kept short."""
    if isinstance(value, Mapping):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_short(item) for item in value[:5]]
    return cut(value)
