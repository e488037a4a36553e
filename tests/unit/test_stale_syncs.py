"""``cleanup_stale_syncs`` closes rows that nobody holds any more, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from ingestion.models import AuditRecord, SyncHistory, SyncSchedule
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.maintenance import retention
from ingestion.services.runs import direct
from ingestion.services.scheduling import schedules
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
    row.configuration = {"process": {**direct.this_process(), "started": "long ago"}}
    row.save()
    assert "1 stale, 1 closed" in cleanup()
    assert "ended without a word" in SyncHistory.objects.get().error_message


def test_leaves_a_run_whose_process_lives_alone(bench: Bench) -> None:
    row = direct_run(hours=0.1)
    row.configuration = {"process": direct.this_process()}
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


def test_0_minutes_close_all_that_is_open(bench: Bench) -> None:
    running, _, waiting = [bench.pool.submit_task("genius", "all") for _ in range(3)]
    bench.confirm(running)
    row = direct_run(hours=0.1)
    assert "4 stale, 4 closed" in cleanup(minutes=0)
    assert status(row) == "failed"
    assert not SyncHistory.objects.filter(status__in=SyncHistory.OPEN_STATUSES).exists()
    assert bench.pool.get_task_status(waiting).status == "cancelled"
    assert bench.pool.snapshot().active_count == 0


# The history


def ended(days_ago: float, *, status: str = "success", sync_type: str = "leads") -> SyncHistory:
    at = timezone.now().replace(hour=12) - timedelta(days=days_ago)
    return SyncHistory.objects.create(
        crm_source="genius", sync_type=sync_type, status=status, start_time=at, end_time=at
    )


def left() -> set[int]:
    return set(SyncHistory.objects.values_list("pk", flat=True))


def test_of_an_old_day_the_last_complete_run_of_a_route_is_kept(bench: Bench) -> None:
    ended(100)
    last = ended(100)
    ended(100, status="failed")
    others = [ended(101), ended(100, sync_type="jobs"), ended(80), ended(80, status="failed")]
    assert "2 old rows of the history deleted" in cleanup()
    assert left() == {last.pk, *(row.pk for row in others)}
    assert AuditRecord.objects.filter(action="cleanup").count() == 1


def test_a_dry_run_deletes_nothing(bench: Bench) -> None:
    ended(100)
    ended(100)
    assert "1 old rows of the history would be deleted" in cleanup(dry_run=True)
    assert len(left()) == 2


def test_with_0_days_every_run_is_kept(bench: Bench, settings: Any) -> None:
    settings.INGESTION_HISTORY_RETENTION_DAYS = 0
    ended(1000, status="failed")
    assert "0 old rows" in cleanup()


def test_an_open_row_is_never_thinned(bench: Bench) -> None:
    assert retention.thin(keep_days=1) == 0
    row = ended(100, status="running")
    assert retention.thin(keep_days=1) == 0
    assert left() == {row.pk}


# What refers to nothing


def test_removes_beats_entry_of_a_schedule_that_is_gone(bench: Bench) -> None:
    schedule = daily()
    SyncSchedule.objects.all().delete()
    assert "1 orphans would be removed" in cleanup(dry_run=True)
    assert "1 orphans removed" in cleanup()
    assert not PeriodicTask.objects.filter(name=f"sync-schedule-{schedule.pk}").exists()


def test_gives_a_schedule_back_the_entry_that_it_lost(bench: Bench) -> None:
    schedule = daily()
    PeriodicTask.objects.filter(task="ingestion.run_ingestion").delete()
    cleanup()
    schedule.refresh_from_db()
    assert schedule.periodic_task.enabled
    assert "0 orphans" in cleanup()


def daily() -> SyncSchedule:
    return schedules.create(
        {"name": "n", "crm_source": "genius", "model_name": "leads", "every": 1, "period": "days"}
    )


def test_a_lost_store_is_exit_code_5(bench: Bench) -> None:
    bench.store.is_lost = True
    row = direct_run(hours=1)
    SyncHistory.objects.filter(pk=row.pk).update(worker_pool_task_id="x")
    with pytest.raises(CommandError) as refused:
        cleanup()
    assert refused.value.returncode == 5


@pytest.mark.parametrize("minutes", ["-3", "soon", "nan"])
def test_refuses_minutes_that_make_no_sense(bench: Bench, minutes: str) -> None:
    with pytest.raises(CommandError):
        call_command("cleanup_stale_syncs", f"--minutes={minutes}")
