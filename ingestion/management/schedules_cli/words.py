"""What the words after an option may be."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Any

from ingestion.management.cli.failures import WrongUse
from ingestion.services.beat.recurrence import CRON_FIELDS

EVERY = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smhd])")
PERIODS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Fields = dict[str, Any]


def every(text: str) -> Fields:
    """``15m``, ``2h``, ``1d``, ``30s``."""
    found = EVERY.fullmatch(text.strip())
    if not found:
        raise ArgumentTypeError(f"{text!r} must be a time such as 15m, 2h or 1d")
    return {
        "recurrence": "interval",
        "every": int(found["number"]),
        "period": PERIODS[found["unit"]],
    }


def cron(text: str) -> Fields:
    """Five words as in a crontab: minute, hour, day of month, month, day of week."""
    words = text.split()
    if len(words) != len(CRON_FIELDS):
        raise ArgumentTypeError(f"{text!r} must have five words, e.g. '0 4 * * 1-5'")
    return {"recurrence": "crontab", **dict(zip(CRON_FIELDS, words, strict=True))}


# An option of the command line and the field that it sets as it stands.
PLAIN = {
    "name": "name",
    "crm": "crm_source",
    "model": "model_name",
    "mode": "mode",
    "execution": "execution",
    "priority": "priority",
    "timezone": "timezone",
    "start": "start_at",
    "end": "end_at",
}


def fields_of(options: dict[str, Any]) -> Fields:
    """What was said; nothing is set that was not. Raises WrongUse."""
    if options.get("every") and options.get("cron"):
        raise WrongUse("Give --every or --cron, not both.")
    plain = {
        field: options[name] for name, field in PLAIN.items() if options.get(name) not in (None, "")
    }
    time = options.get("every") or options.get("cron") or {}
    params = dict(options.get("param") or ())
    return {**plain, **time, **({"options": params} if params else {})}
