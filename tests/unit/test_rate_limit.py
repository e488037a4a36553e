"""The places of a rate within one process."""

from __future__ import annotations

import pytest

from ingestion.sync.common.rate_limit import ProcessRateLimiter, Rate


def test_a_rate_lets_no_more_than_its_number_into_any_window() -> None:
    now = [100.0]
    limiter = ProcessRateLimiter(clock=lambda: now[0])
    rate = Rate("acme", requests=2, window_seconds=10)
    assert rate.patience_seconds > 20

    waits = [limiter.reserve(rate) for _ in range(5)]
    now[0] = 109.0
    later = limiter.reserve(rate)

    assert waits == [0, 0, 11, 11, 22]
    assert later == 13


@pytest.mark.parametrize("window_seconds", [1, 10, 60, 3600])
def test_a_request_that_is_late_does_not_make_its_window_too_full(window_seconds: float) -> None:
    """The CRM counts when it arrives: the first ones late, those after them at once."""
    rate = Rate("acme", requests=3, window_seconds=window_seconds, patience_seconds=10**6)
    limiter = ProcessRateLimiter(clock=lambda: 0.0)
    late = 0.2 if window_seconds == 1 else 0.9
    places = [limiter.reserve(rate) for _ in range(9)]

    arrivals = [at + (late if number < 3 else 0) for number, at in enumerate(places)]

    assert all(b - a >= window_seconds for a, b in zip(arrivals, arrivals[3:], strict=False))
    assert rate.spaced_seconds <= window_seconds + 2


def test_no_place_is_taken_beyond_the_patience() -> None:
    now = [100.0]
    limiter = ProcessRateLimiter(clock=lambda: now[0])
    rate = Rate("acme", requests=1, window_seconds=3600, patience_seconds=300)

    waits = [limiter.reserve(rate) for _ in range(3)]
    now[0] = 3500.0

    assert waits == [0, 3602, 3602]
    assert limiter.reserve(rate) == 202
