"""A route that fails again and again over what was kept of earlier runs: load it again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts, Run
from ingestion.sync.common.errors import StoredStateInvalid

CLASSES = frozenset({StoredStateInvalid.error_class})
KEPT_STATE = re.compile(r"schema|column|watermark|cursor|state of|pending package", re.IGNORECASE)
FAILURES = 3


class ClearCacheOnErrors(Rule):
    """Watermark and schema are what a route keeps; a full run makes both again, without a moment in
    which the table is empty."""

    name = "clear_cache_on_errors"
    does = "makes watermark and schema new by a full run"
    cooldown_minutes = 24 * 60
    hourly_limit = 1

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for route, runs in facts.routes():
            last = runs[:FAILURES]
            if len(last) < FAILURES:
                continue
            is_of_state = all(run.failed_with(CLASSES, words=KEPT_STATE) for run in last)
            if is_of_state and not _was_full(last[0]):
                yield Recommendation(
                    last[0].crm_source,
                    route,
                    f"The last {FAILURES} runs of {route} failed over what was kept of earlier "
                    f"ones ({last[0].error[:200].rstrip('.')}). Load it in full.",
                    {"failures": FAILURES, "history_id": last[0].history_id},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        return hands.submit(about, {"mode": "full"})


def _was_full(run: Run) -> bool:
    """It has not helped."""
    return run.parameters.get("mode") == "full" or bool(run.parameters.get("full"))
