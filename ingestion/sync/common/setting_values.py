"""Reads settings that are more than text."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingestion.sync.common.errors import PermanentError


def positive_int(settings: Mapping[str, str], name: str) -> int:
    """Raises PermanentError that names the setting."""
    text = settings[name].strip()
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise PermanentError(f"{name} is {text!r}; it must be a whole number above 0.")
    return int(text)


def time_zone(settings: Mapping[str, str], name: str) -> ZoneInfo:
    """Raises PermanentError that names the setting."""
    text = settings[name].strip()
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PermanentError(
            f"{name} is {text!r}; it must be a time zone such as America/Denver."
        ) from None
