"""What runs of routes cost: means of their last complete ones, from the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.db.models import QuerySet

from ingestion.models import SyncHistory
from ingestion.models.run_metrics import reported_models

JUDGED_RUNS = 10
DONE = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL)
# SQLite joins up to 500 queries to one.
ROUTES_A_QUERY = 100
COLUMNS = ("crm_source", "sync_type", "start_time", "end_time", "performance_metrics")

RouteName = tuple[str, str]


@dataclass(frozen=True)
class Cost:
    """Means of a route's last complete runs; None while there was none."""

    seconds: float | None = None
    requests: float | None = None


def costs_of(routes: Iterable[RouteName]) -> dict[RouteName, Cost]:
    """Of each (CRM, sync type) that has complete runs; one query for a hundred routes."""
    found: dict[RouteName, list[tuple[float, int]]] = defaultdict(list)
    names = sorted(set(routes))
    for start in range(0, len(names), ROUTES_A_QUERY):
        some = names[start : start + ROUTES_A_QUERY]
        for crm_source, sync_type, began, ended, metrics in _last_runs(some):
            spent = ((ended - began).total_seconds(), _requests(metrics))
            found[crm_source, sync_type].append(spent)
    return {route: _mean(runs) for route, runs in found.items()}


def _last_runs(routes: Sequence[RouteName]) -> Iterator[tuple[Any, ...]]:
    first, *others = (_last_of(route) for route in routes)
    yield from first.union(*others, all=True)


def _last_of(route: RouteName) -> QuerySet[SyncHistory, tuple[Any, ...]]:
    """Its order and its end stand in a query of its own: a union has neither for its parts."""
    crm_source, sync_type = route
    rows = SyncHistory.objects.filter(crm_source=crm_source, sync_type=sync_type, status__in=DONE)
    last = rows.exclude(end_time=None).order_by("-start_time").values("pk")[:JUDGED_RUNS]
    return SyncHistory.objects.filter(pk__in=last).order_by().values_list(*COLUMNS)


def _mean(runs: Sequence[tuple[float, int]]) -> Cost:
    seconds, requests = zip(*runs, strict=True)
    return Cost(fmean(seconds), fmean(requests))


def _requests(metrics: object) -> int:
    """How many requests a run has made, by its own count."""
    return sum(model["requests"] for model in reported_models(metrics))
