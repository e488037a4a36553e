"""Times between their two forms: aware datetimes in UTC, and whole µs since 1970."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_US = timedelta(microseconds=1)


def to_us(when: datetime) -> int:
    """Exact, unlike ``timestamp()``, which is a double of seconds."""
    return (when - UNIX_EPOCH) // ONE_US


def from_us(microseconds: int) -> datetime:
    return UNIX_EPOCH + microseconds * ONE_US


def seconds_to_us(seconds: float) -> int:
    return round(seconds * 1_000_000)
