"""Fits a value to a column's type, and writes a value so that equal values look equal.

``datetime`` is a ``timestamp`` without a zone, kept as the CRM tells it.
What cannot be stored anywhere is replaced: numbers that are NaN or infinite by None, NUL characters
and lone surrogates by nothing. No digit of a number is changed: what a type cannot hold exactly does
not fit it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from ingestion.sync.common.misfits import Reason, reason_of

BIGINT: Final = range(-(2**63), 2**63)
# No CRM's number is longer on either side of its point; "1e999999" would fill a disk.
LONGEST_DECIMAL: Final = 100
DAY: Final = timedelta(days=1)
WHOLE_NUMBER: Final = re.compile(r"[+-]?\d+")
# Python also reads "1_000" and "Infinity".
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
# What PostgreSQL refuses in a text, and UTF-8 in a file.
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
TRUE: Final = frozenset({"true", "t", "yes", "y", "1"})
FALSE: Final = frozenset({"false", "f", "no", "n", "0"})


class DoesNotFit(ValueError):
    """The value cannot be stored in a column of this type."""

    def __init__(self, message: str, reason: Reason = "not_text") -> None:
        super().__init__(message)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Decimals:
    """What a warehouse's decimals hold: so many digits before the point, and so many behind it."""

    whole: int
    places: int

    @property
    def pattern(self) -> str:
        """Of the plain texts that fit."""
        return rf"^-?[0-9]{{1,{self.whole}}}(\.[0-9]{{1,{self.places}}})?$"

    def check(self, value: Any) -> None:
        """Raises DoesNotFit."""
        if isinstance(value, Decimal) and not re.match(self.pattern, plain_decimal(value)):
            raise DoesNotFit("more digits than the warehouse's decimals have", "too_long")


def type_of(value: Any) -> str | None:
    """The data type of a column whose first value this is; None for None."""
    if value is None:
        return None
    for kinds, data_type in _TYPES_BY_VALUE:
        if isinstance(value, kinds):
            return data_type
    raise DoesNotFit(f"a {type(value).__name__} has no column type")


def _type_of_datetime(value: datetime) -> str:
    return "datetime" if value.tzinfo is None else "timestamp"


def refined_type(data_type: str, value: Any) -> str:
    """``timestamp`` declared and a time without a zone found: a ``datetime``."""
    if data_type == "timestamp" and isinstance(value, datetime):
        return _type_of_datetime(value)
    return data_type


def fit(value: Any, data_type: str) -> Any:
    """The value as a column of this type stores it. Raises DoesNotFit."""
    if value is None:
        return None
    try:
        return _FITTERS[data_type](value)
    except (ValueError, TypeError, OverflowError, InvalidOperation) as problem:
        reason = reason_of(value, data_type, problem)
        raise DoesNotFit(f"a {type(value).__name__} does not fit {data_type}", reason) from problem


def clean_text(value: str) -> str:
    """``value`` without the characters that no warehouse stores."""
    return UNSTORABLE.sub("", value) if UNSTORABLE.search(value) else value


def json_safe(value: Any) -> Any:
    """``value`` of nothing but JSON's own types."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(str(name)): json_safe(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_safe(item) for item in value]
    return _any_text(value)


def canonical(value: Any, data_type: str) -> str:
    """The same text for equal values, whether from the CRM or from the warehouse."""
    return _CANONICAL[data_type](value)


def _fit_text(value: Any) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return clean_text(bytes(value).decode())
    if isinstance(value, dict | list | tuple | set | frozenset):
        return json.dumps(json_safe(value), ensure_ascii=False)
    if isinstance(value, int | float | UUID | timedelta):
        return str(value)
    raise TypeError


def _any_text(value: Any) -> str:
    try:
        return _fit_text(value)
    except (TypeError, ValueError):
        return clean_text(repr(value))


def _blank_is_none(fitter: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """APIs that type everything as text send an empty one for "no value"."""

    def fit_unless_blank(value: Any) -> Any:
        if isinstance(value, str):
            value = value.strip()
            if not value:
                return None
        return fitter(value)

    return fit_unless_blank


def _fit_bigint(value: Any) -> int:
    if isinstance(value, str):
        whole, _, zeros = value.partition(".")
        if not WHOLE_NUMBER.fullmatch(whole) or zeros.strip("0"):
            raise ValueError
        number = int(whole)
    elif isinstance(value, int | float | Decimal):
        number = int(value)
        if number != value:
            raise ValueError
    else:
        raise TypeError
    if number not in BIGINT:
        raise ValueError
    return number


def _check_number(value: object) -> None:
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        raise ValueError


def _fit_double(value: Any) -> float | None:
    if not isinstance(value, str | int | float | Decimal):
        raise TypeError
    _check_number(value)
    number = float(value)
    if not math.isfinite(number):
        if isinstance(value, str) or Decimal(value).is_finite():  # 1e400 is a number
            raise OverflowError
        return None
    if isinstance(value, int | Decimal) and Decimal(repr(number)) != value:
        raise ValueError
    return number


def _fit_decimal(value: Any) -> Decimal | None:
    if isinstance(value, float):
        value = Decimal(repr(value))
    if not isinstance(value, str | int | Decimal):
        raise TypeError
    _check_number(value)
    number = Decimal(value)
    if not number.is_finite():
        return None
    exponent = number.as_tuple().exponent
    if number.adjusted() >= LONGEST_DECIMAL or int(exponent) < -LONGEST_DECIMAL:
        raise ValueError
    return number


def _fit_bool(value: Any) -> bool:
    if isinstance(value, bytes):  # MySQL's BIT(1)
        value = int.from_bytes(value)
    if isinstance(value, int | float | Decimal) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise ValueError


def _as_datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the caller decides
    raise TypeError


def _fit_timestamp(value: Any) -> datetime:
    found = _as_datetime(value)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _fit_datetime(value: Any) -> datetime:
    found = _as_datetime(value)
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


def _fit_date(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    found = _as_datetime(value)
    if found.time() != time():
        raise ValueError
    return found.date()


def _fit_time(value: Any) -> time:
    if isinstance(value, str):
        value = time.fromisoformat(value)
    if isinstance(value, timedelta):  # MySQL's TIME
        if not timedelta() <= value < DAY:
            raise ValueError
        value = (datetime.min + value).time()  # noqa: DTZ901 - only its time is used
    if not isinstance(value, time) or value.tzinfo is not None:
        raise TypeError
    return value


def _fit_json(value: Any) -> Any:
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, dict | list | tuple | set | frozenset):
        raise TypeError
    return json_safe(value)


def _fit_binary(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise TypeError
    return bytes(value)


_FITTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "text": _fit_text,
    "bigint": _blank_is_none(_fit_bigint),
    "double": _blank_is_none(_fit_double),
    "decimal": _blank_is_none(_fit_decimal),
    "bool": _blank_is_none(_fit_bool),
    "timestamp": _blank_is_none(_fit_timestamp),
    "datetime": _blank_is_none(_fit_datetime),
    "date": _blank_is_none(_fit_date),
    "time": _blank_is_none(_fit_time),
    "json": _blank_is_none(_fit_json),
    "binary": _fit_binary,
}

# bool before int and datetime before date: each is a kind of the other.
_TYPES_BY_VALUE: Final[tuple[tuple[Any, str], ...]] = (
    ((str, UUID), "text"),
    (bool, "bool"),
    (int, "bigint"),
    (float, "double"),
    (Decimal, "decimal"),
    (datetime, "timestamp"),
    (date, "date"),
    ((time, timedelta), "time"),
    ((dict, list, tuple, set, frozenset), "json"),
    ((bytes, bytearray, memoryview), "binary"),
)


def plain_decimal(value: Decimal | int) -> str:
    """All digits, without an exponent and without zeros that say nothing."""
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _canonical_decimal(value: Any) -> str:
    return plain_decimal(Decimal(value))


def _canonical_moment(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return value.isoformat(timespec="microseconds")


def _canonical_json(value: Any) -> str:
    return json.dumps(_plain_numbers(value), sort_keys=True, separators=(",", ":"))


def _plain_numbers(value: Any) -> Any:
    """A JSON store may hand back 1.0 as 1, and 1e20 as an integer."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    return value


_CANONICAL: Final[dict[str, Callable[[Any], str]]] = {
    "text": str,
    "bigint": str,
    "double": lambda value: repr(value + 0.0),  # SQLite keeps -0.0 as 0.0
    "decimal": _canonical_decimal,
    "bool": str,
    "timestamp": _canonical_moment,
    "datetime": _canonical_moment,
    "date": date.isoformat,
    "time": lambda value: time.isoformat(value, timespec="microseconds"),
    "json": _canonical_json,
    "binary": lambda value: bytes(value).hex(),
}
