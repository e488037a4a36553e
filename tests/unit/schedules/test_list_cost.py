"""What a list of schedules asks the database, however long it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.route_costs import Cost, costs_of
from ingestion.services.scheduling.standard import STANDARD, fields_of
from tests.unit.people import browser, forget_answers, member, program
from tests.unit.pool_shell import pool_in_memory

pytestmark = pytest.mark.django_db
FEW = 3


def load(count: int) -> None:
    """So many of the standard set, each with two runs, the later one failed."""
    schedules.import_all(fields_of(STANDARD[:count], execution="pool"))
    for schedule in SyncSchedule.objects.filter(runs=None):
        for minutes_ago, status in ((20, "success"), (10, "failed")):
            ran(schedule.crm_source, schedule.model_name, minutes_ago, status, schedule=schedule)


def ran(
    crm_source: str, sync_type: str, minutes_ago: float, status: str = "success", **fields: Any
) -> SyncHistory:
    end = timezone.now() - timedelta(minutes=minutes_ago)
    usual = {
        "start_time": end - timedelta(seconds=30),
        "end_time": end,
        "performance_metrics": {"models": [{"requests": 4}, {"requests": 2}]},
    }
    return SyncHistory.objects.create(
        crm_source=crm_source,
        sync_type=sync_type,
        status=status,
        **{**usual, **fields},
    )


def queries_of(look: Callable[[], object]) -> int:
    forget_answers()
    with CaptureQueriesContext(connection) as asked:
        look()
    return len(asked)


def page() -> Callable[[], object]:
    client = browser(member("Viewers"))
    return lambda: client.get("/schedules/")


def api() -> Callable[[], object]:
    client = program("read")
    return lambda: client.get("/api/schedules")


def shell(*words: str) -> Callable[[], Callable[[], object]]:
    return lambda: lambda: call_command("manage_schedules", "list", *words, stdout=io.StringIO())


@pytest.mark.parametrize("endpoint", [page, api, shell(), shell("--json")])
def test_a_long_list_costs_no_more_queries_than_a_short_one(
    endpoint: Callable[[], Callable[[], object]],
) -> None:
    with pool_in_memory():
        look = endpoint()
        look()  # what is asked once and kept
        load(FEW)
        short = queries_of(look)
        load(len(STANDARD))
        assert queries_of(look) == short
    assert SyncSchedule.objects.count() == len(STANDARD)


def test_each_has_its_own_last_run() -> None:
    load(FEW)
    never = schedules.create(
        {
            "name": "new",
            "crm_source": "five9",
            "model_name": "contacts",
            "every": 1,
            "period": "days",
        }
    )
    told = {found["id"]: found["last_run"] for found in schedules.to_dicts(schedules.stored())}
    assert told.pop(never.pk) is None
    for schedule_id, run in told.items():
        assert run["history_id"] == schedules.runs(schedule_id)[0].pk
        assert run["status"] == "failed"


def test_a_cost_is_the_mean_of_the_last_ten_complete_runs() -> None:
    for minutes_ago in range(10, 20):
        ran("hubspot", "deals", minutes_ago)
    ran("hubspot", "deals", 5, "failed", performance_metrics={"models": [{"requests": 900}]})
    ran("hubspot", "deals", 30, performance_metrics={"models": [{"requests": 900}]})
    ran("genius", "leads", 30)
    found = costs_of([("hubspot", "deals"), ("genius", "leads"), ("five9", "contacts")])
    assert found == {("hubspot", "deals"): Cost(30, 6), ("genius", "leads"): Cost(30, 6)}
    assert costs_of([]) == {}
