"""The ledger follows the store: SyncHistory rows and audit records of the pool's tasks."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.clock import to_us
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services import audit, ledger_state
from ingestion.services.submission import Submission
from ingestion.sync.common.errors import LOST

logger = logging.getLogger(__name__)

BATCH = 500
ACTIONS = {
    TaskStatus.COMPLETED: "complete",
    TaskStatus.FAILED: "fail",
    TaskStatus.CANCELLED: "cancel",
}


@dataclass(frozen=True)
class Entry:
    """What a submission has written."""

    row: SyncHistory
    audit: AuditRecord

    def take_back(self) -> None:
        """The submission was refused after all, and must leave no trace."""
        with transaction.atomic():
            self.row.delete()
            self.audit.delete()


def enter(submission: Submission) -> Entry:
    """The row and the audit record of a task that is about to be submitted."""
    task = submission.task
    with transaction.atomic():
        row = SyncHistory.objects.open_for_task(
            task_id=task.id,
            crm_source=task.crm_source,
            sync_type=task.sync_type,
            endpoint=submission.route.command,
            configuration=submission.configuration(),
            queued_at=task.queued_at,
        )
        record = audit.record(
            "submit",
            actor=task.requested_by,
            target=task.id,
            reason=submission.reason,
            after={
                "route": task.route,
                "asked": submission.route.asked,
                "priority": task.priority,
                "max_attempts": task.max_attempts,
                "not_before": task.not_before.isoformat() if task.not_before else None,
                "parameters": task.parameters,
            },
        )
    return Entry(row, record)


def follow(task: WorkerTask, *, actor: str = "", epoch: int | None = None) -> bool:
    """Write down where the store says that a task stands; True if that was news.

    ``epoch`` is that of the store: with one, what the store knows of the task is kept too, and a
    start or a return to the queue is written only while that state is in force. A ledger that
    cannot be written now is caught up by the next monitor round.
    """
    try:
        return _write(task, actor=actor, epoch=epoch)
    except DatabaseError:
        logger.exception("task %s: the ledger could not be written", task.id)
        return False


def _write(task: WorkerTask, *, actor: str, epoch: int | None) -> bool:
    kept = None if epoch is None else ledger_state.columns_of(task)
    if task.status.is_final:
        return _close(task, actor=actor, kept=kept)
    if task.status == TaskStatus.RUNNING:
        return SyncHistory.objects.mark_running(
            task.id,
            attempt=task.attempt,
            started_at=task.started_at or timezone.now(),
            kept=kept,
            epoch=epoch,
        )
    return _mark_queued(task, actor=actor, kept=kept, epoch=epoch)


def follow_place(task: WorkerTask, *, epoch: int | None) -> None:
    """Write down what an operator has changed of a task that waits. Without an ``epoch`` the ledger
    itself has decided it."""
    if epoch is None:
        return
    kept = ledger_state.columns_of(task)
    try:
        SyncHistory.objects.mark_placed(task.id, revision=task.revision, kept=kept, epoch=epoch)
    except DatabaseError:
        logger.exception("task %s: its place could not be written into the ledger", task.id)


def write_down(task: WorkerTask) -> bool:
    """Let the open row say what the store says, whatever it said before: for repairs alone, every
    other change has its condition."""
    kept = ledger_state.columns_of(task)
    if task.confirmed_at:
        kept.pop("confirm_token", None)
    rows = SyncHistory.objects.open_row(task.id)
    return bool(rows.update(status=task.status.value, attempt=task.attempt, **kept))


def _mark_queued(
    task: WorkerTask, *, actor: str, kept: Mapping[str, Any] | None, epoch: int | None
) -> bool:
    with transaction.atomic():
        is_news = SyncHistory.objects.mark_queued(
            task.id, attempt=task.attempt, error_message=task.error_message, kept=kept, epoch=epoch
        )
        if is_news:
            _retry(task, actor).save()
    return is_news


def _close(task: WorkerTask, *, actor: str, kept: Mapping[str, Any] | None) -> bool:
    with transaction.atomic():
        closed = SyncHistory.objects.close_task(
            task.id,
            attempt=task.attempt,
            status=row_status(task),
            error_message=task.error_message or task.result.get("warning"),
            error_class=_error_class(task),
            counts=task.result.get("counts"),
            performance_metrics=task.result.get("metrics"),
            kept=kept,
        )
        if closed:
            _ending(task, actor).save()
    if closed:
        logger.info("task %s (%s) ended %s", task.id, task.route, task.status)
    return closed


def _error_class(task: WorkerTask) -> str:
    """A failure that its run did not class itself is one of the pool: nobody heard of the run."""
    if task.status != TaskStatus.FAILED:
        return ""
    return str(task.result.get("error_class", LOST))


def row_status(task: WorkerTask) -> str:
    """The ledger's word for how a task ended; only the ledger knows ``partial``."""
    if task.status == TaskStatus.COMPLETED:
        return str(task.result.get("status", SyncHistory.Status.SUCCESS))
    return str(SyncHistory.Status(task.status.value))


def cancel_rows(tasks: Sequence[WorkerTask], *, actor: str, reason: str) -> int:
    """Close the rows of many tasks that were cancelled while they were queued; how many."""
    closed = 0
    for start in range(0, len(tasks), BATCH):
        chunk = tasks[start : start + BATCH]
        closed += _cancel_open_rows([task.id for task in chunk], reason)
        AuditRecord.objects.bulk_create(_ending(task, actor, reason) for task in chunk)
    return closed


def cancel_every_row(*, opened_before: datetime, actor: str, reason: str) -> int:
    """Close every open row of a pool task; how many."""
    closed = 0
    for rows in open_batches(SyncHistory.OPEN_STATUSES):
        open_ones = {
            str(row.worker_pool_task_id): row.status
            for row in rows
            if row.created_at <= opened_before
        }
        closed += _cancel_open_rows(open_ones, reason)
        AuditRecord.objects.bulk_create(
            audit.entry(
                "cancel",
                actor=actor,
                target=task_id,
                reason=reason,
                before={"status": status},
                after={"status": TaskStatus.CANCELLED.value},
            )
            for task_id, status in open_ones.items()
        )
    return closed


def _cancel_open_rows(task_ids: Iterable[str], reason: str) -> int:
    return (
        open_rows()
        .filter(worker_pool_task_id__in=list(task_ids))
        .update(
            status=SyncHistory.Status.CANCELLED,
            error_message=reason,
            end_time=timezone.now(),
            pool_status=TaskStatus.CANCELLED,
            ended_us=to_us(utc_now()),
        )
    )


def _ending(task: WorkerTask, actor: str, reason: str = "") -> AuditRecord:
    """A completed task was completed by its worker, whoever writes that down."""
    completed_by = task.worker if task.status == TaskStatus.COMPLETED else None
    was = TaskStatus.RUNNING if task.started_at else TaskStatus.QUEUED
    return audit.entry(
        ACTIONS[task.status],
        actor=actor or completed_by or "",
        target=task.id,
        reason=reason or task.error_message or "",
        before={"status": was.value, "attempt": task.attempt, "worker": task.worker},
        after={"route": task.route, "status": task.status.value, "attempt": task.attempt},
    )


def _retry(task: WorkerTask, actor: str) -> AuditRecord:
    """An attempt ended, and the task waits for another one."""
    return audit.entry(
        "retry",
        actor=actor,
        target=task.id,
        reason=task.error_message or "",
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
    return {"active": running, "queued": queued, "delayed": 0, "held": 0, "set_aside": 0}


def open_batches(statuses: Sequence[str]) -> Iterator[list[SyncHistory]]:
    """Open rows of pool tasks, some at a time."""
    last = 0
    while rows := list(open_rows(statuses).filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield rows
        last = rows[-1].pk


def task_of(row: SyncHistory) -> WorkerTask:
    """The task of an open row, QUEUED at its old place, with its attempt kept."""
    task = ledger_state.kept_of(row).task
    return task.queued_again(task.queued_at)
