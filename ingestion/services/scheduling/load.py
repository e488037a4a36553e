"""What schedules cost, and what is wrong with them together: judged by recorded runs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.conf import crm_environment
from ingestion.models import SyncSchedule
from ingestion.services.beat.recurrence import recurrence_of, runs_after
from ingestion.services.requests.routing import ALL
from ingestion.services.scheduling.fields import parameters_of
from ingestion.services.scheduling.route_costs import Cost, costs_of
from ingestion.services.security.secrets import mask
from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.common.registry import crm_settings, crms

DAY_SECONDS = 86_400
# How a CRM's folder names its limits: CALLRAIL_REQUESTS_PER_HOUR, HUBSPOT_REQUESTS_PER_10_SECONDS.
QUOTA = re.compile(r".*_REQUESTS_PER_(?P<number>\d+_)?(?P<unit>SECOND|MINUTE|HOUR|DAY)S?")
UNIT_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": DAY_SECONDS}


@dataclass(frozen=True)
class Planned:
    """One schedule as this module reckons with it."""

    name: str
    crm_source: str
    model_name: str
    execution: str
    gap_seconds: float
    runs_per_day: float
    parameters: Mapping[str, Any]
    cost: Cost

    @property
    def route(self) -> str:
        return f"{self.crm_source}.{self.model_name}"


@dataclass(frozen=True)
class Finding:
    """``code`` for programs, ``sentence`` with its figures for people."""

    code: str
    subject: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class CrmLoad:
    """``requests_per_day`` counts what is known, and one request for a run that is not;
    ``quota_per_day`` the tightest of the CRM's limits, None: it has none."""

    crm_source: str
    schedules: int
    runs_per_day: float
    requests_per_day: float
    quota_per_day: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def plan(schedules: Iterable[SyncSchedule], *, now: datetime | None = None) -> tuple[Planned, ...]:
    """The schedules that are switched on; they need not be stored."""
    at = now or datetime.now(UTC)
    enabled = [found for found in schedules if found.enabled]
    costs = costs_of((found.crm_source, found.model_name) for found in enabled)
    return tuple(
        _planned(found, at, costs.get((found.crm_source, found.model_name), Cost()))
        for found in enabled
    )


def load(planned: Sequence[Planned]) -> tuple[CrmLoad, ...]:
    """By CRM."""
    names = sorted({one.crm_source for one in planned})
    return tuple(_crm_load(name, [p for p in planned if p.crm_source == name]) for name in names)


def needed_workers(planned: Iterable[Planned]) -> float:
    """How many slots the pool's schedules keep busy on average, as far as their runs are known."""
    pooled = (p for p in planned if p.execution == SyncSchedule.Execution.POOL)
    return sum((p.cost.seconds or 0) * p.runs_per_day for p in pooled) / DAY_SECONDS


def findings(planned: Sequence[Planned], *, max_workers: int) -> tuple[Finding, ...]:
    """All that is wrong with them together."""
    return (
        *_overlaps(planned),
        *_twins(planned),
        *_over_quota(planned),
        *_too_slow(planned),
        *_too_few_workers(planned, max_workers),
        *_not_configured(planned),
    )


def _planned(schedule: SyncSchedule, now: datetime, cost: Cost) -> Planned:
    recurrence = recurrence_of(schedule)
    gap = recurrence.gap_seconds
    per_day = DAY_SECONDS / gap
    if schedule.recurrence == SyncSchedule.Recurrence.CRONTAB and gap < DAY_SECONDS:
        tomorrow = now + timedelta(days=1)
        per_day = sum(1 for _ in runs_after(recurrence, now, count=1440, until=tomorrow))
    return Planned(
        schedule.name,
        schedule.crm_source,
        schedule.model_name,
        str(schedule.execution),
        gap,
        per_day,
        parameters_of(schedule),
        cost,
    )


def _crm_load(name: str, planned: Sequence[Planned]) -> CrmLoad:
    requests = sum(max(p.cost.requests or 1, 1) * p.runs_per_day for p in planned)
    runs = sum(p.runs_per_day for p in planned)
    return CrmLoad(name, len(planned), runs, requests, quota_per_day(name))


def quota_per_day(crm_source: str) -> float | None:
    environment, crm = crm_environment(), crms().get(crm_source)
    found = []
    for setting in crm.settings if crm else ():
        if match := QUOTA.fullmatch(setting.name):
            window = int((match["number"] or "1").rstrip("_")) * UNIT_SECONDS[match["unit"]]
            value = environment.get(setting.name) or setting.default
            found.append(float(value) / window * DAY_SECONDS)
    return min(found, default=None)


def _overlaps(planned: Sequence[Planned]) -> Iterator[Finding]:
    """A run of all models does the work of each of them again."""
    models: dict[str, list[Planned]] = defaultdict(list)
    for one in planned:
        models[one.crm_source].append(one)
    for crm_source, of_crm in models.items():
        single = [p.model_name for p in of_crm if p.model_name != ALL]
        if single and len(single) < len(of_crm):
            yield Finding(
                "OVERLAP",
                crm_source,
                f"{crm_source}.all is scheduled beside {len(single)} of its models "
                f"({', '.join(sorted(single))}), which it loads too; keep one or the other.",
            )


def _twins(planned: Sequence[Planned]) -> Iterator[Finding]:
    seen = Counter((p.route, str(sorted(p.parameters.items()))) for p in planned)
    for (route, _), count in seen.items():
        if count > 1:
            said = f"{count} schedules run {route} with the same options; one is enough."
            yield Finding("SAME_ROUTE", route, said)


def _over_quota(planned: Sequence[Planned]) -> Iterator[Finding]:
    for crm in load(planned):
        if crm.quota_per_day and crm.requests_per_day > crm.quota_per_day:
            yield Finding(
                "OVER_QUOTA",
                crm.crm_source,
                f"The schedules of {crm.crm_source} make about {crm.requests_per_day:,.0f} "
                f"requests a day in {crm.runs_per_day:,.0f} runs; its limits allow "
                f"{crm.quota_per_day:,.0f}.",
            )


def _too_slow(planned: Sequence[Planned]) -> Iterator[Finding]:
    for one in planned:
        if one.cost.seconds is not None and one.cost.seconds > one.gap_seconds:
            yield Finding(
                "TOO_SLOW",
                one.name,
                f"{one.route} takes {one.cost.seconds:,.0f} s on average and is to run every "
                f"{one.gap_seconds:,.0f} s; it cannot finish in between.",
            )


def _too_few_workers(planned: Sequence[Planned], max_workers: int) -> Iterator[Finding]:
    needed = needed_workers(planned)
    if needed > max_workers:
        yield Finding(
            "TOO_FEW_WORKERS",
            "pool",
            f"The schedules keep {needed:.1f} workers busy on average; {max_workers} are allowed, "
            "so the queue never empties.",
        )


def _fail(count: int) -> str:
    return "its schedule fails" if count == 1 else f"its {count} schedules fail"


def _not_configured(planned: Sequence[Planned]) -> Iterator[Finding]:
    counts = Counter(p.crm_source for p in planned if p.crm_source in crms())
    for crm_source, count in counts.items():
        try:
            crm_settings(crm_source, crm_environment())
        except CredentialsError as missing:
            said = f"{mask(str(missing))} Until then {_fail(count)}."
            yield Finding("NOT_CONFIGURED", crm_source, said)
