"""What one attempt says about its CRM, and when the breaker opens."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.sync.common.errors import (
    CredentialsError,
    QuotaExceeded,
    SettingsMissing,
    Throttled,
    TimedOut,
    TransientError,
)

PASSING = frozenset({kind.error_class for kind in (TransientError, Throttled, TimedOut)})
REFUSED = frozenset({CredentialsError.error_class, SettingsMissing.error_class})
KEPT = 10
# Of the last ten; and of those in a row that could load nothing at all, though each of their
# requests was tried several times.
FAILED_TO_OPEN, DOWN_TO_OPEN = 5, 2
LONGEST_SECONDS = 6 * 3600.0


class Sign(StrEnum):
    """``DOWN``: it failed in a way that passes, and nothing was loaded; ``FAILED``: it failed so
    after something was loaded. ``SILENT``: it says nothing about the CRM."""

    GOOD = "good"
    FAILED = "failed"
    DOWN = "down"
    REFUSED = "refused"
    QUOTA = "quota"
    SILENT = "silent"


BAD = (Sign.FAILED, Sign.DOWN)


def sign_of(outcome: Outcome) -> Sign:
    """By the class of the error alone."""
    if outcome.status == TaskStatus.COMPLETED:
        return Sign.GOOD
    if outcome.status != TaskStatus.FAILED or outcome.is_interruption:
        return Sign.SILENT
    error_class = outcome.result.get("error_class", "")
    if error_class in REFUSED:
        return Sign.REFUSED
    if error_class == QuotaExceeded.error_class:
        return Sign.QUOTA
    if error_class not in PASSING:
        return Sign.SILENT
    return Sign.FAILED if (outcome.result.get("counts") or {}).get("processed") else Sign.DOWN


def has_to_open(recent: Sequence[str]) -> bool:
    """``recent``: signs, the latest last."""
    last = list(recent[-DOWN_TO_OPEN:])
    if last == [Sign.DOWN] * DOWN_TO_OPEN:
        return True
    return failures(recent[-KEPT:]) >= FAILED_TO_OPEN


def is_near(recent: Sequence[str]) -> bool:
    """Whether the next run that can load nothing would open it."""
    return has_to_open([*recent, Sign.DOWN])


def failures(recent: Sequence[str]) -> int:
    """How many of the runs failed in a way that passes."""
    return sum(sign in BAD for sign in recent)


def next_interval(seconds: float, *, first_seconds: float) -> float:
    """Twice the last one, from the first one up to six hours."""
    return min(max(2 * seconds, first_seconds), LONGEST_SECONDS)
