"""What a run reads, and where the next one goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.source import Model, Watermark, Window
from ingestion.sync.common.window import (
    Highest,
    from_state,
    later,
    moves_watermark,
    to_state,
    window_for,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
BY_CURSOR = Model("m", cursor="at", incremental="cursor", overlap_seconds=30)
BY_START = Model("m", incremental="run_start", overlap_seconds=30)
ALWAYS_FULL = Model("m")


@pytest.mark.parametrize(
    ("model", "options", "watermark", "expected"),
    [
        (BY_CURSOR, {}, None, Window()),
        (BY_CURSOR, {}, YESTERDAY, Window(since=YESTERDAY - timedelta(seconds=30))),
        (BY_CURSOR, {}, 41, Window(since=41)),
        (BY_START, {}, YESTERDAY, Window(since=YESTERDAY - timedelta(seconds=30))),
        (BY_CURSOR, {"mode": "full"}, YESTERDAY, Window()),
        (BY_CURSOR, {"mode": "force7"}, YESTERDAY, Window(since=NOW - timedelta(days=7))),
        (BY_CURSOR, {"start_date": YESTERDAY}, NOW, Window(since=YESTERDAY)),
        (BY_CURSOR, {"end_date": YESTERDAY}, NOW, Window(until=YESTERDAY)),
        (ALWAYS_FULL, {}, YESTERDAY, Window()),
        (ALWAYS_FULL, {"mode": "force7"}, None, Window()),
        (ALWAYS_FULL, {"start_date": YESTERDAY}, None, Window(since=YESTERDAY)),
    ],
)
def test_the_window_of_a_run(
    model: Model, options: dict[str, Any], watermark: Watermark | None, expected: Window
) -> None:
    assert window_for(model, SyncOptions(**options), watermark, now=NOW) == expected


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        (BY_CURSOR, {}, True),
        (BY_START, {"mode": "full"}, True),
        (ALWAYS_FULL, {}, False),
        (BY_CURSOR, {"mode": "force7"}, False),
        (BY_CURSOR, {"start_date": YESTERDAY}, False),
        (BY_CURSOR, {"end_date": YESTERDAY}, False),
        (BY_CURSOR, {"max_records": 5}, False),
    ],
)
def test_only_a_run_that_reads_all_there_is_moves_the_watermark(
    model: Model, options: dict[str, Any], expected: bool
) -> None:
    assert moves_watermark(model, SyncOptions(**options)) is expected


@pytest.mark.parametrize("watermark", [NOW, NOW.replace(tzinfo=None), "2026-03", 17])
def test_a_watermark_survives_the_state(watermark: Watermark) -> None:
    assert from_state(to_state(watermark)) == watermark


def test_no_state_is_no_watermark() -> None:
    assert from_state(None) is None


def test_a_watermark_never_goes_back() -> None:
    assert later(NOW, YESTERDAY) == NOW
    assert later(None, YESTERDAY) == YESTERDAY
    assert later(NOW, None) == NOW


def test_the_highest_cursor_counts_unless_it_lies_ahead() -> None:
    highest = Highest(now=NOW)
    highest.see([YESTERDAY, None, NOW + timedelta(seconds=1), YESTERDAY - timedelta(days=1)])
    assert highest.value == YESTERDAY


def test_a_local_time_may_be_ahead_of_utc() -> None:
    tokyo = NOW.replace(tzinfo=None) + timedelta(hours=9)
    highest = Highest(now=NOW)
    highest.see([tokyo, tokyo + timedelta(days=1)])
    assert highest.value == tokyo
