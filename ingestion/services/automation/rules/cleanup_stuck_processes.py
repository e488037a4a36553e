"""Runs that hold a slot or an open row, and that nobody runs any more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ingestion.models.automation import Level
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts
from ingestion.services.maintenance import stale_syncs


class CleanupStuckProcesses(Rule):
    name = "cleanup_stuck_processes"
    does = "ends what is lost or stale, and closes its rows"
    level = Level.ACT
    cooldown_minutes = 10
    hourly_limit = 6

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        pool = facts.snapshot
        still = pool.taken_at - timedelta(minutes=facts.stale_minutes)
        stuck = [task.id for task in pool.active if (task.last_heartbeat or task.queued_at) < still]
        lost = [
            task.id
            for task in pool.active
            if task.lease_expires_at and task.lease_expires_at < pool.taken_at
        ]
        count = len({*stuck, *lost})
        if count or facts.dead_runs:
            yield Recommendation(
                "",
                "pool",
                f"{count} running tasks have lost their worker or made no progress for "
                f"{facts.stale_minutes:g} minutes, and {len(facts.dead_runs)} runs outside the "
                "pool have died. End them and close their rows.",
                {"stuck": stuck, "lost": lost, "dead_runs": list(facts.dead_runs)},
            )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        return stale_syncs.close_stale_syncs(hands.pool).to_dict()
