"""Tasks that wait for others: what may be waited for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ingestion.models import SyncHistory
from ingestion.pool.errors import InvalidPredecessor, InvalidSubmission
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.submission import Prepared

HAS_COMPLETED = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL)


def checked(good: Prepared) -> Prepared:
    """With the routes of its predecessors, and without those that have completed. Raises
    InvalidPredecessor where one is not known, has failed or was cancelled."""
    return _checked(good, rows_before([good.task])) if good.task.after else good


def checked_all(
    asked: Sequence[Prepared | InvalidSubmission],
) -> list[Prepared | InvalidSubmission]:
    """The same for several, with one look at the ledger; each, or why it is refused."""
    rows = rows_before([one.task for one in asked if isinstance(one, Prepared)])
    return [_checked_or_refused(one, rows) for one in asked]


def _checked_or_refused(
    one: Prepared | InvalidSubmission, rows: Mapping[str, SyncHistory]
) -> Prepared | InvalidSubmission:
    if isinstance(one, InvalidSubmission):
        return one
    try:
        return _checked(one, rows)
    except InvalidPredecessor as problem:
        return problem


def _checked(good: Prepared, rows: Mapping[str, SyncHistory]) -> Prepared:
    after = {}
    for task_id in good.task.after:
        row = rows.get(task_id)
        if row is None:
            raise InvalidPredecessor(
                f"{good.task.route} cannot wait for task {task_id!r}: nothing is known of it."
            )
        if row.status in SyncHistory.OPEN_STATUSES:
            after[task_id] = _route(row)
        elif row.status not in HAS_COMPLETED:
            raise InvalidPredecessor(
                f"{good.task.route} cannot wait for task {task_id} ({_route(row)}): "
                f"{how_ended(row.status)}."
            )
    return replace(good, task=replace(good.task, after=after))


def rows_before(tasks: Iterable[WorkerTask]) -> dict[str, SyncHistory]:
    """The rows of what they wait for, by the ids of the tasks."""
    ids = {task_id for task in tasks for task_id in task.after}
    if not ids:
        return {}
    with as_unavailable():
        found = SyncHistory.objects.filter(worker_pool_task_id__in=ids)
        return {str(row.worker_pool_task_id): row for row in found}


def _route(row: SyncHistory) -> str:
    return f"{row.crm_source}.{row.sync_type}"


def how_ended(status: str) -> str:
    """Of one that has not completed, for people."""
    return "was cancelled" if status == TaskStatus.CANCELLED else "has failed"
