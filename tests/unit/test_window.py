"""What a run reads, and where the next one goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.source import Model, Watermark, Window
from ingestion.sync.common.window import (
    Highest,
    before_clock_change,
    from_state,
    in_words,
    is_in_future,
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


@pytest.mark.parametrize(
    ("watermark", "state", "words"),
    [
        (
            NOW,
            {"kind": "datetime", "value": "2026-03-01T12:00:00+00:00"},
            "2026-03-01T12:00:00+00:00",
        ),
        ("2026-03", {"kind": "str", "value": "2026-03"}, "2026-03"),
        (17, {"kind": "int", "value": 17}, "17"),
    ],
)
def test_how_a_watermark_is_stored_and_shown(
    watermark: Watermark, state: dict[str, Any], words: str
) -> None:
    assert to_state(watermark) == state
    assert in_words(watermark) == words
    assert in_words(None) is None


def test_no_state_is_no_watermark() -> None:
    assert from_state(None) is None


def test_a_watermark_never_goes_back() -> None:
    assert later(NOW, YESTERDAY) == NOW
    assert later(None, YESTERDAY) == YESTERDAY
    assert later(NOW, None) == NOW
    assert later("text", 5) == 5  # of another kind, it cannot be compared


def test_the_highest_cursor_counts_unless_it_lies_ahead() -> None:
    highest = Highest(now=NOW)
    highest.see([YESTERDAY, None, NOW + timedelta(seconds=1), YESTERDAY - timedelta(days=1)])
    assert highest.value == YESTERDAY


def test_a_time_without_a_zone_is_that_of_the_server() -> None:
    zone = ZoneInfo("Asia/Tokyo")
    tokyo = NOW.astimezone(zone).replace(tzinfo=None)
    highest = Highest(now=NOW, zone=zone)
    highest.see([tokyo, tokyo + timedelta(seconds=1)])
    assert highest.value == tokyo


def test_the_present_counts_and_the_next_moment_does_not() -> None:
    moment = timedelta(microseconds=1)
    highest = Highest(now=NOW)
    assert highest.see([NOW])
    assert not highest.see([NOW, NOW + moment])
    assert highest.value == NOW
    local = Highest(now=NOW)
    last = NOW.replace(tzinfo=None)
    assert local.see([last])
    assert not local.see([last + moment])
    assert local.value == last


def test_cursors_without_a_time_count_as_they_are() -> None:
    highest = Highest(now=NOW)
    assert highest.see([3, 17, 5])
    assert not highest.see([None])
    assert highest.value == 17


@pytest.mark.parametrize("unit", [1, 10**3, 10**6])
def test_a_count_of_seconds_may_lie_ahead(unit: int) -> None:
    seconds = int(NOW.timestamp())
    assert not is_in_future(seconds * unit, now=NOW)
    assert is_in_future((seconds + 60) * unit, now=NOW)


@pytest.mark.parametrize(
    ("number", "is_moment"),
    [
        (10**9 - 1, False),
        (10**9, True),
        (10**10 - 1, True),
        (10**10, False),
        (10**12 - 1, False),
        (10**12, True),
        (10**13 - 1, True),
        (10**13, False),
        (10**15 - 1, False),
        (10**15, True),
        (10**16 - 1, True),
        (10**16, False),
    ],
)
def test_which_numbers_count_seconds(number: int, is_moment: bool) -> None:
    """10, 13 or 16 digits; the others are plain numbers, which lie ahead of no moment."""
    assert is_in_future(number, now=datetime(2000, 1, 1, tzinfo=UTC)) is is_moment


@pytest.mark.parametrize(
    ("since", "begins"),
    [
        ("2026-11-01T05:30:00+00:00", "2026-11-01T04:30:00+00:00"),  # 01:30, of which two come
        ("2026-11-01T03:59:00+00:00", "2026-11-01T03:59:00+00:00"),  # two hours before
        ("2026-11-01T06:30:00+00:00", "2026-11-01T06:30:00+00:00"),  # the second 01:30
        ("2026-03-08T06:30:00+00:00", "2026-03-08T06:30:00+00:00"),  # an hour is left out
        ("2026-11-01T01:30:00", "2026-11-01T00:30:00"),
        ("2026-06-01T01:30:00", "2026-06-01T01:30:00"),
    ],
)
def test_before_the_hour_that_comes_twice_more_is_read(since: str, begins: str) -> None:
    found = before_clock_change(datetime.fromisoformat(since), ZoneInfo("America/New_York"))
    assert found == datetime.fromisoformat(begins)


def test_a_cursor_that_is_no_time_has_no_clock_change() -> None:
    assert before_clock_change("A-1000", ZoneInfo("America/New_York")) == "A-1000"
    assert before_clock_change(17, ZoneInfo("America/New_York")) == 17


@pytest.mark.parametrize(
    ("cursor", "is_ahead"),
    [
        (f"{int(NOW.timestamp()) - 60:08x}{'f' * 16}", False),
        (f"{int(NOW.timestamp()) + 60:08x}{'0' * 16}", True),
        ((NOW - timedelta(seconds=1)).isoformat(), False),
        ((NOW + timedelta(seconds=1)).isoformat(), True),
        ("A-1000", False),
        (17, False),
    ],
)
def test_a_text_may_tell_a_moment(cursor: str | int, is_ahead: bool) -> None:
    assert is_in_future(cursor, now=NOW) is is_ahead
