"""A day of real syncs against sandboxes, and the report of it, each of whose numbers is counted
again by a query.

The syncs run one after the other, within a minute; then their rows are moved over a day, each as
long as it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings

from ingestion.models import SyncHistory
from ingestion.services.automation import engine, html, report
from ingestion.services.runs import sources
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.errors import SyncCancelled, SyncError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.rate_limit import process_rate_limiter
from ingestion.sync.http import client
from sandbox.faults.kinds import Fault
from sandbox.serving.server import SandboxServer
from tests.integration.report_queries import queries
from tests.integration.system import ROOT
from tests.unit.pool_shell import pool_in_memory

pytestmark = pytest.mark.django_db
END = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)
START = END - timedelta(hours=24)
ROWS = 15
CRMS = ("callrail", "genius", "hubspot")


class Stopped(SilentReporter):
    """Somebody cancels it as soon as it begins."""

    def check(self) -> None:
        raise SyncCancelled("Cancelled by ann.")


class Day:
    """Runs syncs; when they were is said at the end."""

    def __init__(self, server: SandboxServer) -> None:
        self._server = server
        self._starts: dict[int, datetime] = {}

    def run(self, at: str, command: str, *flags: str, fault: str = "", **handed: Any) -> None:
        """``at``: hours and minutes after the start of the day."""
        self._server.faults.set([Fault.parse(fault)] if fault else [])
        handle = RunHandle(handed.get("reporter") or SilentReporter())
        try:
            call_command(f"sync_{command}", *flags, run=handle)
        except (SyncError, SyncCancelled):
            assert fault or handed, f"{command} failed by itself"
        hours, minutes = at.split(":")
        moment = START + timedelta(hours=int(hours), minutes=float(minutes))
        self._starts[SyncHistory.objects.latest("pk").pk] = moment

    def tick(self) -> None:
        self._server.sandboxes.tick()

    def move(self) -> None:
        for row in SyncHistory.objects.all():
            took = row.end_time - row.start_time if row.end_time else timedelta()
            row.start_time = self._starts[row.pk]
            row.end_time = row.start_time + took
            row.save()


@pytest.fixture(scope="module")
def content(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What is kept of the report of a day; the day itself is rolled back behind the last test."""
    folder = tmp_path_factory.mktemp("day")
    with django_db_blocker.unblock(), transaction.atomic():
        with pool_in_memory() as pool:
            run_the_day(folder)
            with time_machine.travel(END - timedelta(minutes=1), tick=False):
                engine.run_rules(pool)
        yield report.make(now=END, hours=24).content
        transaction.set_rollback(True)


def run_the_day(folder: Path) -> None:
    with (
        SandboxServer(folder / "sandbox", names=CRMS, rows=ROWS, port=0) as server,
        pytest.MonkeyPatch.context() as patch,
        override_settings(
            INGESTION_WAREHOUSE_URL=f"sqlite:///{folder / 'warehouse' / 'warehouse.sqlite3'}",
            INGESTION_WAREHOUSE_PIPELINES_DIR=str(folder / "pipelines"),
            INGESTION_CRM_ENVIRONMENT=server.settings,
        ),
    ):
        # Nobody waits for a rate, or between two attempts.
        patch.setattr(sources, "shared_rate_limiter", process_rate_limiter)
        patch.setattr(client, "pause", lambda seconds, check: check())
        live(Day(server))


def live(day: Day) -> None:
    day.run("-1:00", "genius_leads")  # before the period
    day.run("00:30", "hubspot_contacts")
    day.run("01:10", "callrail_calls")
    day.run("02:00", "hubspot_all")
    day.tick()
    day.run("02:30", "hubspot_contacts", fault="throttle:2=hubspot")
    day.run("06:00", "genius_leads", "--full")
    day.run("06:00", "genius_leads")  # at the same time
    day.run("09:15", "genius_leads", "--dry-run")
    day.run("11:00", "callrail_calls", "--start-date=2031-01-01")  # brings nothing
    day.run("14:45", "callrail_calls", reporter=Stopped())
    day.run("15:00", "callrail_users", fault="html:always=callrail")
    for at in ("22:20", "22:50", "23:20"):
        day.run(at, "hubspot_deals", fault="credentials:always=hubspot")
    day.run("23:30", "callrail_companies", fault="errors:always=callrail")
    day.run("24:10", "genius_users")  # after it
    day.move()


def asked(part: str) -> list[dict[str, Any]]:
    """What the query of a part finds."""
    with connection.cursor() as cursor:
        cursor.execute(queries(START, END, vendor=connection.vendor)[part])
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def counted_again() -> dict[str, Any]:
    """The numbers of the report, by queries alone."""
    return {
        "schema": 1,
        "totals": asked("totals")[0],
        "failures": asked("failures"),
        "hours": hours(asked("hours")),
        "routes": asked("routes"),
        "slowest": asked("slowest"),
        "most_failing": asked("most_failing"),
        "freshness": [{"age_seconds": age(one)} for one in asked("freshness")],
        "wasted": wasted(),
        "rules": rules(asked("rules")),
    }


def hours(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A day has hours in which nothing ended, too."""
    named = {one["at"]: one for one in told}
    empty = {"complete": 0, "failed": 0, "cancelled": 0}
    moments = (START + timedelta(hours=number) for number in range(24))
    return [named.get(f"{at:%Y-%m-%d %H:00}", empty) for at in moments]


def age(dataset: dict[str, Any]) -> float | None:
    at = dataset["loaded_at"]
    if at is None:
        return None
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    return (END - (moment if moment.tzinfo else moment.replace(tzinfo=UTC))).total_seconds()


def wasted() -> dict[str, Any]:
    parts = {part: asked(part) for part in ("empty_runs", "overlaps", "redundant_all")}
    runs = {run["id"]: run for part in reversed(list(parts)) for run in parts[part]}
    return {
        **{part: len(told) for part, told in parts.items()},
        "seconds": sum(float(run["seconds"]) for run in runs.values()),
        "by_route": dict(Counter(run["route"] for run in runs.values())),
    }


def rules(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"outcomes": {one["outcome"]: one["acts"] for one in told if one["rule"] == name}}
        for name in engine.rules()
    ]


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number with where it stands."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from numbers(item, f"{path}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from numbers(item, f"{path}[{place}]")
    elif not isinstance(value, str | bool | datetime | type(None)):
        yield path, float(value)


def test_every_number_can_be_counted_again(content: dict[str, Any]) -> None:
    again = dict(numbers(counted_again()))
    # Seconds are told with one digit, ages with none, a rate with four.
    assert dict(numbers(content)) == pytest.approx(again, abs=0.51, rel=0)
    exact = {path: n for path, n in numbers(content) if not path.endswith("seconds")}
    assert exact == pytest.approx({path: again[path] for path in exact}, abs=0.0001)


def test_every_name_is_that_of_its_query(content: dict[str, Any]) -> None:
    for part in ("routes", "slowest", "most_failing"):
        assert [one["route"] for one in content[part]] == [one["route"] for one in asked(part)]
    ages = [one["dataset"] for one in asked("freshness")]
    assert [one["route"] for one in content["freshness"]] == ages
    told = [one["last_error"] for one in asked("routes")]
    assert [one["last_error"] for one in content["routes"]] == told
    said = [one["sentence"] for one in asked("recommendations")]
    assert [one["sentence"] for one in content["recommendations"]] == said


def test_the_day_is_told_as_it_was(content: dict[str, Any]) -> None:
    """Against what was done, without any query."""
    totals, routes = content["totals"], {one["route"]: one for one in content["routes"]}
    assert (totals["runs"], totals["failed"], totals["cancelled"]) == (14, 5, 1)
    assert totals["success"] + totals["partial"] == 8
    assert totals["throttled"] == 2
    assert {one["error_class"]: one["failed"] for one in content["failures"]} == {
        "credentials": 3,
        "permanent": 1,
        "transient": 1,
    }
    assert content["most_failing"][0] == {"route": "hubspot.deals", "failed": 3}
    assert routes["genius.leads"]["runs"] == 3
    ages = {one["route"]: one["age_seconds"] for one in content["freshness"]}
    assert ages["hubspot.deals"] == pytest.approx(22 * 3600, abs=60)  # by the run of all
    assert ages["genius.leads"] == pytest.approx(22 * 3600 - 4 * 3600, abs=60)  # not by the dry one
    never = [one["route"] for one in content["freshness"] if one["loaded_at"] is None]
    assert never == ["callrail.companies", "callrail.users"]
    wasted = content["wasted"]
    assert (wasted["overlaps"], wasted["redundant_all"]) == (1, 1)
    assert wasted["empty_runs"] >= 1
    said = {one["rule"]: one["sentence"] for one in content["recommendations"]}
    assert "refused its credentials in 3 of 3 runs" in said["rotate_credentials"]


def test_its_page_shows_the_day(content: dict[str, Any]) -> None:
    made = report.reports()[0][0]
    assert "14 runs ended, 8 complete (62% of those that were not cancelled)" in report.headline(
        made
    )
    shown = html.page(made)
    assert "hubspot.deals" in shown


@pytest.mark.postgres
def test_the_queries_are_right_for_postgresql_too(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    """A ledger in which nothing ran yet."""
    url = postgres_database()
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    with psycopg.connect(url) as server:
        found = {
            part: server.execute(query).fetchall()
            for part, query in queries(START, END, vendor="postgresql").items()
        }
    assert found.pop("totals") == [(0, 0, 0, 0, 0, None, 0, 0, 0, 0)]
    assert not any(found.values())
