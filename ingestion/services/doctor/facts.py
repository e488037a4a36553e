"""One look at the pool from all sides, for the doctor to compare. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils import timezone

from ingestion.conf import PoolConf
from ingestion.models import SyncHistory
from ingestion.pool.controls import PoolControls
from ingestion.pool.store import PoolStore, all_waiting
from ingestion.pool.task import WorkerTask
from ingestion.services.doctor import direct_runs
from ingestion.services.doctor.diagnosis import Facts, Row
from ingestion.services.ledger import controls as ledger_controls
from ingestion.services.ledger import entries as ledger
from ingestion.services.runs.celery_view import InHand

BATCH = 500
FIELDS = ("worker_pool_task_id", "pk", "status", "attempt", "created_at", "pool_status")


def collect(store: PoolStore, conf: PoolConf, *, celery: InHand | None = None) -> Facts:
    """``celery`` as ``celery_view.in_hand`` gave it. Reads every task that is open once.

    Raises PoolUnavailable.
    """
    rows = dict(_open_rows())
    active = {task.id: task for task in store.active()}
    queued = {task.id: task for task in all_waiting(store)}
    unplaced = [task_id for task_id in rows if task_id not in active and task_id not in queued]
    unknown = [task_id for task_id in (*active, *queued) if task_id not in rows]
    return Facts(
        now=timezone.now(),
        conf=conf,
        snapshot=store.snapshot(queue_limit=0),
        active=active,
        queued=queued,
        elsewhere=dict(_known(unplaced, store)),
        rows=rows | dict(_rows_of(unknown)),
        kept_controls=PoolControls.of(
            ledger_controls.controls_to_rebuild(),
            changed_at=None,
            priority_aging=ledger_controls.kept_aging(conf.priority_aging_seconds),
        ),
        celery=celery,
        direct_runs=tuple(direct_runs.gone()),
    )


def _known(task_ids: Iterable[str], store: PoolStore) -> Iterator[tuple[str, WorkerTask]]:
    for task_id in task_ids:
        task = store.get(task_id)
        if task is not None:
            yield task_id, task


def _open_rows() -> Iterator[tuple[str, Row]]:
    yield from map(_row, ledger.open_rows().values_list(*FIELDS).iterator())


def _rows_of(task_ids: list[str]) -> Iterator[tuple[str, Row]]:
    for start in range(0, len(task_ids), BATCH):
        ids = task_ids[start : start + BATCH]
        yield from map(
            _row, SyncHistory.objects.filter(worker_pool_task_id__in=ids).values_list(*FIELDS)
        )


def _row(found: tuple) -> tuple[str, Row]:  # type: ignore[type-arg]
    task_id, *fields = found
    return str(task_id), Row(*fields)
