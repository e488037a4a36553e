"""The ledger follows the store: SyncHistory rows and audit records of the pool's tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.utils import timezone

from ingestion.deprecated_names import with_old_keys
from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.clock import to_us
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.infra.database import DATABASE_ERRORS, ledger_now
from ingestion.services.ledger import state as ledger_state
from ingestion.services.ledger import statements
from ingestion.services.requests.submission import Prepared
from ingestion.services.security import audit
from ingestion.sync.common.errors import LOST

logger = logging.getLogger(__name__)

Entered = statements.Entered
BATCH = 500
ACTIONS = {
    TaskStatus.COMPLETED: "complete",
    TaskStatus.FAILED: "fail",
    TaskStatus.CANCELLED: "cancel",
}


def enter(good: Sequence[Prepared], *, are_accepted: bool = False) -> list[Entered]:
    """Write the rows and the audit records of tasks that are about to be submitted, in one
    transaction; what each has written, in their order.

    The store gives a task its place, which is written down then, see ``ledger_state.accept``.
    With ``are_accepted`` the rows get theirs here, in their order, for stores that take it, see
    ``PoolStore.admit``. Where the store cannot take it, as another submission was quicker, the two
    differ by the time between them.
    """
    now = timezone.now()
    given = [(one, one.taken_over) for one in good]
    found: dict[str, Entered] = {}
    with transaction.atomic() if len(given) > BATCH else nullcontext():
        for start in range(0, len(given), BATCH):
            chunk = given[start : start + BATCH]
            found |= statements.enter(
                [_new_row(*each, now=now, is_accepted=are_accepted) for each in chunk],
                [_submission(*each) for each in chunk],
            )
    return [found[one.task.id] for one in good]


def may_share() -> bool:
    """Whether another thread may enter what this one submits: not where it belongs to a transaction
    of the caller, nor where the database lets one write at a time anyway."""
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        return False
    # Django's own question opens a connection: a ledger that is away is the submission's to tell.
    is_open = connection.connection is not None
    return bool(connection.autocommit if is_open else connection.settings_dict["AUTOCOMMIT"])


def entered(good: Sequence[Prepared]) -> list[Entered]:
    """What ``enter`` has written for these; nothing where it has not."""
    ids = [one.task.id for one in good]
    rows = {
        row.worker_pool_task_id: row
        for row in SyncHistory.objects.filter(worker_pool_task_id__in=ids)
    }
    records = dict(
        AuditRecord.objects.filter(action="submit", target__in=ids).values_list("target", "pk")
    )
    return [
        Entered(task_id, rows[task_id].pk, rows[task_id].queued_us, records[task_id])
        for task_id in ids
        if task_id in rows and task_id in records
    ]


def take_back(entries: Sequence[Entered]) -> None:
    """These submissions were refused after all, and must leave no trace."""
    with transaction.atomic():
        SyncHistory.objects.filter(pk__in=[entry.row_id for entry in entries]).delete()
        AuditRecord.objects.filter(pk__in=[entry.record_id for entry in entries]).delete()


def _new_row(
    good: Prepared, taken_over: Mapping[str, Any], *, now: datetime, is_accepted: bool
) -> dict[str, Any]:
    task = good.task
    columns = ledger_state.columns_of(task)
    columns["pool_state"].pop("sync_history_id", None)  # known once the row is there
    # The store, or else the statement, gives the place; and the store the status.
    given = {"queued_us": None, "revision": 1} if is_accepted else {"pool_status": None}
    return {
        **columns,
        "status": SyncHistory.Status.QUEUED.value,
        "crm_source": task.crm_source,
        "sync_type": task.sync_type,
        "endpoint": good.route.command,
        "start_time": task.queued_at,
        "created_at": now,
        "worker_pool_task_id": task.id,
        "configuration": {**good.configuration(taken_over), "worker_pool_task_id": task.id},
        **given,
    }


def _submission(good: Prepared, taken_over: Mapping[str, Any]) -> dict[str, Any]:
    # Whoever has asked for it is the record's actor.
    after = {name: value for name, value in taken_over.items() if name != "requested_by"}
    return audit.columns(
        "submit",
        change=replace(good.submission.change, by=good.asked_by or good.submission.requested_by),
        target=good.task.id,
        after={"route": good.task.route, "asked": good.route.asked, **after},
    )


def follow(task: WorkerTask, *, by: str = "", epoch: int | None = None) -> bool:
    """Bring a task's row to what the store says of it; True if that changed the row.

    ``epoch`` is that of the store: with one, the row also gets all that the store knows of the
    task, and a start or a return to the queue is written only while that epoch is in force. If the
    database cannot be written now, the next monitor round does it.
    """
    try:
        return write(task, by=by, epoch=epoch)
    except DATABASE_ERRORS:
        logger.exception("task %s: the ledger could not be written", task.id)
        return False


def write(task: WorkerTask, *, by: str = "", epoch: int | None = None) -> bool:
    """As ``follow``; raises the error of a database that cannot be written."""
    columns = None if epoch is None else ledger_state.columns_of(task)
    if task.status.is_final:
        return _close(task, by=by, columns=columns)
    if task.status == TaskStatus.RUNNING:
        begun = {"attempt": task.attempt, "start_time": task.started_at or timezone.now()}
        return statements.start(task.id, epoch=epoch, row={**begun, **(columns or {})})
    return _mark_queued(task, by=by, columns=columns, epoch=epoch)


def follow_place(task: WorkerTask, *, epoch: int | None) -> None:
    """Write an operator's change of a queued task to its row. Nothing to do without an ``epoch``:
    then the ledger is the active store and has the change already."""
    if epoch is None:
        return
    columns = ledger_state.columns_of(task)
    try:
        SyncHistory.objects.mark_placed(
            task.id, revision=task.revision, columns=columns, epoch=epoch
        )
    except DATABASE_ERRORS:
        logger.exception("task %s: its place could not be written into the ledger", task.id)


def write_down(task: WorkerTask) -> bool:
    """Overwrite the open row with what the store says, whatever stands there. For repairs only:
    every other change of a row is conditional."""
    columns = ledger_state.columns_of(task)
    if task.confirmed_at:
        columns.pop("confirm_token", None)
    rows = SyncHistory.objects.open_row(task.id)
    return bool(rows.update(status=task.status.value, attempt=task.attempt, **columns))


def _mark_queued(
    task: WorkerTask, *, by: str, columns: Mapping[str, Any] | None, epoch: int | None
) -> bool:
    with transaction.atomic():
        is_news = SyncHistory.objects.mark_queued(
            task.id,
            attempt=task.attempt,
            error_message=task.error_message,
            columns=columns,
            epoch=epoch,
        )
        if is_news:
            record = _retry(task, by)
            record.at = ledger_now()
            record.save()
    return is_news


def complete(held: WorkerTask, outcome: Outcome) -> WorkerTask | None:
    """End the row of a running attempt that has succeeded, before the store is told: the task as it
    has ended. None where somebody else has said how this attempt ended, or the ledger cannot be
    written."""
    ended = replace(
        held,
        status=TaskStatus.COMPLETED,
        completed_at=utc_now(),
        error_message=outcome.error_message,
        result=outcome.result,
        lease_expires_at=None,
        revision=held.revision + 1,
    )
    try:
        is_first = _close(ended, by="", columns=ledger_state.columns_of(ended), is_first=True)
    except DATABASE_ERRORS:
        logger.warning("task %s: its end could not be written", held.id, exc_info=True)
        return None
    return ended if is_first else None


def _close(
    task: WorkerTask, *, by: str, columns: Mapping[str, Any] | None, is_first: bool = False
) -> bool:
    ending = SyncHistory.objects.closing_columns(
        row_status(task),
        error_message=task.error_message or task.result.get("warning"),
        error_class=_error_class(task),
        counts=task.result.get("counts"),
        performance_metrics=task.result.get("metrics"),
    )
    if task.completed_at:  # by the store's clock, as its start is
        ending["end_time"] = task.completed_at
    if task.attempt and not task.started_at:  # it waited for its next attempt, which is no work
        ending["start_time"] = ending["end_time"]
    # Needs no epoch: the attempt's holder is the only one who can know how it ended.
    closed = statements.close(
        task.id,
        attempt=task.attempt,
        row={**ending, **(columns or {})},
        record=audit.columns(**_ending(task, ChangeRequest(by=by))),
        is_first=is_first,
    )
    if closed:
        logger.info("task %s (%s) ended %s", task.id, task.route, task.status)
    return closed


def _error_class(task: WorkerTask) -> str:
    """The class that the run gave its failure; ``lost`` where the run did not report one."""
    if task.status != TaskStatus.FAILED:
        return ""
    return str(task.result.get("error_class", LOST))


def row_status(task: WorkerTask) -> str:
    """The row's status for a task that has ended. ``partial`` exists in the ledger only."""
    if task.status == TaskStatus.COMPLETED:
        return str(task.result.get("status", SyncHistory.Status.SUCCESS))
    return str(SyncHistory.Status(task.status.value))


def cancel_rows(tasks: Sequence[WorkerTask], *, change: ChangeRequest) -> int:
    """Close the rows of many tasks that were cancelled while they were queued; how many."""
    closed = 0
    for start in range(0, len(tasks), BATCH):
        chunk = tasks[start : start + BATCH]
        closed += _cancel_open_rows([task.id for task in chunk], change.reason)
        AuditRecord.objects.bulk_create(audit.entry(**_ending(task, change)) for task in chunk)
    return closed


def cancel_every_row(*, opened_before: datetime, change: ChangeRequest) -> int:
    """Close every open row of a pool task; how many."""
    closed = 0
    for rows in open_batches(SyncHistory.OPEN_STATUSES):
        open_ones = {
            str(row.worker_pool_task_id): row.status
            for row in rows
            if row.created_at <= opened_before
        }
        closed += _cancel_open_rows(open_ones, change.reason)
        AuditRecord.objects.bulk_create(
            audit.entry(
                "cancel",
                change=change,
                target=task_id,
                before={"status": status},
                after={"status": TaskStatus.CANCELLED.value},
            )
            for task_id, status in open_ones.items()
        )
    return closed


def _cancel_open_rows(task_ids: Iterable[str], reason: str) -> int:
    now = ledger_now()
    waits_again = When(status=SyncHistory.Status.QUEUED, attempt__gt=0, then=Value(now))
    return (
        open_rows()
        .filter(worker_pool_task_id__in=list(task_ids))
        .update(
            status=SyncHistory.Status.CANCELLED,
            error_message=reason,
            start_time=Case(waits_again, default=F("start_time")),
            end_time=now,
            pool_status=TaskStatus.CANCELLED,
            ended_us=to_us(now),
        )
    )


def _ending(task: WorkerTask, change: ChangeRequest) -> dict[str, Any]:
    """What is recorded of a task's end. A completed task is recorded as its worker's action,
    whichever process writes the record."""
    completed_by = task.worker if task.status == TaskStatus.COMPLETED else None
    was = TaskStatus.RUNNING if task.started_at else TaskStatus.QUEUED
    signed = ChangeRequest(
        by=change.by or completed_by or "", reason=change.reason or task.error_message or ""
    )
    return {
        "action": ACTIONS[task.status],
        "change": signed,
        "target": task.id,
        "before": {"status": was.value, "attempt": task.attempt, "worker": task.worker},
        "after": {"route": task.route, "status": task.status.value, "attempt": task.attempt},
    }


def _retry(task: WorkerTask, by: str) -> AuditRecord:
    """The audit record of an attempt that ended while the task is queued for another one."""
    return audit.entry(
        "retry",
        change=ChangeRequest(by=by, reason=task.error_message or ""),
        target=task.id,
        before={"status": TaskStatus.RUNNING.value, "attempt": task.attempt},
        after={
            "route": task.route,
            "status": task.status.value,
            "max_attempts": task.max_attempts,
            "not_before": task.not_before.isoformat() if task.not_before else None,
        },
    )


def open_rows(
    statuses: Sequence[str] = SyncHistory.OPEN_STATUSES,
) -> QuerySet[SyncHistory]:
    """The rows of pool tasks that have not ended."""
    return SyncHistory.objects.filter(worker_pool_task_id__isnull=False, status__in=statuses)


def open_counts() -> dict[str, int]:
    """How many tasks run and wait by the ledger."""
    running, queued = (
        open_rows([status]).count()
        for status in (SyncHistory.Status.RUNNING, SyncHistory.Status.QUEUED)
    )
    return with_old_keys(
        {"active": running, "queued": queued, "delayed": 0, "held": 0, "dead_letters": 0}
    )


def open_batches(statuses: Sequence[str]) -> Iterator[list[SyncHistory]]:
    """Open rows of pool tasks, some at a time."""
    last = 0
    while rows := list(open_rows(statuses).filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield rows
        last = rows[-1].pk


def task_of(row: SyncHistory) -> WorkerTask:
    """The task of an open row, QUEUED at its old place, with its attempt kept."""
    task = ledger_state.record_of(row).task
    return task.queued_again(task.queued_at)
