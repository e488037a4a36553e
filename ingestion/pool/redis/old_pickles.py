"""Reads what an older version pickled, without running anything of it.

A pickle names what it is built from, and unpickling calls it: whoever can write into Redis could name
anything. Here nothing but times, ids and the pool's own values may be named.
"""

from __future__ import annotations

import io
import json
import pickle  # nosec B403: only the unpickler below is used
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from ingestion.pool.errors import UnreadableTask
from ingestion.pool.task import TaskStatus, WorkerTask

LARGEST_BYTES = 64 * 1024 * 1024
SERVICE = "ingestion.services.worker_pool"
ALLOWED: dict[tuple[str, str], Any] = {
    **{("datetime", kind.__name__): kind for kind in (date, datetime, time, timedelta, timezone)},
    ("uuid", "UUID"): UUID,
    ("zoneinfo", "ZoneInfo._unpickle"): ZoneInfo,
    (SERVICE, "TaskStatus"): TaskStatus,
    (SERVICE, "WorkerTask"): WorkerTask,
    ("ingestion.pool.task", "TaskStatus"): TaskStatus,
    ("ingestion.pool.task", "WorkerTask"): WorkerTask,
}


def unpickled(raw: bytes) -> object:
    """What was pickled; of a string that holds JSON, what it says. Raises UnreadableTask."""
    if len(raw) > LARGEST_BYTES:
        raise UnreadableTask(f"it is larger than {LARGEST_BYTES} bytes")
    try:
        found = _Restricted(io.BytesIO(raw)).load()
        return json.loads(found) if isinstance(found, str) else found
    except UnreadableTask:
        raise
    except Exception as problem:  # damaged bytes raise almost anything: they are kept aside
        raise UnreadableTask(f"{type(problem).__name__}: {problem}") from problem


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise UnreadableTask(f"it names {module}.{name}, which no task is made of") from None
