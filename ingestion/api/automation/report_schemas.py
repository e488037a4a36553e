"""The parts of a report. ``sources`` and ``queries`` of a report explain each figure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ingestion.api.http.responses import Counts, ResponseBody, Time, one_of
from ingestion.models import RuleAct
from ingestion.models.automation import Level


class ReportPeriod(ResponseBody):
    """From ``start`` to before ``end``."""

    start: Time
    end: Time


class ReportSummary(ResponseBody):
    """``headline`` is the report in two sentences."""

    id: int
    made_at: Time
    made_by: str
    period: ReportPeriod
    headline: str


class ReportTotals(ResponseBody):
    """Runs that ended in the period; ``success_rate`` from 0 to 1, cancelled runs aside, null where
    none was tried; ``seconds`` of all runs together."""

    runs: int
    success: int
    partial: int
    failed: int
    cancelled: int
    success_rate: float | None
    records: int
    seconds: float
    requests: int
    throttled: int


class FailureKind(ResponseBody):
    error_class: str
    failed: int


class ReportHour(ResponseBody):
    """Runs by the hour in which they ended."""

    at: Time
    complete: int
    failed: int
    cancelled: int


class RouteReport(ResponseBody):
    """``last_error`` is empty without a failure."""

    route: str
    runs: int
    complete: int
    failed: int
    records: int
    mean_seconds: float
    longest_seconds: float
    last_error: str


class SlowRoute(ResponseBody):
    route: str
    mean_seconds: float


class FailingRoute(ResponseBody):
    route: str
    failed: int


class DatasetAge(ResponseBody):
    """At the end of the period; null where it was never loaded."""

    route: str
    loaded_at: Time | None
    age_seconds: float | None


class WastedWork(ResponseBody):
    """Counts of runs; ``seconds`` of a run that is wasted in two ways count once."""

    empty_runs: int
    overlaps: int
    redundant_all: int
    seconds: float
    by_route: Counts


class ReportRule(ResponseBody):
    """``outcomes``: how often each was the rule's in the period."""

    rule: str
    enabled: bool
    level: Annotated[str, one_of(Level)]
    outcomes: Counts


class ReportAct(ResponseBody):
    at: Time
    rule: str
    subject: str
    sentence: str
    outcome: Annotated[str, one_of(RuleAct.Outcome)]


class Report(ResponseBody):
    """``sources``: which rows each figure counts; ``queries``: SQL that counts it again, none for
    a database that is neither SQLite nor PostgreSQL."""

    id: int
    made_at: Time
    made_by: str
    schema_version: Literal[1] = Field(alias="schema")
    period: ReportPeriod
    totals: ReportTotals
    failures: list[FailureKind]
    hours: list[ReportHour]
    routes: list[RouteReport]
    slowest: list[SlowRoute]
    most_failing: list[FailingRoute]
    freshness: list[DatasetAge]
    wasted: WastedWork
    rules: list[ReportRule]
    recommendations: list[ReportAct]
    sources: dict[str, str]
    queries: dict[str, str]
