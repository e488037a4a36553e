"""Values that do not fit their columns: what ``_misfits`` keeps of them, and why they do not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

Reason = Literal[
    "too_long",  # a number of more digits than are kept
    "out_of_range",  # beyond 64 bits, the year 9999 or a day
    "not_a_number",
    "not_whole",  # a fraction where whole numbers stand
    "not_exact",  # a number that a double does not hold
    "not_a_bool",
    "not_a_date",
    "has_a_time",  # where days stand
    "not_a_time",
    "not_json",
    "not_text",
    "not_binary",
]

_REASONS: Final[Mapping[str, Reason]] = {
    "text": "not_text",
    "bool": "not_a_bool",
    "json": "not_json",
    "binary": "not_binary",
}
_NUMBERS: Final = frozenset({"bigint", "double", "decimal"})
_FAR_YEAR: Final = re.compile(r"\s*[+-]?\d{5,}-\d\d?-\d\d?")
_MOST_DOUBLE: Final = Decimal("1.7976931348623157e308")


def misfit(value: Any, reason: Reason) -> dict[str, Any]:
    """What ``_misfits`` keeps under a column's name. ``value``: as JSON takes it."""
    return {"reason": reason, "value": value}


def misfit_values(misfits: Mapping[str, Any]) -> dict[str, Any]:
    """The values of ``_misfits`` by column. Older releases kept them without reasons."""
    return {
        column: entry["value"] if _has_reason(entry) else entry for column, entry in misfits.items()
    }


def _has_reason(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.keys() == {"reason", "value"}


def reason_of(value: Any, data_type: str, problem: Exception) -> Reason:
    """Why a value does not fit. ``problem``: what converting it has raised."""
    if data_type in _REASONS:
        return _REASONS[data_type]
    if data_type in _NUMBERS:
        return _reason_of_number(value, data_type)
    is_far = isinstance(value, str) and _FAR_YEAR.match(value)
    if is_far or isinstance(problem, OverflowError):
        return "out_of_range"
    if data_type == "time":
        return "out_of_range" if isinstance(value, timedelta) else "not_a_time"
    if data_type == "date":
        return "has_a_time" if _is_moment(value) else "not_a_date"
    return "not_a_time"


def _reason_of_number(value: Any, data_type: str) -> Reason:
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return "not_a_number"
    # Python takes 1_000 for a number, which nobody writes so.
    if isinstance(value, bytes | bool) or not number.is_finite() or "_" in str(value):
        return "not_a_number"
    if data_type == "decimal":
        return "too_long"
    if data_type == "double":
        return "not_exact" if abs(number) <= _MOST_DOUBLE else "out_of_range"
    return "not_whole" if abs(number) < 2**63 else "out_of_range"


def _is_moment(value: Any) -> bool:
    if isinstance(value, str):
        try:
            datetime.fromisoformat(value.strip())
        except ValueError:
            return False
        return True
    return isinstance(value, date)
