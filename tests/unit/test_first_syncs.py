"""The first load of a new warehouse."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from django.core.management import call_command

from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.data import profiles
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import forget_answers
from tests.unit.pool_shell import pool_in_memory


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("load_schedules", "--first", *words, stdout=out)
    return out.getvalue()


def test_a_new_warehouse_gets_schedules_and_a_sync_of_each_crm(pool: WorkerPoolService) -> None:
    assert "loading 2 CRMs" in said("hubspot", "five9", "--no-wait")
    routes = sorted(row.crm_source + "." + row.sync_type for row in SyncHistory.objects.all())
    assert routes == ["five9.all", "hubspot.all"]
    assert set(SyncSchedule.objects.values_list("crm_source", flat=True)) == {"hubspot", "five9"}


def test_one_that_has_run_before_gets_nothing(pool: WorkerPoolService) -> None:
    pool.submit_task("hubspot", "deals")
    assert said("hubspot", "five9", "--no-wait") == ""
    assert not SyncSchedule.objects.exists()


def test_prints_the_rows_of_each_as_it_ends(
    pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(_seconds: float) -> None:
        row = SyncHistory.objects.get()
        row.status, row.records_processed, row.end_time = "success", 1646, row.start_time
        row.save()

    monkeypatch.setattr("ingestion.management.schedules_cli.first_syncs.time.sleep", end)
    counted: list[float] = []
    monkeypatch.setattr(profiles, "refresh", lambda *, seconds: counted.append(seconds))
    text = said("hubspot")
    assert len(counted) == 1  # so that the pages show rows at once
    assert "hubspot: 1,646 rows in 0 s" in text
    assert "loaded: 1,646 rows" in text
