"""What happened in a span of time, in figures that each come from one query.

``sources`` of a report says for each part which rows it counts, so that anybody can count again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from django.utils import timezone

from ingestion.models import AutomationReport, RuleAct, SyncHistory
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.services.automation import engine
from ingestion.services.automation.dataset_ages import freshness
from ingestion.services.automation.facts import FIELDS, Run, run_of
from ingestion.services.automation.rule_errors import ReportNotFound
from ingestion.services.automation.waste import wasted
from ingestion.services.infra import cursor
from ingestion.services.security import audit

SHOWN = 10
SOURCES = {
    "totals": "SyncHistory with period.start <= end_time < period.end, by status; a run that was "
    "cancelled counts for no rate",
    "failures": "the failed ones of these rows, by error_class",
    "hours": "the same rows as totals, by the hour of end_time",
    "routes": "the same rows by crm_source and sync_type; seconds = end_time - start_time of those that "
    "have run, which a task that was cancelled while it waited has not; slowest and most_failing are the first ten of them",
    "freshness": "of each dataset that was ever to be loaded the latest end_time before period.end of "
    "a success or partial run of it, or of 'all' that loaded it; dry runs do not count",
    "wasted.empty_runs": "the same rows as totals: complete, records_processed = 0",
    "wasted.overlaps": "those of the same rows that began while a run of their route went on",
    "wasted.redundant_all": "complete runs of 'all' that loaded models which had complete runs of "
    "their own; only the seconds of these models are counted",
    "rules": "RuleAct with period.start <= at < period.end, by rule and outcome",
    "recommendations": "the same acts, one by one",
}


def make(
    *, hours: float = 12, now: datetime | None = None, change: ChangeRequest = UNSIGNED
) -> AutomationReport:
    """Look back so many hours and keep what was seen."""
    end = now or timezone.now()
    start = end - timedelta(hours=hours)
    return AutomationReport.objects.create(
        made_by=audit.signed(change).by,
        period_start=start,
        period_end=end,
        content=content_of(start, end),
    )


def content_of(start: datetime, end: datetime) -> dict[str, Any]:
    """The whole report as JSON."""
    runs = _runs(start, end)
    routes = _routes(runs)
    acts = list(RuleAct.objects.filter(at__gte=start, at__lt=end).order_by("-at", "-pk"))
    return {
        "schema": 1,
        "period": {"start": start.isoformat(), "end": end.isoformat()},
        "totals": _totals(runs),
        "failures": _failures(runs),
        "hours": _hours(runs, start, end),
        "routes": routes,
        "slowest": _slowest(runs),
        "most_failing": _most_failing(routes),
        "freshness": freshness(end),
        "wasted": wasted([run for run in runs if run.has_run]),
        "rules": _rules(acts),
        "recommendations": [_told(act) for act in acts],
        "sources": SOURCES,
        "queries": {},  # filled in older reports; programs may look for it
    }


def reports(*, at: str | None = None, limit: int = 50) -> tuple[list[AutomationReport], str | None]:
    """The latest first, and the cursor of the next page. Raises InvalidCursor."""
    return cursor.page(AutomationReport.objects.all(), by="made_at", cursor=at, limit=limit)


def find(report_id: int) -> AutomationReport:
    """Raises ReportNotFound."""
    found = AutomationReport.objects.filter(pk=report_id).first()
    if found is None:
        raise ReportNotFound(f"There is no report {report_id}.")
    return found


def summary(report: AutomationReport) -> dict[str, Any]:
    """The JSON form of a list."""
    return {
        "id": report.pk,
        "made_at": report.made_at.isoformat(),
        "made_by": report.made_by,
        "period": report.content["period"],
        "headline": headline(report),
    }


def to_dict(report: AutomationReport) -> dict[str, Any]:
    """The JSON form of an export."""
    made = {"id": report.pk, "made_at": report.made_at.isoformat(), "made_by": report.made_by}
    return {**made, **report.content}


def headline(report: AutomationReport) -> str:
    """The report in two sentences."""
    recommendations = report.content["recommendations"]
    asked = sum(act["outcome"] == "proposed" for act in recommendations)
    return (
        f"{report.period_start:%Y-%m-%d %H:%M} UTC to {report.period_end:%Y-%m-%d %H:%M} UTC: "
        f"{_ended(report.content)}. "
        f"{asked} recommendation{'' if asked == 1 else 's'} of the period awaited approval."
    )


def _ended(content: Mapping[str, Any]) -> str:
    totals, rate = content["totals"], content["totals"]["success_rate"]
    if not totals["runs"]:
        return "no run ended"
    complete, cancelled = totals["success"] + totals["partial"], totals["cancelled"]
    counted = " of those that were not cancelled" if cancelled else ""
    share = "" if rate is None else f" ({rate:.0%}{counted})"
    others = f", {cancelled} cancelled" if cancelled else ""
    return (
        f"{totals['runs']} runs ended, {complete} complete{share}, {totals['failed']} failed{others};"
        f" of {_spent(totals['seconds'])} of work {_spent(content['wasted']['seconds'])} wasted"
    )


def _spent(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _runs(start: datetime, end: datetime) -> list[Run]:
    rows = SyncHistory.objects.filter(end_time__gte=start, end_time__lt=end)
    closed = rows.exclude(status__in=SyncHistory.OPEN_STATUSES).order_by("end_time", "pk")
    return [run_of(*values) for values in closed.values_list(*FIELDS).iterator()]


def _totals(runs: Sequence[Run]) -> dict[str, Any]:
    counts = Counter(run.status for run in runs)
    complete = counts["success"] + counts["partial"]
    judged = complete + counts["failed"]
    return {
        "runs": len(runs),
        "success": counts["success"],
        "partial": counts["partial"],
        "failed": counts["failed"],
        "cancelled": counts["cancelled"],
        # A cancelled run says nothing about the sync.
        "success_rate": round(complete / judged, 4) if judged else None,
        "records": sum(run.processed for run in runs),
        "seconds": round(sum(run.seconds for run in runs), 1),
        "requests": sum(run.requests for run in runs),
        "throttled": sum(run.throttled for run in runs),
    }


def _failures(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The most frequent kind first."""
    counts = Counter(run.error_class for run in runs if run.has_failed)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [{"error_class": word, "failed": count} for word, count in ordered]


def _hours(runs: Iterable[Run], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """For the plot: runs by the hour in which they ended."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    found: dict[datetime, Counter[str]] = {}
    while hour < end:
        found[hour] = Counter()
        hour += timedelta(hours=1)
    for run in runs:
        kind = "complete" if run.is_complete else run.status
        found[run.ended_at.replace(minute=0, second=0, microsecond=0)][kind] += 1
    return [
        {
            "at": at.isoformat(),
            **{kind: counts[kind] for kind in ("complete", "failed", "cancelled")},
        }
        for at, counts in found.items()
    ]


def _routes(runs: Iterable[Run]) -> list[dict[str, Any]]:
    by_route = _by_route(runs)
    return [_route(route, by_route[route]) for route in sorted(by_route)]


def _by_route(runs: Iterable[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        found[run.route].append(run)
    return found


def _route(route: str, runs: Sequence[Run]) -> dict[str, Any]:
    failures = [run for run in runs if run.has_failed]
    seconds = _seconds(runs) or [0.0]
    return {
        "route": route,
        "runs": len(runs),
        "complete": sum(run.is_complete for run in runs),
        "failed": len(failures),
        "records": sum(run.processed for run in runs),
        "mean_seconds": round(fmean(seconds), 1),
        "longest_seconds": round(max(seconds), 1),
        "last_error": failures[-1].error if failures else "",
    }


def _seconds(runs: Iterable[Run]) -> list[float]:
    """Of those that have run."""
    return [run.seconds for run in runs if run.has_run]


def _slowest(runs: Iterable[Run]) -> list[dict[str, Any]]:
    by_route = {route: _seconds(of) for route, of in _by_route(runs).items()}
    means = {route: fmean(seconds) for route, seconds in by_route.items() if seconds}
    ordered = sorted(means.items(), key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
    return [{"route": route, "mean_seconds": round(mean, 1)} for route, mean in ordered]


def _most_failing(routes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    failing = [route for route in routes if route["failed"]]
    ordered = sorted(failing, key=lambda route: (-route["failed"], route["route"]))[:SHOWN]
    return [{"route": route["route"], "failed": route["failed"]} for route in ordered]


def _rules(acts: Sequence[RuleAct]) -> list[dict[str, Any]]:
    """Every rule, how it is set, and what it did."""
    found = []
    for setting in engine.settings_in_force():
        outcomes = Counter(act.outcome for act in acts if act.rule == setting["rule"])
        found.append(
            {
                "rule": setting["rule"],
                "enabled": setting["enabled"],
                "level": setting["level"],
                "outcomes": dict(outcomes),
            }
        )
    return found


def _told(act: RuleAct) -> dict[str, Any]:
    return {
        "at": act.at.isoformat(),
        "rule": act.rule,
        "subject": act.subject,
        "sentence": act.sentence,
        "outcome": act.outcome,
    }
