"""What the schedules cost together, and the standard set."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.utils import timezone

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.beat.recurrence import recurrence_of, runs_after
from ingestion.services.requests.routing import ROUTES
from ingestion.services.scheduling import load as schedule_load
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.standard import STANDARD, fields_of

pytestmark = pytest.mark.django_db
CONFIGURED = "NOT_CONFIGURED"


def draft(model: str = "contacts", minutes: int = 10, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"{model} {minutes}",
        "crm_source": "hubspot",
        "model_name": model,
        "every": minutes,
        "period": "minutes",
        **fields,
    }


def found(*wanted: dict[str, Any], max_workers: int = 2) -> dict[str, str]:
    """The sentences by code, without those about credentials."""
    planned = schedule_load.plan(schedules.drafts(wanted))
    judged = schedule_load.findings(planned, max_workers=max_workers)
    return {one.code: one.sentence for one in judged if one.code != CONFIGURED}


def recorded(model: str, *, seconds: float, requests: int) -> None:
    end = timezone.now()
    SyncHistory.objects.create(
        crm_source="hubspot" if model == "contacts" else "callrail",
        sync_type=model,
        status="success",
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        performance_metrics={"models": [{"model": model, "requests": requests}]},
    )


def test_good_schedules_have_no_findings() -> None:
    recorded("contacts", seconds=30, requests=5)
    assert found(draft(), draft("deals")) == {}


def test_all_beside_its_models_overlaps() -> None:
    assert (
        "2 of its models (contacts, deals)"
        in found(draft(), draft("deals"), draft("all"))["OVERLAP"]
    )


def test_a_disabled_one_does_not_count() -> None:
    assert found(draft(), draft("all", enabled=False)) == {}


def test_one_route_twice() -> None:
    assert "SAME_ROUTE" in found(draft(), draft(minutes=20))
    assert "SAME_ROUTE" not in found(draft(), draft(minutes=20, mode="full"))


def test_more_requests_than_the_crm_allows() -> None:
    recorded("calls", seconds=60, requests=100)
    calls = draft("calls", minutes=10, crm_source="callrail")
    assert (
        "14,400 requests a day in 144 runs; its limits allow 10,000" in found(calls)["OVER_QUOTA"]
    )
    assert found({**calls, "every": 20}) == {}


def test_a_run_that_cannot_finish_within_its_interval() -> None:
    recorded("contacts", seconds=900, requests=1)
    assert "takes 900 s on average and is to run every 600 s" in found(draft())["TOO_SLOW"]


def test_more_work_than_workers() -> None:
    recorded("contacts", seconds=500, requests=1)
    wanted = [draft(), draft(minutes=11, mode="full")]
    assert "keep 1.6 workers busy" in found(*wanted, max_workers=1)["TOO_FEW_WORKERS"]
    direct = [{**one, "execution": "direct"} for one in wanted]
    assert found(*direct, max_workers=1) == {}


def test_a_crm_without_credentials_is_named() -> None:
    planned = schedule_load.plan(schedules.drafts([draft()]))
    (finding,) = schedule_load.findings(planned, max_workers=2)
    assert finding.code == CONFIGURED
    assert "HUBSPOT_ACCESS_TOKEN" in finding.sentence


def test_a_crontab_is_counted_by_its_day() -> None:
    cron = draft(recurrence="crontab", minute="0", hour="8-17")
    (planned,) = schedule_load.plan(schedules.drafts([cron]))
    assert (planned.runs_per_day, planned.gap_seconds) == (10, 3600)


def test_the_system_check_tells_of_them() -> None:
    schedules.create(draft())
    schedules.create(draft("all"))
    told = [message.msg for message in run_checks(databases=["default"])]
    assert any("hubspot.all is scheduled beside" in message for message in told)
    assert not any("hubspot.all" in message.msg for message in run_checks())


# The standard set


def test_has_38_schedules_of_real_routes_each_once() -> None:
    routes = [(one.crm_source, one.model_name) for one in STANDARD]
    assert len(routes) == len(set(routes)) == 38
    assert set(routes) <= ROUTES.keys()


def test_has_all_of_hubspot_with_associations_of_their_own() -> None:
    hubspot = {one.model_name for one in STANDARD if one.crm_source == "hubspot"}
    assert hubspot == {model for crm, model in ROUTES if crm == "hubspot"} - {"all"}


def test_no_two_of_it_overlap_and_all_keep_within_the_limits() -> None:
    assert found(*fields_of(STANDARD, execution="pool")) == {}


@pytest.mark.parametrize("every_minutes", [None, 2])
def test_they_do_not_start_in_the_same_second(every_minutes: int | None) -> None:
    drafts = schedules.drafts(fields_of(STANDARD, execution="pool", every_minutes=every_minutes))
    starts = Counter(at for one in drafts for at in _day_of(one))
    assert max(starts.values()) <= 2
    assert max(Counter(at.replace(second=0) for at in starts).values()) <= 22


def _day_of(schedule: SyncSchedule) -> list[datetime]:
    """Its runs in two hours, to the second."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    recurrence = recurrence_of(schedule)
    base = recurrence.base(now, schedule.start_at)
    return list(runs_after(recurrence, base, count=200, until=now + timedelta(hours=2)))


def test_loading_it_twice_changes_nothing() -> None:
    wanted = fields_of(STANDARD, execution="pool")
    assert schedules.import_all(wanted)["created"] == 38
    assert schedules.import_all(wanted)["unchanged"] == 38


def test_a_dry_run_stores_nothing() -> None:
    wanted = fields_of(STANDARD, execution="direct")
    assert schedules.import_all(wanted, dry_run=True)["created"] == 38
    assert not SyncSchedule.objects.exists()
