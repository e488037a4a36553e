"""A CRM refuses our credentials: stop asking before it locks the account, and call somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts
from ingestion.sync.common.errors import CredentialsError

CLASSES = frozenset({CredentialsError.error_class})
REFUSED = re.compile(
    r"refused the (credentials|login|connection|service account)|\b401\b", re.IGNORECASE
)
RECENT_MINUTES = 120
REFUSALS = 2
FOR_MINUTES = 60


class RotateCredentials(Rule):
    name = "rotate_credentials"
    does = "pauses the CRM for an hour, until somebody has set new credentials"
    hourly_limit = 2

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for crm_source, runs in facts.of_crm().items():
            recent = facts.since(runs, minutes=RECENT_MINUTES)
            refused = [run for run in recent if run.failed_with(CLASSES, words=REFUSED)]
            if len(refused) >= REFUSALS and not any(run.is_complete for run in recent):
                yield Recommendation(
                    crm_source,
                    crm_source,
                    f"{crm_source} refused its credentials in {len(refused)} of {len(recent)} runs "
                    f"within {RECENT_MINUTES} minutes, and no run was complete. Set new ones in "
                    f".env or the environment; pause its syncs for {FOR_MINUTES} minutes, so that "
                    "the account is not locked.",
                    {"refused": len(refused), "runs": len(recent)},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        until = timezone.now() + timedelta(minutes=FOR_MINUTES)
        hands.pool.pause(
            about.crm_source,
            change=hands.change(about),
            expires_at=until,
        )
        return {"paused": about.crm_source, "until": until.isoformat()}
