"""The parameters of a sync, and the command-line flags that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from ingestion.pool.errors import InvalidParameters

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
    return flags


def _switch(name: str, value: object) -> Flags:
    if not isinstance(value, bool):
        raise InvalidParameters(f"{name} must be true or false, not {value!r}.")
    return [_flag(name)] if value else []


def _mode(name: str, value: object) -> Flags:
    if value not in MODES:
        raise InvalidParameters(f"{name} must be one of {', '.join(MODES)}, not {value!r}.")
    return [] if value == "delta" else [f"--{value}"]


def _number(highest: int | None) -> Callable[[str, object], Flags]:
    def flags(name: str, value: object) -> Flags:
        if type(value) is not int or value < 1 or (highest and value > highest):
            upper = f" to {highest}" if highest else ""
            raise InvalidParameters(f"{name} must be a whole number from 1{upper}, not {value!r}.")
        return [f"{_flag(name)}={value}"]

    return flags


def _moment(name: str, value: object) -> Flags:
    """A date or a time in ISO 8601; Python callers may give the object itself."""
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not _is_iso(text):
        raise InvalidParameters(
            f"{name} must be a date such as 2026-01-31 or a time such as 2026-01-31T06:00:00Z, "
            f"not {value!r}."
        )
    return [f"{_flag(name)}={text.strip()}"]


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


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
