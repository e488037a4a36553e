"""Runs of schedules beside the pool."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from ingestion.models import SyncHistory
from ingestion.services.runs import direct
from ingestion.services.scheduling import schedules
from ingestion.sync.common.errors import PermanentError
from ingestion.tasks_enhanced import run_ingestion
from tests.unit.pool_fixtures import Bench
from tests.unit.schedules.given import fire, made, taken

pytestmark = pytest.mark.django_db


def test_a_direct_run_is_seen_while_it_runs(
    bench: Bench, clock: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = made(execution="direct")
    clock.shift(timedelta(minutes=10))
    seen: list[Any] = []
    monkeypatch.setattr(
        "ingestion.services.runs.runner._run",
        lambda *_: seen.append(bench.pool.snapshot().to_dict()["direct"]),
    )
    assert fire(schedule) == "ran directly"
    ((run,),) = seen
    assert (run["crm_source"], run["execution"], run["schedule_id"]) == (
        "hubspot",
        "direct",
        schedule.pk,
    )
    assert bench.pool.snapshot().direct == ()
    row = schedules.runs(schedule.pk)[0]
    assert (row.status, row.configuration["execution"]) == ("success", "direct")


def test_a_failed_direct_run_fails_everywhere(
    bench: Bench, clock: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise PermanentError("the token was refused")

    monkeypatch.setattr("ingestion.services.runs.runner._run", fail)
    schedule = made(execution="direct")
    clock.shift(timedelta(minutes=10))
    assert run_ingestion.apply((schedule.pk,)).state == "FAILURE"
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == ("failed", "the token was refused")


def test_a_direct_run_waits_for_its_last_one(bench: Bench, clock: time_machine.Coordinates) -> None:
    schedule = made(execution="direct")
    configuration = {"execution": "direct", "process": direct.this_process()}
    row = SyncHistory.objects.create(
        crm_source="hubspot",
        sync_type="contacts",
        schedule=schedule,
        configuration=configuration,
    )
    clock.shift(timedelta(minutes=10))
    assert fire(schedule) == "skipped: its last run has not ended"
    row.configuration["process"]["started"] = "long ago"
    row.save()
    clock.shift(timedelta(minutes=10))
    assert taken(schedule) == "ran"
