"""The announced starts are true: the benchmark's replay, with a fixed seed."""

from __future__ import annotations

import pytest

from benchmarks.start_ranges import Result, replay


@pytest.fixture(scope="module")
def result() -> Result:
    return replay(500, seed=1)


def test_four_starts_of_five_lie_within_the_announced_range(result: Result) -> None:
    assert len(result.announced) > 300
    assert result.coverage >= 0.8


def test_the_range_is_worth_announcing(result: Result) -> None:
    """A range from now to the end of days would always be true."""
    assert result.median_width_seconds < 2 * result.median_wait_seconds
