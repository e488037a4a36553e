"""Two operators, one task: whoever comes second is told, and the audit record keeps both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import Conflict
from ingestion.services.security import audit


@contextmanager
def noted(action: str, task_id: str, change: ChangeRequest) -> Iterator[None]:
    """A Conflict leaves its record, and goes on to the caller."""
    try:
        yield
    except Conflict as conflict:
        audit.record(
            "conflict",
            change=change,
            target=task_id,
            before={"wanted": action, "expected_revision": change.expected_revision},
            after={"status": conflict.status, "revision": conflict.revision},
        )
        raise
