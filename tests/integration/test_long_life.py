"""A long history costs a page no more than a short one, counted in what the database has to do."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.maintenance import retention
from tests.unit.pool_shell import pool_in_memory

SHORT, LONG = 1_000, 20_000
STEPS_A_TICK = 100
CRMS = ("hubspot", "genius", "five9", "callrail", "arrivy")
STATUSES = (*["success"] * 8, "failed", "partial")
ALLOWED = 2
# Odd ones that stand in the tables of long-lived installations.
ODD: tuple[Any, ...] = (
    [],
    "text",
    7,
    {"models": "x"},
    {"models": [None, 3, {}, {"model": None}, {"name": "leads"}]},
    {"models": [{"model": "leads", "processed": "many", "seconds": [1], "requests": None}]},
    {"models": [{"model": "leads", "seconds": {"extract": "long"}, "schema_changes": "all"}]},
    {
        "models": [
            {"model": 3, "watermark": 5, "warning": ["w"], "error": {}, "schema_changes": [1]}
        ]
    },
)


def fill(count: int) -> None:
    """Runs of half a year or so, one after the other."""
    now = timezone.now()
    SyncHistory.objects.all().delete()
    for start in range(0, count, 5000):
        SyncHistory.objects.bulk_create(
            a_run(n, now - timedelta(minutes=13 * n))
            for n in range(start, min(count, start + 5000))
        )


def a_run(n: int, at: Any) -> SyncHistory:
    return SyncHistory(
        crm_source=CRMS[n % 5],
        sync_type=f"type{n % 7}",
        start_time=at,
        end_time=at + timedelta(seconds=40),
        status=STATUSES[n % 10],
        worker_pool_task_id=f"task{n}",
        configuration={"asked": "x" * 50},
        performance_metrics={"models": [{"model": f"type{n % 7}", "seconds": {"extract": 1.5}}]},
        pool_status="completed",
    )


@pytest.fixture
def browser(db: None) -> Iterator[Client]:
    client = Client()
    client.force_login(User.objects.create_superuser("ann"))
    with pool_in_memory():
        yield client


@pytest.fixture
def steps() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Steps of SQLite's machine that a call takes, to a hundred."""
    ticks = [0]

    def tick() -> int:
        ticks[0] += 1
        return 0

    def count(call: Callable[[], object]) -> int:
        connection.ensure_connection()
        connection.connection.set_progress_handler(tick, STEPS_A_TICK)
        ticks[0] = 0
        call()
        connection.connection.set_progress_handler(None, 0)
        return ticks[0]

    return count


PAGES = (
    "/history/",
    "/history/?crm_source=hubspot",
    "/history/?crm_source=hubspot&sync_type=type3",
    "/history/?status=failed",
    "/api/history?crm_source=hubspot",
    "/crms/",
    "/crms/hubspot/",
    "/api/crms",
    "/admin/ingestion/synchistory/",
    "/admin/ingestion/synchistory/?crm_source=hubspot",
    "/admin/ingestion/auditrecord/",
)


@pytest.mark.django_db
def test_no_page_reads_more_of_a_longer_history(browser: Client, steps: Any) -> None:
    def costs() -> dict[str, int]:
        for page in PAGES:  # what is read once in a process is not counted
            assert browser.get(page).status_code == 200, page
        return {page: steps(lambda page=page: browser.get(page)) for page in PAGES}

    fill(SHORT)
    short = costs()
    fill(LONG)
    long = costs()
    slack = 20  # in hundreds of steps: what no page can be blamed for
    grown = {p: (short[p], long[p]) for p in PAGES if long[p] > ALLOWED * short[p] + slack}
    assert grown == {}


@pytest.mark.django_db
def test_an_export_stays_small_in_memory(browser: Client) -> None:
    def peak() -> int:
        tracemalloc.start()
        answer = browser.get("/api/history.csv")
        lines = sum(1 for _ in answer.streaming_content)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert lines == SyncHistory.objects.count() + 1
        return most

    fill(SHORT)
    peak()
    short = peak()
    fill(LONG)
    assert peak() < ALLOWED * short + 2_000_000


@pytest.mark.django_db
def test_thinning_is_linear(steps: Any) -> None:
    def cost(count: int) -> float:
        fill(count)
        return steps(lambda: retention.thin(keep_days=1)) / count

    assert cost(LONG) < ALLOWED * cost(SHORT * 2)


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_one_odd_row_breaks_nothing(browser: Client, odd: Any) -> None:
    fill(20)
    row = SyncHistory.objects.filter(crm_source="hubspot").latest("start_time")
    SyncHistory.objects.filter(pk=row.pk).update(performance_metrics=odd)
    pages = ("/crms/", "/crms/hubspot/", "/api/crms", f"/history/{row.pk}/", "/automation/")
    for page in (*pages, "/schedules/", "/api/history", f"/api/history/{row.pk}"):
        assert browser.get(page).status_code == 200, page


def test_of_each_day_the_last_complete_run_of_a_route_stays(db: None) -> None:
    now = timezone.now()
    runs = SyncHistory.objects.bulk_create(
        SyncHistory(crm_source=crm, sync_type="x", start_time=at, end_time=at, status=status)
        for days in (5, 6)
        for at in (now - timedelta(days=days),)
        for crm in ("hubspot", "genius")
        for status in ("success", "partial", "failed")
    )
    kept = {run.pk for run in runs if run.status == "partial"}
    assert retention.thin(keep_days=2, dry_run=True) == len(runs) - len(kept)
    assert retention.thin(keep_days=2) == len(runs) - len(kept)
    assert set(SyncHistory.objects.values_list("pk", flat=True)) == kept
