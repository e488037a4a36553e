"""Work that brought nothing, or was done twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ingestion.services.automation.facts import Run
from ingestion.services.requests.routing import ALL


def wasted(runs: Sequence[Run]) -> dict[str, Any]:
    """``seconds`` of a run that is wasted in two ways count once; ``by_route`` counts runs."""
    empty = {run.history_id: run.seconds for run in runs if run.is_complete and not run.processed}
    overlaps = {run.history_id: run.seconds for run in overlapping(runs)}
    redundant = redundant_seconds(runs)
    seconds = {**redundant, **overlaps, **empty}
    return {
        "empty_runs": len(empty),
        "overlaps": len(overlaps),
        "redundant_all": len(redundant),
        "seconds": round(sum(seconds.values()), 1),
        "by_route": dict(Counter(run.route for run in runs if run.history_id in seconds)),
    }


def overlapping(runs: Iterable[Run]) -> list[Run]:
    """Runs that began while one of their route went on."""
    found, ends = [], dict[str, datetime]()
    for run in sorted(runs, key=lambda r: (r.started_at, r.ended_at, r.history_id)):
        if (until := ends.get(run.route)) and run.started_at < until:
            found.append(run)
        ends[run.route] = max(run.ended_at, until or run.ended_at)
    return found


def redundant_seconds(runs: Sequence[Run]) -> Mapping[int, float]:
    """Complete runs of all models that loaded some which had complete runs of their own: how long
    these took in them."""
    single: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        if run.is_complete and run.sync_type != ALL:
            single[run.crm_source].add(run.sync_type)
    found = {}
    for run in runs:
        if run.is_complete and run.sync_type == ALL:
            again = run.model_seconds.keys() & single[run.crm_source]
            if again:
                found[run.history_id] = sum(run.model_seconds[model] for model in again)
    return found
