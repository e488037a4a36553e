"""A CRM that answers 429 too often: fewer of its syncs at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ingestion.models.automation import Level
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts

RECENT_MINUTES = 60
TOO_MANY = 0.05
FEWEST_REQUESTS = 50
FOR_MINUTES = 60


class AdjustRateLimits(Rule):
    name = "adjust_rate_limits"
    does = "lets the CRM run one sync at a time for an hour"
    level = Level.ACT

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for crm_source, runs in facts.of_crm().items():
            recent = facts.since(runs, minutes=RECENT_MINUTES)
            requests = sum(run.requests for run in recent)
            throttled = sum(run.throttled for run in recent)
            limit = facts.snapshot.controls.crm_limits.get(crm_source)
            if requests < FEWEST_REQUESTS or throttled < TOO_MANY * requests:
                continue
            if limit is None or limit.value > 1:
                yield Recommendation(
                    crm_source,
                    crm_source,
                    f"{crm_source} answered {throttled} of {requests} requests within "
                    f"{RECENT_MINUTES} minutes with 'too many' ({throttled / requests:.0%}). Let "
                    f"one of its syncs run at a time for {FOR_MINUTES} minutes.",
                    {"requests": requests, "throttled": throttled},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        until = timezone.now() + timedelta(minutes=FOR_MINUTES)
        hands.pool.set_crm_limit(
            about.crm_source,
            1,
            change=hands.change(about),
            expires_at=until,
        )
        return {"crm_limit": 1, "until": until.isoformat()}
