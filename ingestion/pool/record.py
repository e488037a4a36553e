"""A task with all that a store knows of it, as it is kept outside of that store to restore it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.pool.task import WorkerTask

# The token of no worker: an attempt that an unknown one has confirmed can be confirmed by no other.
UNKNOWN_HOLDER = "unknown"


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
    if isinstance(value, Mapping):
        return {str(plain_json(str(name))): plain_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean_text(str(value)).replace("\x00", "")
