"""Five9's operation limits: per domain, per kind of operation, within windows of several lengths.

``getCallCountersState`` tells the limits, what is used and the length of each window, but not
when a window began: a used-up one is over after its length at the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingestion.sync.common.errors import QuotaExceeded, SyncError, Throttled
from ingestion.sync.common.rate_limit import Rate

# What counts as what; closing a session and asking for the counters count as nothing.
OPERATION_TYPES = {
    "getContactFields": "Query",
    "getContactRecords": "Query",
    "getListsInfo": "Query",
    "isReportRunning": "Query",
    "runReport": "ReportRequest",
    "getReportResult": "RetrieveReport",
}


@dataclass(frozen=True)
class Counter:
    """How often a kind of operation may be and has been asked for within a window."""

    operation_type: str
    limit: int
    value: int
    window_seconds: float

    @property
    def is_used_up(self) -> bool:
        return self.value >= self.limit


def rates(
    counters: Iterable[Counter], operation: str, *, longest_seconds: float
) -> tuple[Rate, ...]:
    """What to keep to ahead of time. Longer windows are left to the fault: nobody waits a day."""
    wanted = OPERATION_TYPES.get(operation)
    return tuple(
        Rate(f"five9:{c.operation_type}:{c.window_seconds:g}", c.limit, c.window_seconds)
        for c in counters
        if c.operation_type == wanted and c.limit > 0 and c.window_seconds <= longest_seconds
    )


def over_limit(
    operation: str, counters: Sequence[Counter], *, operation_type: str, longest_seconds: float
) -> SyncError:
    """The error of an OperationsLimitExceededFault. ``operation_type``: what the fault names."""
    wanted = operation_type or OPERATION_TYPES.get(operation, "")
    used_up = [c for c in counters if c.is_used_up and c.operation_type == wanted]
    if not used_up:
        return Throttled(
            f"Five9 {operation} is over the domain's limit of {wanted} operations; try again later."
        )
    longest = max(used_up, key=lambda counter: counter.window_seconds)
    words = (
        f"Five9 {operation} is over the domain's limit of {longest.limit} {wanted} operations"
        f" in {longest.window_seconds:g} seconds"
    )
    if longest.window_seconds <= longest_seconds:
        return Throttled(f"{words}; try again later.", retry_after_seconds=longest.window_seconds)
    resets_at = datetime.now(UTC) + timedelta(seconds=longest.window_seconds)
    return QuotaExceeded(
        f"{words}; run it again after {resets_at:%Y-%m-%d %H:%M} UTC.", resets_at=resets_at
    )
