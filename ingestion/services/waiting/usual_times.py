"""When a run may be expected to end: as long after its start as the last ones took."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion.services.requests.routing import ALL
from ingestion.services.waiting.run_times import run_times


@dataclass(frozen=True)
class Usual:
    """The middle half of past runs, in seconds; ``based_on`` says which runs."""

    low_seconds: float
    high_seconds: float
    based_on: str

    def end_of(self, started_at: datetime) -> dict[str, Any]:
        """Between which times a run that began then may be expected to end."""
        return {
            "earliest": (started_at + timedelta(seconds=self.low_seconds)).isoformat(),
            "latest": (started_at + timedelta(seconds=self.high_seconds)).isoformat(),
            "based_on": self.based_on,
        }


def usual(crm_source: str, sync_type: str) -> Usual | None:
    """None while too few runs are known. A sync of all models is not judged by runs of single
    ones, and none by another CRM's."""
    learned = run_times.of(crm_source, sync_type)
    bases = (learned.of_route, learned.of_crm and sync_type != ALL)
    if not learned.is_known or not any(bases):
        return None
    low, high = middle_half(learned.seconds)
    return Usual(low, high, learned.based_on)


def middle_half(seconds: Sequence[float]) -> tuple[float, float]:
    """Of at least two numbers."""
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return round(low, 1), round(high, 1)
