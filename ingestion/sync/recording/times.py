"""What reads as a time, a zone or a day: a sync decides by them what to read, so they stay."""

from __future__ import annotations

import re
from typing import Final
from zoneinfo import available_timezones

DAY: Final = re.compile(
    r"(?P<iso>\d{4}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?!\d))"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.] ?(?:0?[1-9]|[12]\d|3[01])[-/.] ?(?:\d{4}|\d{2})(?!\d)"
    r"|(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?[ -](?:MONTH)[ -]\d{4}"
    r"|(?:MONTH) (?:0?[1-9]|[12]\d|3[01]),? \d{4}".replace(
        "MONTH", "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    ),
    re.IGNORECASE,
)
CLOCK: Final = re.compile(
    r"\d{1,2}:[0-5]\d(?::[0-6]\d(?:[.,]\d+)?)?(?: ?[ap]m)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?",
    re.IGNORECASE,
)
COMPACT: Final = re.compile(r"(?:19|20)\d{6}T\d{6}(?:\.\d+)?Z?")
SINCE_1970: Final = re.compile(r"/Date\(-?\d+(?:[+-]\d{4})?\)/")
EPOCH: Final = re.compile(r"1\d{9}(?:\d{3})?(?:\.\d+)?")
TIME_NAMES: Final = re.compile(r"time|date|created|updated|modified|_at$|At$|timestamp", re.I)
BIRTHS: Final = re.compile(r"birth|dob$|anniversary", re.IGNORECASE)
ZONES: Final = frozenset(available_timezones())


def is_time(name: str, text: str) -> bool:
    """``name``: of the field. A day of birth is somebody's value, not a time."""
    if BIRTHS.search(name):
        return False
    if text in ZONES and "/" in text:
        return True
    if COMPACT.fullmatch(text) or SINCE_1970.fullmatch(text):
        return True
    if EPOCH.fullmatch(text):
        return bool(TIME_NAMES.search(name))
    day = DAY.match(text)
    if day is None:
        return bool(CLOCK.fullmatch(text))
    rest = text[day.end() :].lstrip("T, ")
    return not rest or bool(CLOCK.fullmatch(rest))
