"""When to try a request again, and after how long."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from ingestion.sync.common.errors import Throttled, TransientError

logger = logging.getLogger(__name__)

PAUSE_SLICE_SECONDS = 1.0  # how long a wait may go on before it asks whether the run may go on

RetryAfterUnit = Literal["seconds", "either", "ignored"]
# No wait is longer; a date of the year 9999 would be no date any more when a wait is added to it.
LONGEST_ASKED_SECONDS = 7 * 86_400.0
T = TypeVar("T")


def pause(seconds: float, *, check: Callable[[], None]) -> None:
    """Waits; ``check`` is asked at least once a second, and may raise to end the wait."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        check()
        time.sleep(min(left, PAUSE_SLICE_SECONDS))


@dataclass(frozen=True)
class RetryPolicy:
    """``attempts`` in all. Between them either what the CRM asks for by Retry-After or a random
    share of a delay that doubles from ``first_delay_seconds`` to ``max_delay_seconds`` (full
    jitter). A Retry-After beyond ``max_retry_after_seconds`` is not waited for: the run ends with
    a TransientError that carries it, so that the slot is free meanwhile. After a Throttled that
    does not say how long, delays are ``throttled_factor`` times as long: budgets are counted by
    the minute, and the attempts have to span a whole one.

    ``retry_after``: the unit of a plain number; an HTTP date is always read, as RFC 9110 allows
    both. ``either``: sources disagree whether it is seconds or milliseconds. It counts as seconds,
    the longer of the two; as ``max_retry_after_seconds`` where only the milliseconds are within it.
    """

    attempts: int = 5
    first_delay_seconds: float = 1
    max_delay_seconds: float = 60
    retry_after: RetryAfterUnit = "seconds"
    max_retry_after_seconds: float = 300
    throttled_factor: float = 15

    def at_most(self, attempts: int | None) -> RetryPolicy:
        """The same policy with so many attempts at most; None leaves it as it is."""
        return self if attempts is None else replace(self, attempts=min(attempts, self.attempts))

    def starting_with(self, first_delay_seconds: float | None) -> RetryPolicy:
        """The same policy with another first delay; None leaves it as it is."""
        if first_delay_seconds is None:
            return self
        return replace(self, first_delay_seconds=first_delay_seconds)

    def asked_delay_seconds(self, header: str | None) -> float | None:
        """What a Retry-After header asks for; None where it asks for nothing that is understood."""
        if self.retry_after == "ignored" or not header:
            return None
        try:
            number = float(header)
        except ValueError:
            return _seconds_until(header)
        if not math.isfinite(number):
            return None
        longest = self.max_retry_after_seconds
        if self.retry_after == "either" and number / 1000 <= longest < number:
            return longest
        return min(max(0.0, number), LONGEST_ASKED_SECONDS)

    def run(self, attempt: Callable[[], T], *, pause: Callable[[float], None]) -> T:
        """Calls ``attempt`` until it gives an answer or raises anything but a TransientError that
        is worth another attempt."""
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=lambda state: stop_after_attempt(self.attempts)(state) or self._is_far(state),
            wait=self._delay_seconds,
            sleep=pause,
            before_sleep=_log_wait,
            reraise=True,
        )
        return retrying(attempt)

    def _is_far(self, state: RetryCallState) -> bool:
        asked = _asked(state)
        return asked is not None and asked > self.max_retry_after_seconds

    def _delay_seconds(self, state: RetryCallState) -> float:
        asked = _asked(state)
        if asked:
            return asked
        is_throttled = isinstance(_failure(state), Throttled)
        first = self.first_delay_seconds * (self.throttled_factor if is_throttled else 1)
        ceiling = min(first * 2.0 ** (state.attempt_number - 1), self.max_delay_seconds)
        return random.uniform(0.5 if is_throttled else 0.1, 1) * ceiling


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _log_wait(state: RetryCallState) -> None:
    seconds = state.next_action.sleep if state.next_action else 0.0
    logger.warning(
        "attempt %d, again in %.1f s: %s", state.attempt_number, seconds, _failure(state)
    )


def _asked(state: RetryCallState) -> float | None:
    failure = _failure(state)
    return failure.retry_after_seconds if isinstance(failure, TransientError) else None


def _seconds_until(http_date: str) -> float | None:
    try:
        at = parsedate_to_datetime(http_date)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), LONGEST_ASKED_SECONDS)
