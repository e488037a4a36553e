"""One attempt inside a worker, over a store in memory, with a sync that a test makes up."""

from __future__ import annotations

from typing import Any

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.worker.execute import run_task
from ingestion.sync.common.run import ModelResult, SyncResult
from tests.unit.pool_fixtures import Bench


class Adapter:
    """Takes the place of the adapter; does what ``sync`` says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.sync: Any = lambda run: None

    def __call__(self) -> Adapter:
        return self

    def run_source_ingestion(
        self, crm_source: str, sync_type: str, *, run: RunHandle, **parameters: Any
    ) -> None:
        self.calls.append((crm_source, sync_type, parameters))
        run.result = SyncResult(crm_source, sync_type, [ModelResult(sync_type, processed=7)])
        self.sync(run)

    def fails_with(self, error: BaseException) -> None:
        def fail(run: RunHandle) -> None:
            raise error

        self.sync = fail


def submit(bench: Bench, **options: Any) -> str:
    return bench.pool.submit_task("genius", "leads", {"full": True}, **options)


def run(bench: Bench, task_id: str, attempt: int = 1) -> str:
    return run_task(bench.pool, task_id, attempt=attempt, worker="w1")


def run_in(bench: Bench, task_id: str, *, worker: str) -> str:
    return run_task(bench.pool, task_id, attempt=1, worker=worker)


def status(bench: Bench, task_id: str) -> tuple[str, str]:
    row = SyncHistory.objects.get(worker_pool_task_id=task_id)
    return bench.pool.get_task_status(task_id).status.value, row.status
