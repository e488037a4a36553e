"""The parameters of a sync, and the command-line flags that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from ingestion.pool.errors import InvalidParameters
from ingestion.services.requests.texts import shown

MODES = ("delta", "full", "force7")
LARGEST_BATCH = 10_000

Flags = list[str]


def command_flags(parameters: Mapping[str, Any]) -> Flags:
    """``{"mode": "full", "max_records": 10}`` becomes ``["--full", "--max-records=10"]``.

    Raises InvalidParameters that names the known parameters or what a value may be. None means
    that the parameter was not given.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    if unknown := sorted(given.keys() - KNOWN.keys()):
        raise InvalidParameters(
            f"Unknown parameters: {', '.join(unknown)}; known are: {', '.join(KNOWN)}."
        )
    flags = [flag for name, value in given.items() for flag in KNOWN[name](name, value)]
    _refuse_contradictions(flags)
    _refuse_empty_window(given)
    return flags


def _switch(name: str, value: object) -> Flags:
    if not isinstance(value, bool):
        raise InvalidParameters(f"{name} must be true or false, not {shown(value)}.")
    return [_flag(name)] if value else []


def _mode(name: str, value: object) -> Flags:
    if value not in MODES:
        raise InvalidParameters(f"{name} must be one of {', '.join(MODES)}, not {shown(value)}.")
    return [] if value == "delta" else [f"--{value}"]


def _number(highest: int | None) -> Callable[[str, object], Flags]:
    def flags(name: str, value: object) -> Flags:
        if type(value) is not int or value < 1 or (highest and value > highest):
            upper = f" to {highest}" if highest else ""
            raise InvalidParameters(
                f"{name} must be a whole number from 1{upper}, not {shown(value)}."
            )
        return [f"{_flag(name)}={value}"]

    return flags


def _moment(name: str, value: object) -> Flags:
    """A date or a time in ISO 8601; Python callers may give the object itself."""
    text = _text_of(value) if isinstance(value, date) else value
    if not isinstance(text, str) or not _is_iso(text):
        raise InvalidParameters(
            f"{name} must be a date such as 2026-01-31 or a time such as 2026-01-31T06:00:00Z, "
            f"not {shown(value)}."
        )
    return [f"{_flag(name)}={text.strip()}"]


def _is_iso(text: str) -> bool:
    """A moment that can be told in UTC: close to the ends of the calendar some cannot."""
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True


def moment_of(text: str, time_of_day: time = time.min) -> datetime:
    """A date or a time in ISO 8601 as a moment in UTC; without a zone it is UTC, and a day has
    ``time_of_day``. Raises ValueError, OverflowError."""
    plain = text.strip()
    if len(plain) <= len("2026-01-31"):
        return datetime.combine(date.fromisoformat(plain), time_of_day, tzinfo=UTC)
    found = datetime.fromisoformat(plain)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _refuse_empty_window(given: Mapping[str, Any]) -> None:
    start, end = given.get("start_date", given.get("since")), given.get("end_date")
    if start is None or end is None:
        return
    if moment_of(_text_of(end), time.max) < moment_of(_text_of(start)):
        raise InvalidParameters("end_date lies before start_date: there is nothing in between.")


def _text_of(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _refuse_contradictions(flags: Flags) -> None:
    names = {flag.split("=")[0] for flag in flags}
    starts = names & {"--start-date", "--since"}
    if len(starts) == 2:
        raise InvalidParameters("since is another name for start_date: give one of them.")
    reach = sorted(names & {"--full", "--force7"}) + sorted(starts | (names & {"--end-date"}))
    if names & {"--full", "--force7"} and len(reach) > 1:
        raise InvalidParameters(f"{' and '.join(reach)} contradict each other: give one of them.")


KNOWN: Mapping[str, Callable[[str, object], Flags]] = {
    "mode": _mode,
    "full": _switch,
    "force7": _switch,
    "force": _switch,
    "start_date": _moment,
    "since": _moment,
    "end_date": _moment,
    "max_records": _number(None),
    "batch_size": _number(LARGEST_BATCH),
    "dry_run": _switch,
}
