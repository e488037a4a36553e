"""Two operators, one task: whoever comes second is told, and the audit record keeps both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.pool.errors import Conflict
from ingestion.services import audit


@contextmanager
def noted(
    action: str, task_id: str, *, actor: str, reason: str, expected_revision: int | None
) -> Iterator[None]:
    """A Conflict leaves its record, and goes on to the caller."""
    try:
        yield
    except Conflict as conflict:
        audit.record(
            "conflict",
            actor=actor,
            target=task_id,
            reason=reason,
            before={"wanted": action, "expected_revision": expected_revision},
            after={"status": conflict.status, "revision": conflict.revision},
        )
        raise
