"""The attempts of this process as the ledger has them."""

from __future__ import annotations

from collections.abc import Callable

from ingestion.pool.store import PoolPolicy
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import state as ledger_state

# Renewals that are written to the ledger, within one lease.
BEATS_PER_LEASE = 9


class RecordedAttempts:
    """Which of them the ledger has recorded, and when it has to be told of a renewal."""

    def __init__(self, policy: PoolPolicy, *, clock: Callable[[], float]) -> None:
        self._beat_seconds = policy.lease_seconds / BEATS_PER_LEASE
        self._clock = clock
        self._beats: dict[str, Overdue] = {}
        self._unrecorded: dict[str, str] = {}
        self._rows: dict[str, int] = {}

    def note(self, task_id: str, row_id: int | None, *, token: str) -> None:
        """What ``ledger_state.hold`` has answered. If the row could not be seen yet, because the
        transaction of the submission is still open, a later heartbeat asks it again."""
        if row_id is None:
            self._unrecorded[task_id] = token
            return
        self._unrecorded.pop(task_id, None)
        if row_id != ledger_state.ENDED:
            self._rows[task_id] = row_id

    def token_to_record(self, task_id: str) -> str | None:
        """With which its attempt is still to be recorded; None where it is."""
        return self._unrecorded.get(task_id)

    def take_row(self, task_id: str) -> int | None:
        """See ``RecordsAttempts``."""
        return self._rows.pop(task_id, None)

    def is_beat_due(self, task_id: str) -> bool:
        if task_id not in self._beats:
            self._beats = {task_id: Overdue(self._beat_seconds, clock=self._clock)}
        return self._beats[task_id].take()
