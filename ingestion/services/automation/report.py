"""What happened in a span of time, in figures that each come from one query.

``sources`` of a report says for each part which rows it counts, so that anybody can count again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from django.db.models import Max
from django.utils import timezone

from ingestion.models import AutomationReport, RuleAct, SyncHistory
from ingestion.services import audit, cursor
from ingestion.services.automation import engine
from ingestion.services.automation.facts import FIELDS, Run, run_of
from ingestion.services.automation.rule_errors import ReportNotFound
from ingestion.services.routing import ALL
from ingestion.services.secrets import mask

SHOWN = 10
SOURCES = {
    "totals": "SyncHistory with period.start <= end_time < period.end, by status",
    "routes": "the same rows by crm_source and sync_type; seconds = end_time - start_time",
    "freshness": "the latest end_time of a success or partial SyncHistory row of each route",
    "wasted.empty_runs": "the same rows as totals: complete, records_processed = 0",
    "wasted.overlaps": "pairs of the same rows of one route that ran at the same time",
    "wasted.redundant_all": "complete runs of 'all' within whose CRM a single model ran as well",
    "rules": "RuleAct with period.start <= at < period.end, by rule and outcome",
}


def make(*, hours: float = 12, now: datetime | None = None, actor: str = "") -> AutomationReport:
    """Look back so many hours and keep what was seen."""
    end = now or timezone.now()
    start = end - timedelta(hours=hours)
    return AutomationReport.objects.create(
        made_by=mask(audit.actor(actor)),
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
        "hours": _hours(runs, start, end),
        "routes": routes,
        "slowest": _most(routes, "mean_seconds"),
        "most_failing": _most(routes, "failed"),
        "freshness": _freshness(end),
        "wasted": _wasted(runs),
        "rules": _rules(acts),
        "recommendations": [_told(act) for act in acts],
        "sources": SOURCES,
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
    totals, wasted = report.content["totals"], report.content["wasted"]
    rate = totals["success_rate"]
    told = "no run ended" if rate is None else f"{totals['runs']} runs ended, {rate:.0%} complete"
    asked = sum(act["outcome"] == "proposed" for act in report.content["recommendations"])
    return (
        f"{report.period_start:%Y-%m-%d %H:%M} to {report.period_end:%H:%M} UTC: {told}, "
        f"{totals['failed']} failed; {wasted['seconds']:.0f} s of work wasted. "
        f"{asked} recommendation{'' if asked == 1 else 's'} of the period waited for a yes."
    )


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


def _hours(runs: Iterable[Run], start: datetime, end: datetime) -> list[dict[str, Any]]:
    """For the plot: complete and failed runs by the hour in which they ended."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    found: dict[datetime, Counter[str]] = {}
    while hour < end:
        found[hour] = Counter()
        hour += timedelta(hours=1)
    for run in runs:
        kind = "complete" if run.is_complete else run.status
        found[run.ended_at.replace(minute=0, second=0, microsecond=0)][kind] += 1
    return [
        {"at": at.isoformat(), "complete": counts["complete"], "failed": counts["failed"]}
        for at, counts in found.items()
    ]


def _routes(runs: Iterable[Run]) -> list[dict[str, Any]]:
    by_route: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_route[run.route].append(run)
    return [_route(route, by_route[route]) for route in sorted(by_route)]


def _route(route: str, runs: Sequence[Run]) -> dict[str, Any]:
    failures = [run for run in runs if run.has_failed]
    return {
        "route": route,
        "runs": len(runs),
        "complete": sum(run.is_complete for run in runs),
        "failed": len(failures),
        "records": sum(run.processed for run in runs),
        "mean_seconds": round(fmean(run.seconds for run in runs), 1),
        "longest_seconds": round(max(run.seconds for run in runs), 1),
        "last_error": failures[-1].error if failures else "",
    }


def _most(routes: Iterable[Mapping[str, Any]], figure: str) -> list[dict[str, Any]]:
    ordered = sorted(routes, key=lambda route: route[figure], reverse=True)
    return [{"route": r["route"], figure: r[figure]} for r in ordered if r[figure]][:SHOWN]


def _freshness(end: datetime) -> list[dict[str, Any]]:
    """The oldest first: when each route was last loaded completely."""
    complete = SyncHistory.objects.filter(
        status__in=(SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL), end_time__lt=end
    )
    rows = complete.order_by().values_list("crm_source", "sync_type").annotate(Max("end_time"))
    last = {f"{crm_source}.{sync_type}": at for crm_source, sync_type, at in rows}
    ordered = sorted(last.items(), key=lambda pair: pair[1])
    return [
        {
            "route": route,
            "loaded_at": at.isoformat(),
            "age_seconds": round((end - at).total_seconds()),
        }
        for route, at in ordered
    ]


def _wasted(runs: Sequence[Run]) -> dict[str, Any]:
    """Work that brought nothing, or was done twice."""
    empty = [run for run in runs if run.is_complete and not run.processed]
    overlaps, redundant = _overlaps(runs), _redundant(runs)
    wasted = {run.history_id: run.seconds for run in (*empty, *overlaps, *redundant)}
    return {
        "empty_runs": len(empty),
        "overlaps": len(overlaps),
        "redundant_all": len(redundant),
        # A run that is wasted in two ways counts once.
        "seconds": round(sum(wasted.values()), 1),
        "by_route": dict(Counter(run.route for run in (*empty, *overlaps, *redundant))),
    }


def _overlaps(runs: Iterable[Run]) -> list[Run]:
    """Runs that began while the one before of their route still ran."""
    found, ends = [], dict[str, datetime]()
    for run in sorted(runs, key=lambda r: r.started_at):
        if (until := ends.get(run.route)) and run.started_at < until:
            found.append(run)
        ends[run.route] = max(run.ended_at, until or run.ended_at)
    return found


def _redundant(runs: Sequence[Run]) -> list[Run]:
    single = {run.crm_source for run in runs if run.is_complete and run.sync_type != ALL}
    everything = (run for run in runs if run.is_complete and run.sync_type == ALL)
    return [run for run in everything if run.crm_source in single]


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
