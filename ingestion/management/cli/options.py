"""What the words after an option may be; each refuses with what is allowed."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from ingestion.pool.order_rule import checked_aging
from ingestion.pool.store import PAGE
from ingestion.pool.task import utc_now

AGO = re.compile(r"(?P<number>\d{1,5})(?P<unit>[smhd])")
AGO_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
INTERVAL_MIN_SECONDS, INTERVAL_MAX_SECONDS = 0.2, 3600.0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json(text: str) -> Any:
    """Raises ValueError; NaN and Infinity, which Python reads, are no JSON."""
    return json.loads(text, parse_constant=_refuse_constant)


def parameter(text: str) -> tuple[str, Any]:
    """``k=v``; v is read as JSON where it is JSON, else it is text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ArgumentTypeError(f"{text!r} must be NAME=VALUE, e.g. full=true")
    try:
        return name.strip(), _json(value)
    except ValueError:
        return name.strip(), value


def parameter_object(text: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = _json(text)
    except ValueError as problem:
        raise ArgumentTypeError(_object_wanted(text)) from problem
    if not isinstance(found, dict):
        raise ArgumentTypeError(_object_wanted(text))
    return found


def _object_wanted(text: str) -> str:
    return f"{text!r} must be a JSON object, e.g. '{{\"full\": true}}'"


def whole_number(text: str) -> int:
    """Its range is the pool's to say."""
    try:
        return int(text)
    except ValueError as problem:
        raise ArgumentTypeError(f"{text!r} must be a whole number") from problem


def moment(text: str) -> datetime:
    """``90m``, ``2h``, ``3d`` ago, or a date or time as ISO 8601; without a zone it is UTC."""
    if ago := AGO.fullmatch(text.strip()):
        return utc_now() - timedelta(seconds=_ago_seconds(ago))
    try:
        when = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as problem:
        raise ArgumentTypeError(
            f"{text!r} must be a time such as 2h, 3d, 2026-01-31 or 2026-01-31T06:00"
        ) from problem
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def coming(text: str) -> datetime:
    """``90m``, ``2h``, ``3d`` from now, or a time to come as ISO 8601; without a zone it is UTC."""
    if given := AGO.fullmatch(text.strip()):
        return utc_now() + timedelta(seconds=_ago_seconds(given))
    when = moment(text)
    if when <= utc_now():
        raise ArgumentTypeError(f"{text!r} has passed already; give a time to come such as 2h")
    return when


def age_seconds(text: str) -> float:
    """``90m``, ``2h``, ``3d``."""
    given = AGO.fullmatch(text.strip())
    if given is None:
        raise ArgumentTypeError(f"{text!r} must be an age such as 90m, 2h or 3d")
    return _ago_seconds(given)


def _ago_seconds(given: re.Match[str]) -> int:
    return int(given["number"]) * AGO_SECONDS[given["unit"]]


def shown_tasks(text: str) -> int:
    return _at_least(1, text)


def tasks_of_a_page(text: str) -> int:
    number = shown_tasks(text)
    if number > PAGE:
        raise ArgumentTypeError(f"{number} is out of range: allowed is {PAGE} at most")
    return number


def count(text: str) -> int:
    return _at_least(0, text)


def _at_least(lowest: int, text: str) -> int:
    number = whole_number(text)
    if number < lowest:
        raise ArgumentTypeError(f"{number} is out of range: allowed is {lowest} or more")
    return number


def interval_seconds(text: str) -> float:
    return _seconds(text, INTERVAL_MIN_SECONDS, INTERVAL_MAX_SECONDS)


def timeout_seconds(text: str) -> float:
    return _seconds(text, 0, 7 * 86_400)


def aging_seconds(text: str) -> float:
    try:
        return checked_aging(float(text))
    except ValueError as problem:
        raise ArgumentTypeError(
            f"{text!r} must be a number of seconds, 0 (strict priority) or more"
        ) from problem


def minutes(text: str) -> float:
    return _number(text, 1, 7 * 1440, "minutes")


def _seconds(text: str, lowest: float, highest: float) -> float:
    return _number(text, lowest, highest, "seconds")


def _number(text: str, lowest: float, highest: float, unit: str) -> float:
    allowed = f"{lowest:g} to {highest:g} {unit}"
    try:
        number = float(text)
    except ValueError as problem:
        raise ArgumentTypeError(f"{text!r} must be a number, {allowed}") from problem
    if not lowest <= number <= highest:
        raise ArgumentTypeError(f"{number:g} is out of range: allowed is {allowed}")
    return number
