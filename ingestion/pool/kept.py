"""A task as it is kept outside of the store that decides about it, so that it can be put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestion.pool.stored import to_fields
from ingestion.pool.task import TaskStatus, WorkerTask

# No worker has it: nobody may take an attempt that was confirmed by somebody unknown.
UNKNOWN_HOLDER = "unknown"


@dataclass(frozen=True)
class Kept:
    """``queued_at`` of the task is its exact place. ``sent_at`` is when it was last sent without
    a confirmation, ``delayed_until`` the time for which it still waits."""

    task: WorkerTask
    confirm_token: str | None = None
    finish_token: str | None = None
    sent_at: datetime | None = None
    delayed_until: datetime | None = None

    def to_fields(self, *, score: int) -> dict[str, str]:
        """As Redis stores it: a hash of strings."""
        fields = to_fields(self.task)
        if self.task.status == TaskStatus.QUEUED:
            fields["score"] = str(score)
        if self.task.confirmed_at:
            fields["confirm_token"] = self.confirm_token or UNKNOWN_HOLDER
        if self.finish_token:
            fields["finish_token"] = self.finish_token
        return fields


def changed(before: Mapping[str, Kept], after: Mapping[str, Kept]) -> dict[str, Kept]:
    """What is new or different."""
    return {task_id: kept for task_id, kept in after.items() if before.get(task_id) != kept}


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
    return str(value).encode("utf-8", "replace").decode().replace("\x00", "")
