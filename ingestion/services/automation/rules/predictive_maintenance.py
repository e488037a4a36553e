"""A scheduled route whose runs grow towards its interval: the interval will not hold for long."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import Any

from ingestion.models import SyncSchedule
from ingestion.models.automation import Level
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts
from ingestion.services.beat.recurrence import recurrence_of
from ingestion.services.scheduling import schedules

LAST_RUNS, RUNS_BEFORE = 5, 10
GROWN = 1.5
NEAR = 0.8


class PredictiveMaintenance(Rule):
    name = "predictive_maintenance"
    does = "doubles the interval of the route's schedule"
    level = Level.REPORT
    cooldown_minutes = 24 * 60
    hourly_limit = 2

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for schedule in facts.schedules:
            complete = [r for r in facts.runs.get(schedule.route, ()) if r.is_complete]
            last, before = complete[:LAST_RUNS], complete[LAST_RUNS:][:RUNS_BEFORE]
            is_interval = schedule.recurrence == SyncSchedule.Recurrence.INTERVAL
            if not is_interval or len(before) < RUNS_BEFORE:
                continue
            now_seconds, was_seconds = (fmean(r.seconds for r in runs) for runs in (last, before))
            gap_seconds = recurrence_of(schedule).gap_seconds
            if now_seconds > GROWN * was_seconds and now_seconds > NEAR * gap_seconds:
                yield Recommendation(
                    schedule.crm_source,
                    schedule.route,
                    f"{schedule.route} took {now_seconds:.0f} s on average in its last {LAST_RUNS} "
                    f"runs and {was_seconds:.0f} s before; its schedule {schedule.name!r} runs it "
                    f"every {gap_seconds:.0f} s. Double that interval.",
                    {
                        "schedule_id": schedule.pk,
                        "seconds": round(now_seconds, 1),
                        "seconds_before": round(was_seconds, 1),
                        "gap_seconds": gap_seconds,
                        "every": (schedule.every or 1) * 2,
                    },
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        every = about.figures["every"]
        schedules.edit(
            about.figures["schedule_id"], {"every": every}, change=ChangeRequest(by=hands.actor)
        )
        return {"every": every}
