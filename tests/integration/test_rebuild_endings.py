"""An end that the ledger knows and the store does not, or the other way round, is one end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyFinished, PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.tasks import repairs
from tests.integration.failover_testbed import DONE, FailoverTestbed, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def actions(action: str) -> int:
    return AuditRecord.objects.filter(action=action).count()


def test_a_success_that_could_not_be_told_is_not_lost(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died between the ledger and the store."""
    task_id, waiting = bench.submit(), [bench.submit() for _ in range(2)][1]
    bench.confirm(task_id)

    def die(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.store, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            bench.finish(task_id)
    bench.redis.flushall()
    monkeypatch.setattr(repairs, "UNTOLD_SECONDS", 0)
    bench.pool.run_monitor_round()
    assert bench.task(task_id).status == TaskStatus.COMPLETED
    assert (bench.row(task_id).status, bench.row(task_id).records_processed) == ("success", 5)
    assert bench.task(waiting).status == TaskStatus.RUNNING


def untold(*args: object, **options: object) -> object:
    raise PoolUnavailable("connection refused")


def test_a_success_ends_in_the_ledger_before_the_store_is_told(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its holder dies in between: the store reads it there, and the slot is free."""
    monkeypatch.setattr(repairs, "UNTOLD_SECONDS", 0)
    bench.pool.set_max_workers(1)
    task_id, next_id = bench.submit(), bench.submit()
    held = bench.confirm(task_id)
    done = Outcome(TaskStatus.COMPLETED, result={"counts": {"processed": 7}})
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "finish", untold)
        with pytest.raises(PoolUnavailable):
            bench.pool.finish_task(task_id, attempt=1, outcome=done, held=held)
    row = bench.row(task_id)
    assert (row.status, row.pool_status, row.records_processed) == ("success", "completed", 7)
    assert bench.task(task_id).status == "running"
    bench.pool.run_monitor_round()
    assert bench.task(task_id).status == "completed"
    assert bench.task(task_id).result == {"counts": {"processed": 7}}
    assert bench.task(next_id).status == "running"
    assert actions("complete") == 1


def test_a_success_that_others_have_ended_meanwhile_is_one_end(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    held = bench.confirm(task_id)
    bench.pool.update_task_status(task_id, "failed", "stopped by hand")
    with pytest.raises(AlreadyFinished):
        bench.pool.finish_task(task_id, attempt=1, outcome=DONE, held=held)
    assert bench.row(task_id).status == "failed"
    assert (actions("complete"), actions("fail")) == (0, 1)


def test_the_holder_learns_the_row_of_its_attempt_once(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.confirm(task_id)
    assert bench.pool.recorded_row(task_id) == bench.row(task_id).pk
    assert bench.pool.recorded_row(task_id) is None


def test_what_the_ledger_has_closed_ends_in_the_store(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.confirm(task_id)
    rows = SyncHistory.objects.open_row(task_id)
    rows.update(**SyncHistory.objects.closing_columns("success", error_message=None))
    bench.pool.run_monitor_round()
    assert bench.task(task_id).status == TaskStatus.COMPLETED
    assert bench.pool.get_active_tasks() == []


def test_the_first_word_about_an_end_counts(bench: FailoverTestbed) -> None:
    """The sync was done, and its process was killed before it could say so."""
    task_id = bench.submit()
    bench.confirm(task_id)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.store, "finish", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            bench.finish(task_id)
    killed = Outcome(TaskStatus.FAILED, "The worker process was killed.")
    assert bench.finish(task_id, killed).status == TaskStatus.COMPLETED


def test_what_has_ended_is_written_down_before_a_redis_that_takes_no_writes_is_given_up(
    bench: FailoverTestbed,
) -> None:
    """The database was away when they ended, and Redis is full before it follows."""
    done, runs, cancelled = (bench.submit(max_attempts=2) for _ in range(3))
    waits = bench.submit()
    for task_id in (done, runs):
        bench.confirm(task_id)
    bench.store.cancel(cancelled, change=ChangeRequest(by="ann"))
    bench.store.finish(done, attempt=1, outcome=DONE, token="t")
    assert [bench.row(i).status for i in (done, cancelled)] == ["running", "queued"]
    bench.redis.config_set("maxmemory", 1)
    try:
        bench.submit()
    finally:
        bench.redis.config_set("maxmemory", 0)
    assert actions("degrade") == 1
    assert [bench.row(i).status for i in (done, cancelled)] == ["success", "cancelled"]
    assert [bench.row(i).status for i in (runs, waits)] == ["running", "queued"]
