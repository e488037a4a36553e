"""The standard set of schedules: one per route that is worth its own, in steps that the CRMs bear.

Rarely changing tables (users, teams, products) come twice a day. An interval keeps the step of its
start, so the starts below are spread for good, over restarts and switching off and on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# The golden ratio: however many there are, each falls into the widest gap of those before it.
SPREAD = 0.6180339887498949
ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
TWICE_A_DAY = 720


@dataclass(frozen=True)
class Standard:
    """One schedule of the set."""

    crm_source: str
    model_name: str
    every_minutes: int

    @property
    def name(self) -> str:
        return f"{self.crm_source} {self.model_name}"


def _of(crm_source: str, **every_minutes: int) -> tuple[Standard, ...]:
    return tuple(Standard(crm_source, name, minutes) for name, minutes in every_minutes.items())


STANDARD: tuple[Standard, ...] = (
    *_of("hubspot", contacts=15, deals=15, companies=30, tickets=30, line_items=60),
    # A single model never loads associations: they have a schedule of their own.
    *_of("hubspot", associations=60, owners=TWICE_A_DAY, products=TWICE_A_DAY),
    *_of("genius", leads=15, appointments=15, prospects=30, jobs=30, contacts=60),
    *_of("genius", change_orders=60, job_change_orders=60, users=TWICE_A_DAY),
    # 1000 requests an hour and 10000 a day, for all of CallRail's users together.
    *_of("callrail", calls=30, companies=TWICE_A_DAY, trackers=TWICE_A_DAY, users=TWICE_A_DAY),
    *_of("salespro", customers=60, appointments=60, leads=60, proposals=60, jobs=60),
    *_of("salespro", users=TWICE_A_DAY),
    *_of("arrivy", tasks=30, bookings=60, customers=60, teams=TWICE_A_DAY, users=TWICE_A_DAY),
    *_of("gsheet", leads=60, spends=120),
    *_of("salesrabbit", leads=60, users=TWICE_A_DAY),
    *_of("leadconduit", leads=30),
    # A report of Five9 costs one of few a day.
    *_of("five9", contacts=120),
    *_of("marketsharp", all=120),
)
SETS = {"standard": STANDARD}


def fields_of(
    schedules: Iterable[Standard], *, execution: str, every_minutes: int | None = None
) -> list[dict[str, Any]]:
    """As ``schedules.import_all`` takes them, their starts spread over their intervals."""
    return [
        _fields(number, found, execution, every_minutes or found.every_minutes)
        for number, found in enumerate(schedules)
    ]


def _fields(number: int, found: Standard, execution: str, minutes: int) -> dict[str, Any]:
    offset_seconds = int(number * SPREAD % 1 * minutes * 60)
    return {
        "name": found.name,
        "crm_source": found.crm_source,
        "model_name": found.model_name,
        "execution": execution,
        "recurrence": "interval",
        "every": minutes,
        "period": "minutes",
        "start_at": (ANCHOR + timedelta(seconds=offset_seconds)).isoformat(),
    }
