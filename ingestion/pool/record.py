"""A task with all that a store knows of it, as it is kept outside of that store to restore it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ingestion.pool.task import WorkerTask

# The token of no worker: an attempt that an unknown one has confirmed can be confirmed by no other.
UNKNOWN_HOLDER = "unknown"
# What is written as its text, not in another form: times, and classes derived from those of JSON.
STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
STRICT |= orjson.OPT_PASSTHROUGH_DATACLASS
NUL = b"\\u0000"


@dataclass(frozen=True)
class TaskRecord:
    """``task.queued_at`` gives its exact place in the queue. ``sent_at``: when an attempt that is
    not confirmed yet was last sent, ``resends`` how often it was sent again. ``delayed_until``: the not-before time, while it is to come."""

    task: WorkerTask
    confirm_token: str | None = None
    finish_token: str | None = None
    resends: int = 0
    sent_at: datetime | None = None
    delayed_until: datetime | None = None


def changed(
    before: Mapping[str, TaskRecord], after: Mapping[str, TaskRecord]
) -> dict[str, TaskRecord]:
    """Those of ``after`` that are not in ``before``, or not equal there."""
    return {task_id: record for task_id, record in after.items() if before.get(task_id) != record}


def clean_text(text: str) -> str:
    """The text as every store takes it: file names in error messages may hold lone surrogates,
    which cannot be encoded."""
    return text.encode("utf-8", "replace").decode()


def plain_json(value: Any) -> Any:
    """A copy that every database takes as JSON: no NaN, no NUL, no lone surrogates."""
    try:
        text = orjson.dumps(value, option=STRICT)
    except orjson.JSONEncodeError:  # it holds what is no JSON, or half a character
        return _made_plain(value)
    return _made_plain(value) if NUL in text else orjson.loads(text)


def json_text(value: Any) -> str:
    """As JSON. Raises TypeError, ValueError."""
    try:
        return orjson.dumps(value, option=STRICT).decode()
    except orjson.JSONEncodeError:  # such as a whole number of more than 64 bits
        return json.dumps(value, allow_nan=False)


def _made_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(_made_plain(str(name))): _made_plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_made_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean_text(str(value)).replace("\x00", "")
