"""Every slot is taken and the queue has waited for long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts

WAITED_MINUTES = 15
FOR_MINUTES = 60


class ScaleUpResources(Rule):
    name = "scale_up_resources"
    does = "allows one worker more for an hour, up to AUTOMATION_MAX_WORKERS"
    cooldown_minutes = 15
    hourly_limit = 2

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        pool, oldest = facts.snapshot, facts.snapshot.oldest_queued_at
        capacity = sum(worker.capacity for worker in pool.workers if worker.is_online)
        limit = pool.limit.max_workers
        waited = (pool.taken_at - oldest).total_seconds() / 60 if oldest else 0.0
        # A worker's processes also carry out what is not a sync.
        is_possible = limit < facts.ceiling and limit + 1 < capacity
        if pool.available_workers or waited < WAITED_MINUTES or not is_possible:
            return
        yield Recommendation(
            "",
            "pool",
            f"All {limit} slots are taken and the oldest of {pool.queued_count} queued tasks has "
            f"waited for {waited:.0f} minutes. Allow {limit + 1} for {FOR_MINUTES} minutes; at "
            f"most {facts.ceiling} may be set.",
            {"from": limit, "to": limit + 1, "ceiling": facts.ceiling},
        )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        until = timezone.now() + timedelta(minutes=FOR_MINUTES)
        limit = min(about.figures["to"], about.figures["ceiling"])
        hands.pool.set_max_workers(limit, change=hands.change(about), expires_at=until)
        return {"max_workers": limit, "until": until.isoformat()}
