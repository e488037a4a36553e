"""Whether a row of the warehouse holds what a CRM sent: a small comparison by type.

It errs on the side of silence: where it does not understand what was sent it says so (None), and no
difference is reported. What it understands it compares exactly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from ingestion.sync.raw.reader import Raw

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_AMOUNT: Final = re.compile(
    r"(?P<open>\()?\s*(?P<one>[+\-\u2212]?)\s*[$\u20ac\u00a3\u00a5\u20b9]?\s*(?P<two>[+\-\u2212]?)\s*"
    r"(?P<digits>(\d{1,3}(,\d{2,3})*,\d{3}|\d+)(\.\d+)?)\s*[$\u20ac\u00a3\u00a5\u20b9]?\s*(?P<close>\))?"
)
_ISO: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?"
    r"\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?"
)
_WCF: Final = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")
_CLOCK: Final = re.compile(r"(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d+))?)?")
_MILLISECONDS: Final = range(10**8, 10**15)
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
# Every column of numbers takes what is smaller, whatever its precision.
_MOST: Final = Decimal(10) ** 15
_TRUE: Final = ("true", "t", "yes", "y", "1")
_FALSE: Final = ("false", "f", "no", "n", "0")
_ZERO: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a time of the calendar


# For a value that a reader does not understand.
UNKNOWN: Final[Raw] = {"\x00": "unknown"}


class Unclear(ValueError):
    """What was sent is not understood here."""


@dataclass(frozen=True)
class Plain:
    """``zone``: of times that name none."""

    zone: tzinfo = UTC

    def same(self, raw: Raw, stored: str | None, data_type: str) -> bool | None:
        """``stored``: as text, None for no value."""
        if raw == UNKNOWN:
            return None
        try:
            if stored is None:
                return self._is_nothing(raw, data_type)
            if raw is None or (raw == "" and data_type != "text"):
                return False
            return _COMPARED[data_type](raw, stored, self.zone)
        except (Unclear, ValueError, OverflowError, ArithmeticError):
            return None

    def same_misfit(self, raw: Raw, kept: Raw, data_type: str) -> bool | None:
        """``kept``: the value in ``_misfits`` that stands for what did not fit its column. One that
        is understood here and would have fitted is not in its place there."""
        if kept is None:
            return None
        if self._fits(raw, data_type):
            return False
        return same_json(raw, kept) or clean(str(raw)) == str(kept) or None

    def is_fraction(self, raw: Raw) -> bool:
        """Whether a number was sent that is not whole."""
        try:
            found = number(raw)
        except (Unclear, ArithmeticError):
            return False
        return abs(found) < _MOST and found != found.to_integral_value()

    def _fits(self, raw: Raw, data_type: str) -> bool:
        """Only what fits for certain: the rest may rightly stand beside its column."""
        try:
            return bool(_FITS[data_type](raw, self.zone))
        except (KeyError, Unclear, ValueError, OverflowError, ArithmeticError):
            return False

    def _is_nothing(self, raw: Raw, data_type: str) -> bool | None:
        if raw is None or raw == "":
            return True
        if isinstance(raw, str) and data_type != "text" and not raw.strip():
            return True
        if isinstance(raw, str) and data_type == "text":
            return clean(raw) == ""
        # Zeros that stand for no date, and numbers that are none, are nothing; who knows what else.
        return None if isinstance(raw, str) and not re.search(r"[1-9]", raw) else False


def _text(raw: Raw, stored: str, zone: tzinfo) -> bool:
    if isinstance(raw, str):
        return clean(raw) == stored
    if isinstance(raw, bool):
        return str(raw).lower() == stored.lower()
    if isinstance(raw, int | Decimal):
        return number(raw) == number(stored)
    return same_json(raw, read_json(stored))


def _number(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return number(raw) == number(stored)


def _double(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return float(number(raw)) == float(number(stored))


def _bool(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return truth(raw) == truth(stored)


def _timestamp(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return instant(raw, zone) == instant(stored, UTC)


def _datetime(raw: Raw, stored: str, zone: tzinfo) -> bool:
    """A time without a zone is kept as it is."""
    return instant(raw, UTC) == instant(stored, UTC)


def _date(raw: Raw, stored: str, zone: tzinfo) -> bool:
    at = instant(raw, UTC)
    if (at.hour, at.minute, at.second) != (0, 0, 0):
        raise Unclear
    return at.date() == instant(stored, UTC).date()


def _time(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return clock(raw) == clock(stored)


def _json(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return same_json(read_json(raw) if isinstance(raw, str) else raw, read_json(stored))


def _binary(raw: Raw, stored: str, zone: tzinfo) -> bool:
    return str(raw).lower() == stored.removeprefix("\\x").lower()


_COMPARED: Final[Mapping[str, Callable[[Raw, str, tzinfo], bool]]] = {
    "text": _text,
    "bigint": _number,
    "decimal": _number,
    "double": _double,
    "bool": _bool,
    "timestamp": _timestamp,
    "datetime": _datetime,
    "date": _date,
    "time": _time,
    "json": _json,
    "binary": _binary,
}


def _is_text(raw: Raw, zone: tzinfo) -> bool:
    return isinstance(raw, str)


def _is_whole(raw: Raw, zone: tzinfo) -> bool:
    found = number(raw)
    return abs(found) < _MOST and found == found.to_integral_value()


def _is_decimal(raw: Raw, zone: tzinfo) -> bool:
    return abs(number(raw)) < _MOST


def _is_double(raw: Raw, zone: tzinfo) -> bool:
    """One of fewer than 53 bits is held exactly."""
    is_number = not isinstance(raw, str) or bool(_NUMBER.fullmatch(raw.strip()))
    return is_number and _is_whole(raw, zone)


def _is_truth(raw: Raw, zone: tzinfo) -> bool:
    return truth(raw) in (True, False)


def _is_moment(raw: Raw, zone: tzinfo) -> bool:
    return isinstance(raw, str) and instant(raw, zone).year > 1


def _is_day(raw: Raw, zone: tzinfo) -> bool:
    return isinstance(raw, str) and bool(date.fromisoformat(raw)) and len(raw) == len("2026-01-09")


def _is_object(raw: Raw, zone: tzinfo) -> bool:
    return isinstance(raw, dict | list)


_FITS: Final[Mapping[str, Callable[[Raw, tzinfo], bool]]] = {
    "text": _is_text,
    "bigint": _is_whole,
    "decimal": _is_decimal,
    "double": _is_double,
    "bool": _is_truth,
    "timestamp": _is_moment,
    "date": _is_day,
    "json": _is_object,
}


def clean(text: str) -> str:
    """Without what no warehouse stores."""
    return _UNSTORABLE.sub("", text)


def number(raw: Raw) -> Decimal:
    """Exact; of amounts as people write them too. Raises Unclear."""
    if isinstance(raw, bool):
        raise Unclear
    if isinstance(raw, int | Decimal):
        return Decimal(raw)
    if not isinstance(raw, str):
        raise Unclear
    text = raw.strip()
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    found = _AMOUNT.fullmatch(text)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise Unclear
    signs = [*(found["open"] or ""), *found["one"], *found["two"]]
    if len(signs) > 1:
        raise Unclear
    digits = Decimal(found["digits"].replace(",", ""))
    return digits if signs in ([], ["+"]) else -digits


def truth(raw: Raw) -> bool:
    word = str(raw).strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise Unclear
    return word in _TRUE


def instant(raw: Raw, zone: tzinfo) -> datetime:
    """As a time of UTC without a zone. Raises Unclear."""
    if isinstance(raw, int | Decimal) and not isinstance(raw, bool):
        if int(raw) not in _MILLISECONDS:
            raise Unclear
        return _ZERO + timedelta(milliseconds=int(raw))
    text = raw.strip() if isinstance(raw, str) else ""
    if found := _WCF.fullmatch(text):
        return _in_utc(_ZERO + timedelta(milliseconds=int(found[1])), zone)
    if re.fullmatch(r"-?\d{9,15}", text):
        return _ZERO + timedelta(milliseconds=int(text))
    iso = _ISO.fullmatch(text)
    if iso is None:
        raise Unclear
    parts = [int(part or 0) for part in iso.groups()[:6]]
    microseconds = int((iso[7] or "")[:6].ljust(6, "0"))
    year, month, day, hour, minute, second = parts
    at = datetime(year, month, day, hour, minute, second, microseconds)  # noqa: DTZ001
    return at - _offset(iso[8]) if iso[8] else _in_utc(at, zone)


def _offset(text: str) -> timedelta:
    if text in ("Z", "UTC"):
        return timedelta()
    digits = text[1:].replace(":", "").ljust(4, "0")
    found = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -found if text[0] == "-" else found


def _in_utc(at: datetime, zone: tzinfo) -> datetime:
    return at.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


def clock(raw: Raw) -> tuple[int, int, int, str]:
    found = _CLOCK.fullmatch(str(raw).strip())
    if found is None:
        raise Unclear
    return int(found[1]), int(found[2]), int(found[3] or 0), (found[4] or "").rstrip("0")


def read_json(text: str) -> Raw:
    """With exact numbers. Raises ValueError."""
    return json.loads(text, parse_float=Decimal, parse_constant=lambda name: None)


def same_json(one: Raw, other: Raw) -> bool:
    """By value: 1.0 is 1, and true is not."""
    if isinstance(one, dict) and isinstance(other, dict):
        cleaned = {clean(str(name)): value for name, value in one.items()}
        return cleaned.keys() == other.keys() and all(
            same_json(value, other[name]) for name, value in cleaned.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return clean(one) == other
    return bool(one == other)


def shown(raw: Any, longest: int = 40) -> str:
    """For a message."""
    if isinstance(raw, str | int | Decimal):
        text = str(raw)
    else:
        text = json.dumps(raw, default=str, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
