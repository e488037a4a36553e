"""A task as a Redis hash: strings only, times in µs since 1970, objects as JSON. None is left out, and
so is what most tasks have, as a queue is as large as its tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ingestion.pool.clock import from_us, to_us
from ingestion.pool.errors import UnreadableTask
from ingestion.pool.overlap import overlap_key
from ingestion.pool.record import UNKNOWN_HOLDER, TaskRecord, clean_text
from ingestion.pool.task import (
    DICT_FIELDS,
    INT_FIELDS,
    OPTIONAL_INT_FIELDS,
    TIME_FIELDS,
    WorkerTask,
)

WHOLE_FIELDS = INT_FIELDS | OPTIONAL_INT_FIELDS
# Left out where a task has what a new one has.
USUAL = {
    "parameters": {},
    "priority": 0,
    "attempt": 0,
    "progress": {},
    "result": {},
    "requested_by": "",
    "held_by": "",
    "held_reason": "",
    "after": {},
    "followers": {},
}
REQUIRED = ("id", "task_name", "crm_source", "sync_type", "status", "queued_at")


def to_fields(task: WorkerTask) -> dict[str, str]:
    """The hash of a task."""
    found = {
        name: _to_text(value)
        for name, value in vars(task).items()
        if value is not None and not (name in USUAL and value == USUAL[name])
    }
    found["overlap"] = overlap_key(task)
    return found


def record_fields(record: TaskRecord) -> dict[str, str]:
    """The hash of a task that is put back: as ``to_fields``, with its tokens."""
    stored = to_fields(record.task)
    if record.task.confirmed_at:
        stored["confirm_token"] = record.confirm_token or UNKNOWN_HOLDER
    if record.finish_token:
        stored["finish_token"] = record.finish_token
    return stored


def _to_text(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return str(to_us(value))
    if isinstance(value, dict):
        return json.dumps(value)
    return clean_text(str(value))


def from_fields(stored: Mapping[str, str]) -> WorkerTask:
    """Raises UnreadableTask when a required field is missing or a value cannot be understood."""
    missing = [name for name in REQUIRED if not stored.get(name)]
    if missing:
        raise UnreadableTask(f"task {stored.get('id', '?')}: no {', '.join(missing)}")
    try:
        return WorkerTask.from_dict({n: _from_text(n, text) for n, text in stored.items()})
    except (ValueError, OverflowError) as problem:
        if isinstance(problem, UnreadableTask):
            raise
        raise UnreadableTask(f"task {stored['id']}: {problem}") from problem


def _from_text(name: str, text: str) -> Any:
    if name in TIME_FIELDS:
        return from_us(int(text))
    if name in DICT_FIELDS:
        return json.loads(text)
    if name in WHOLE_FIELDS:
        return int(text)
    return text
