"""An attempt that is stopped: by the loss of its lease, by a cancel, by a signal."""

from __future__ import annotations

import signal
from contextlib import suppress

import pytest

from ingestion.conf import PoolConf
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.runs.runner import RunHandle
from ingestion.services.worker import stop_signals
from ingestion.services.worker.stop_signals import CANCEL_NOW, SHUT_DOWN, SHUT_DOWN_NOW
from ingestion.sync.common.errors import SyncCancelled
from tests.unit.execute_fixtures import Adapter, run, run_in, status, submit
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


def test_reports_nothing_after_its_lease_was_lost(
    bench: Bench, adapter: Adapter, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator finds in the log why this worker stopped."""
    task_id = submit(bench)

    def lose(run: RunHandle) -> None:
        bench.clock.advance(seconds=91)
        bench.pool.run_monitor_round()
        run.reporter.check()

    adapter.sync = lose
    assert run(bench, task_id) == "lease lost"
    assert status(bench, task_id) == ("failed", "failed")
    assert f"task {task_id} attempt 1 lost its lease and stopped" in caplog.messages


def test_no_sync_begins_on_a_lease_that_ran_out(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker stood still after it had taken the task."""
    monkeypatch.setattr(PoolConf, "exclusive_seconds", 0.0)
    assert run(bench, submit(bench)) == "lease lost"
    assert adapter.calls == []


def test_a_late_success_changes_nothing(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench)

    def lose(run: RunHandle) -> None:
        bench.clock.advance(seconds=91)
        bench.pool.run_monitor_round()

    adapter.sync = lose
    run(bench, task_id)
    assert status(bench, task_id) == ("failed", "failed")


def test_a_task_whose_process_is_ended_by_a_signal_is_queued_again(
    bench: Bench, adapter: Adapter
) -> None:
    task_id = submit(bench)
    adapter.fails_with(SystemExit(-253))
    with pytest.raises(SystemExit):
        run(bench, task_id)
    task = bench.pool.get_task_status(task_id)
    assert (task.status, task.attempt, task.max_attempts) == ("running", 2, 2)
    assert SyncHistory.objects.get().attempt == 2
    assert run(bench, task_id, attempt=1) == "dropped"


def test_a_cancelled_task_whose_process_is_ended_is_not_queued_again(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signals came before a renewal of the lease could say who had cancelled it, and why."""
    monkeypatch.setattr(stop_signals, "_is_child", lambda: True)
    task_id = submit(bench, max_attempts=3)

    def end(run: RunHandle) -> None:
        bench.pool.cancel_task(task_id, change=ChangeRequest(by="ann", reason="enough"))
        with suppress(SyncCancelled):  # as a driver may do that takes any error for its own
            signal.raise_signal(CANCEL_NOW)
        raise SystemExit(SHUT_DOWN - 256)  # as the handler of the pool does

    adapter.sync = end
    with pytest.raises(SystemExit):
        run(bench, task_id)
    task = bench.pool.get_task_status(task_id)
    assert (task.status, task.error_message) == ("cancelled", "Cancelled by ann: enough")
    assert status(bench, task_id) == ("cancelled", "cancelled")


@pytest.mark.parametrize("number", [SHUT_DOWN, SHUT_DOWN_NOW])
def test_a_sync_of_a_worker_that_is_shut_down_waits_in_its_old_place(
    bench: Bench, adapter: Adapter, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr(stop_signals, "_is_child", lambda: True)
    bench.pool.worker_tick("celery@here", capacity=4)
    task_id, other, waiting = submit(bench), submit(bench), submit(bench)

    def shut_down(run: RunHandle) -> None:
        signal.raise_signal(number)
        run.reporter.check()

    adapter.sync = shut_down
    run_in(bench, other, worker="celery@here/5")
    assert run_in(bench, task_id, worker="celery@here/6") == "queued"
    assert [task.id for task in bench.pool.get_queued_tasks()] == [task_id, other, waiting]
    assert status(bench, task_id) == ("queued", "queued")
    assert not any(worker.is_online for worker in bench.pool.snapshot().workers)
