"""Situations for the rules, as the ledger and the pool have recorded them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.runs import direct
from ingestion.services.scheduling import schedules
from tests.unit.pool_fixtures import Bench


def ran(
    route: str = "hubspot.contacts",
    *,
    minutes_ago: float = 5,
    status: str = "success",
    processed: int = 10,
    error: str = "",
    error_class: str = "",
    seconds: float = 10,
    requests: int = 0,
    throttled: int = 0,
    parameters: dict[str, Any] | None = None,
) -> SyncHistory:
    end = timezone.now() - timedelta(minutes=minutes_ago)
    crm_source, sync_type = route.split(".")
    return SyncHistory.objects.create(
        crm_source=crm_source,
        sync_type=sync_type,
        status=status,
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        records_processed=processed,
        error_message=error,
        error_class=error_class,
        configuration={"parameters": parameters or {}},
        performance_metrics={"models": [{"requests": requests, "throttled": throttled}]},
    )


def series(count: int, *, since_minutes: float = 10, **fields: Any) -> None:
    """The latest first, ten minutes apart."""
    for number in range(count):
        ran(minutes_ago=since_minutes + 10 * number, **fields)


def scheduled(route: str = "hubspot.contacts", **fields: Any) -> SyncSchedule:
    crm_source, model_name = route.split(".")
    usual = {"name": route, "crm_source": crm_source, "model_name": model_name}
    return schedules.create({**usual, "every": 10, "period": "minutes", **fields})


def came_to_nothing(route: str) -> None:
    series(3, route=route, processed=0)
    series(10, since_minutes=60, route=route)


def timed_out(route: str) -> None:
    scheduled(route, options={"batch_size": 400})
    series(2, route=route, status="failed", error="HubSpot: the request timed out")


def failed_once(route: str) -> None:
    ran(route, status="failed", error="HubSpot answered 502", parameters={"max_records": 7})
    series(5, since_minutes=20, route=route)


def refused_us(route: str) -> None:
    error = "HubSpot refused the credentials (401); check HUBSPOT_ACCESS_TOKEN."
    series(3, route=route, status="failed", error=error)


def lost_its_state(route: str) -> None:
    series(3, route=route, status="failed", error="the column amount has another type")


def throttled(route: str) -> None:
    ran(route, requests=200, throttled=40)


def grew(route: str) -> None:
    scheduled(route)
    series(5, route=route, seconds=550)
    series(10, since_minutes=100, route=route, seconds=200)


def overloaded(bench: Bench) -> None:
    for _ in range(4):
        bench.pool.submit_task("genius", "all")
    bench.clock.advance(minutes=20)
    bench.memory.worker_seen("w1", capacity=8)


def died(bench: Bench) -> None:
    SyncHistory.objects.create(
        crm_source="genius",
        sync_type="leads",
        configuration={"process": {**direct.this_process(), "started": "long ago"}},
    )
