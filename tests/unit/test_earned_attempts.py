"""An attempt that got further earns the next one, and to wait for it is no work."""

from __future__ import annotations

import pytest

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.tasks import outcomes
from ingestion.services.worker.execute import TaskFailed
from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.run import ModelResult, SyncResult
from tests.unit.execute_fixtures import Adapter, run, submit
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


def test_an_attempt_that_changed_rows_earns_the_next_one(bench: Bench, adapter: Adapter) -> None:
    created = [5, 3, 1, 0, 0]
    most = [3, 4, 5, 5, 5]

    def load_and_fail(run: RunHandle) -> None:
        model = ModelResult("leads", processed=9, created=created.pop(0))
        run.result = SyncResult("genius", "leads", [model])
        raise TransientError("busy")

    task_id, adapter.sync = submit(bench, max_attempts=2), load_and_fail
    for attempt, max_attempts in enumerate(most, start=1):
        with pytest.raises(TaskFailed):
            run(bench, task_id, attempt=attempt)
        assert bench.pool.get_task_status(task_id).max_attempts == max_attempts
        bench.clock.advance(hours=1)
        bench.pool.run_monitor_round()
    assert SyncHistory.objects.get().status == "failed"


@pytest.mark.parametrize(("attempt", "max_attempts"), [(1, 1), (outcomes.MOST_EARNED, 30)])
def test_none_is_earned_without_bound_or_where_there_is_one_attempt_alone(
    attempt: int, max_attempts: int
) -> None:
    result = SyncResult("genius", "leads", [ModelResult("leads", created=5)])
    failed = outcomes.failed(
        TransientError("busy"), attempt=attempt, max_attempts=max_attempts, result=result
    )
    assert not failed.is_earned


def test_to_wait_for_another_attempt_is_no_work(bench: Bench, adapter: Adapter) -> None:
    task_id = submit(bench, max_attempts=2)
    adapter.fails_with(TransientError("busy", retry_after_seconds=1000))
    with pytest.raises(TaskFailed):
        run(bench, task_id)
    bench.pool.cancel_task(task_id)
    row = SyncHistory.objects.get()
    assert (row.status, row.attempt, row.duration_seconds) == ("cancelled", 1, 0)
