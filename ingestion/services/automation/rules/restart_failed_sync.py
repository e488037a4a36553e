"""A route that works as a rule and failed just now, for a reason that passes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingestion.models.automation import Level
from ingestion.services.automation.base import Hands, Recommendation, Rule
from ingestion.services.automation.facts import Facts, Run
from ingestion.sync.common.errors import LOST, SyncBusy, Throttled, TimedOut, TransientError

# What passes by itself, or has nothing to do with the sync.
PASSING = frozenset(
    {LOST, *(kind.error_class for kind in (TransientError, Throttled, TimedOut, SyncBusy))}
)
# Of runs without a class: trying again does not help where somebody has to do something first.
LASTING = re.compile(
    r"credential|token|configured|may not read|not allowed|forbidden|40[013]\b|quota|daily limit"
    r"|unknown|refused the (login|connection)|not connected",
    re.IGNORECASE,
)
JUDGED_RUNS, GOOD_RUNS = 5, 4
RECENT_MINUTES = 60


class RestartFailedSync(Rule):
    name = "restart_failed_sync"
    does = "runs it again with the same options"
    level = Level.ACT

    def find(self, facts: Facts) -> Iterator[Recommendation]:
        for route, runs in facts.routes():
            last, before = runs[0], runs[1 : 1 + JUDGED_RUNS]
            is_recent = bool(facts.since([last], minutes=RECENT_MINUTES))
            if not (is_recent and last.has_failed and _passes(last)):
                continue
            good = sum(run.is_complete for run in before)
            if good >= GOOD_RUNS:
                yield Recommendation(
                    last.crm_source,
                    route,
                    f"{route} failed ({last.error[:200].rstrip('.')}); {good} of its "
                    f"{len(before)} runs before were complete. Run it again.",
                    {"history_id": last.history_id, "parameters": dict(last.parameters)},
                )

    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        return hands.submit(about, about.figures["parameters"])


def _passes(run: Run) -> bool:
    if run.error_class:
        return run.error_class in PASSING
    return not LASTING.search(run.error)
