"""How an attempt ended, and whether another one makes sense. Retry is decided here alone."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.security.secrets import mask_error, mask_json
from ingestion.sync.common.errors import (
    QuotaExceeded,
    SyncError,
    TransientError,
    error_class_of,
)
from ingestion.sync.common.run import SyncResult

BACKOFF = PoolPolicy()
LONGEST_MESSAGE = 2000
# A sync that loads a little and fails, again and again, is not worth more than this.
MOST_EARNED = 20


def succeeded(result: SyncResult | None) -> Outcome:
    return Outcome(TaskStatus.COMPLETED, result=recorded(result))


def cancelled(reason: str, result: SyncResult | None = None) -> Outcome:
    return Outcome(TaskStatus.CANCELLED, clean(reason), recorded(result))


def failed(
    error: BaseException,
    *,
    attempt: int,
    max_attempts: int = 1,
    result: SyncResult | None = None,
    now: datetime | None = None,
) -> Outcome:
    """``result`` holds the counts so far, if there are any. Where a task may be tried again at all,
    an attempt that has changed rows before it failed earns the next one: that begins further on, and
    once nothing is new it earns none."""
    return Outcome(
        TaskStatus.FAILED,
        message_of(error),
        {**recorded(result), "error_class": error_class_of(error)},
        retry_in_seconds(error, attempt=attempt, now=now or utc_now()),
        is_earned=max_attempts > 1 and attempt < MOST_EARNED and _has_changed_rows(result),
    )


def _has_changed_rows(result: SyncResult | None) -> bool:
    return (
        any(result.total(count) for count in ("created", "updated", "deleted")) if result else False
    )


def lost(reason: str, *, attempt: int) -> Outcome:
    """The process of the attempt is gone; the sync itself may be fine."""
    return Outcome(TaskStatus.FAILED, clean(reason), retry_in_seconds=backoff_seconds(attempt))


def interrupted(reason: str) -> Outcome:
    """The attempt was ended on purpose; it does not count."""
    return Outcome(TaskStatus.FAILED, clean(reason), is_interruption=True)


def retry_in_seconds(error: BaseException, *, attempt: int, now: datetime) -> float | None:
    """Transient: after what the CRM asked for or a backoff. Quota: at its reset. Else never."""
    if isinstance(error, TransientError):
        return max(error.retry_after_seconds or 0.0, backoff_seconds(attempt))
    if isinstance(error, QuotaExceeded):
        return max(0.0, (error.resets_at - now).total_seconds())
    return None


def backoff_seconds(attempt: int) -> float:
    """The policy's, less up to a fifth by chance, so that failures do not march in step."""
    return BACKOFF.backoff_seconds(attempt) * random.uniform(0.8, 1.0)


def message_of(error: BaseException) -> str:
    """One sentence without secrets; an error that is not a sync's own names its class."""
    text = str(error) or (type(error).__doc__ or "").strip().split("\n")[0]
    return clean(text if isinstance(error, SyncError) else f"{type(error).__name__}: {text}")


def without_secrets(outcome: Outcome) -> Outcome:
    """As it may be kept and shown, whoever made it."""
    message = outcome.error_message
    return replace(
        outcome,
        error_message=clean(message) if message else message,
        result=mask_json(outcome.result),
    )


def cancellation(change: ChangeRequest) -> ChangeRequest:
    """The change with a sentence for a reason, which a cancelled task keeps as its error message."""
    by = f"Cancelled by {change.by}" if change.by else "Cancelled"
    sentence = f"{by}: {change.reason}" if change.reason else f"{by}."
    return replace(change, reason=clean(sentence))


def clean(text: str) -> str:
    """The beginning of a text, without secrets."""
    # NUL is refused by PostgreSQL's text columns.
    return mask_error(text).replace("\x00", "")[:LONGEST_MESSAGE]


def recorded(result: SyncResult | None) -> dict[str, Any]:
    """What a finished task keeps, so that the ledger can be closed from it later."""
    if result is None:
        return {}
    warning = clean(result.warning) if result.warning else None
    return {
        "status": result.status,
        "counts": result.counts,
        "warning": warning,
        "metrics": result.metrics(),
    }
