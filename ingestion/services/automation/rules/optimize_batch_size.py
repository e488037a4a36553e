"""A scheduled route whose requests time out: smaller pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingestion.pool.change import ChangeRequest
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts
from ingestion.services.scheduling import schedules
from ingestion.sync.common.errors import TimedOut, TooLarge

CLASSES = frozenset({TimedOut.error_class, TooLarge.error_class})
TIMED_OUT = re.compile(r"timed? ?out|too large|413|504", re.IGNORECASE)
JUDGED_RUNS, SLOW_RUNS = 5, 2
USUAL_SIZE, SMALLEST_SIZE = 1000, 50


class OptimizeBatchSize(Rule):
    name = "optimize_batch_size"
    does = "halves batch_size in the route's schedules"
    cooldown_minutes = 6 * 60

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for schedule in facts.schedules:
            runs = facts.runs.get(schedule.route, ())[:JUDGED_RUNS]
            slow = sum(run.failed_with(CLASSES, words=TIMED_OUT) for run in runs)
            size = int(schedule.options.get("batch_size") or USUAL_SIZE)
            smaller = max(size // 2, SMALLEST_SIZE)
            if slow >= SLOW_RUNS and smaller < size:
                yield Recommendation(
                    schedule.crm_source,
                    schedule.route,
                    f"{slow} of the last {len(runs)} runs of {schedule.route} timed out. Lower "
                    f"batch_size from {size} to {smaller} in the schedule {schedule.name!r}.",
                    {"schedule_id": schedule.pk, "from": size, "to": smaller, "timed_out": slow},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        found = schedules.get(about.figures["schedule_id"])
        options = {**found.options, "batch_size": about.figures["to"]}
        schedules.edit(found.pk, {"options": options}, change=ChangeRequest(by=hands.actor))
        return {"batch_size": about.figures["to"]}
