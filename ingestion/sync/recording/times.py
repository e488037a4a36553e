"""What reads as a time, a zone or a day: a sync decides by them what to read, so they stay."""

from __future__ import annotations

import re
from datetime import date
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
YEAR: Final = re.compile(r"\d{4}")
FIRST_YEAR: Final = 2005  # nothing that a CRM over HTTP keeps is older
DAY_ZERO: Final = date(1899, 12, 30)
ZONES: Final = frozenset(available_timezones())


def birthday(name: str, text: str) -> str:
    """The day at the beginning of ``text`` that is one of somebody's life: the field says so, or it is
    so long ago and stands alone, as where a list of values names no field. Else nothing."""
    day = DAY.match(text)
    if day is None:
        return ""
    year = YEAR.search(day[0])
    is_old = year is not None and int(year[0]) < FIRST_YEAR and day.end() == len(text)
    return day[0] if is_old or BIRTHS.search(name) else ""


def day_numbers(text: str) -> set[int]:
    """What a sheet may hold beneath a day that it shows: days since 1899-12-30, by either order of
    month and day; none where the text begins with no such day."""
    day = DAY.match(text)
    parts = [int(part) for part in re.findall(r"\d+", day[0])] if day else []
    if len(parts) != 3:
        return set()
    orders = ((0, 1, 2),) if parts[0] > 31 else ((2, 0, 1), (2, 1, 0))
    return {number for order in orders if (number := _number(*(parts[i] for i in order)))}


def _number(year: int, month: int, day: int) -> int:
    try:
        return (date(year + 2000 if year < 100 else year, month, day) - DAY_ZERO).days
    except ValueError:
        return 0


def is_time(name: str, text: str) -> bool:
    """``name``: of the field. A day of somebody's life is no time."""
    if BIRTHS.search(name) or birthday(name, text):
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
