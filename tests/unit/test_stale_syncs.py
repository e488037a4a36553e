"""``cleanup_stale_syncs`` closes rows that nobody holds any more, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services import outside_runs
from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    with use_worker_pool(bench.pool):
        yield bench


def direct_run(hours: float) -> SyncHistory:
    start = timezone.now() - timedelta(hours=hours)
    return SyncHistory.objects.create(crm_source="genius", sync_type="leads", start_time=start)


def cleanup(**options: Any) -> str:
    out = StringIO()
    call_command("cleanup_stale_syncs", stdout=out, **options)
    return out.getvalue()


def status(row: SyncHistory) -> str:
    row.refresh_from_db()
    return row.status


def test_leaves_a_direct_run_of_today_alone(bench: Bench) -> None:
    row = direct_run(hours=5)
    assert "0 stale, 0 closed" in cleanup()
    assert status(row) == "running"


def test_closes_a_direct_run_that_is_too_old(bench: Bench) -> None:
    row = direct_run(hours=25)
    assert "1 stale, 1 closed" in cleanup()
    assert status(row) == "failed"
    assert "1440 minutes" in row.error_message


def test_closes_a_direct_run_whose_process_died(bench: Bench) -> None:
    row = direct_run(hours=0.1)
    row.configuration = {"process": {**outside_runs.this_process(), "started": "long ago"}}
    row.save()
    assert "1 stale, 1 closed" in cleanup()
    assert "ended without a word" in SyncHistory.objects.get().error_message


def test_leaves_a_run_whose_process_lives_alone(bench: Bench) -> None:
    row = direct_run(hours=0.1)
    row.configuration = {"process": outside_runs.this_process()}
    row.save()
    assert "0 stale" in cleanup()


def test_minutes_hold_for_direct_runs_too(bench: Bench) -> None:
    row = direct_run(hours=1)
    cleanup(minutes=30)
    assert status(row) == "failed"


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    row = direct_run(hours=25)
    shown = cleanup(dry_run=True)
    assert "1 would be closed" in shown
    assert "genius.leads" in shown
    assert status(row) == "running"


def test_closes_the_row_of_a_task_that_ended_unheard(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.memory.finish(task_id, attempt=1, outcome=Outcome(TaskStatus.FAILED, "broke"), token="t")
    assert "it is failed" in cleanup()
    assert SyncHistory.objects.get().status == "failed"


def test_closes_the_row_of_a_task_that_the_pool_forgot(bench: Bench) -> None:
    bench.pool.submit_task("genius", "all")
    SyncHistory.objects.update(created_at=timezone.now() - timedelta(hours=1))
    bench.memory.reset()
    assert "no longer knows" in cleanup()
    assert SyncHistory.objects.get().status == "failed"


def test_ends_a_task_that_does_not_move(bench: Bench) -> None:
    task_id = bench.pool.submit_task("genius", "all")
    bench.confirm(task_id)
    bench.memory._held[task_id].task.last_heartbeat -= timedelta(minutes=6)
    assert "0 stale" in cleanup()
    assert "1 closed" in cleanup(minutes=5)
    assert SyncHistory.objects.get().status == "failed"


def test_leaves_healthy_tasks_alone(bench: Bench) -> None:
    for _ in range(3):
        bench.pool.submit_task("genius", "all")
    assert "0 stale" in cleanup()


def test_a_lost_store_is_exit_code_5(bench: Bench) -> None:
    bench.store.is_lost = True
    row = direct_run(hours=1)
    SyncHistory.objects.filter(pk=row.pk).update(worker_pool_task_id="x")
    with pytest.raises(CommandError) as refused:
        cleanup()
    assert refused.value.returncode == 5


@pytest.mark.parametrize("minutes", ["0", "-3", "soon", "nan"])
def test_refuses_minutes_that_make_no_sense(bench: Bench, minutes: str) -> None:
    with pytest.raises(CommandError):
        call_command("cleanup_stale_syncs", f"--minutes={minutes}")
