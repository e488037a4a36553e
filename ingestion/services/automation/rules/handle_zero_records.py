"""A route that always brought records and now brings none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts

EMPTY_RUNS = 3
JUDGED_RUNS = 10
USUALLY = 0.8


class HandleZeroRecords(Rule):
    name = "handle_zero_records"
    does = "reads the last seven days again"
    cooldown_minutes = 24 * 60
    hourly_limit = 2

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for route, runs in facts.routes():
            complete = [run for run in runs if run.is_complete]
            last, before = complete[:EMPTY_RUNS], complete[EMPTY_RUNS:][:JUDGED_RUNS]
            if len(before) < JUDGED_RUNS or any(run.processed for run in last):
                continue
            full = sum(run.processed > 0 for run in before)
            if full >= USUALLY * JUDGED_RUNS:
                yield Recommendation(
                    last[0].crm_source,
                    route,
                    f"{route} brought no record in its last {EMPTY_RUNS} runs; {full} of the "
                    f"{JUDGED_RUNS} before them did. Read the last seven days again.",
                    {"empty_runs": EMPTY_RUNS, "full_before": full, "judged": JUDGED_RUNS},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        return hands.submit(about, {"mode": "force7"})
