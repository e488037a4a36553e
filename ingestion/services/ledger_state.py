"""What the ledger keeps of the pool's state: enough to build it anew, or to decide in its place.

While Redis decides, the rows follow it. Two things are written before they count: an attempt is
held in the ledger before its sync begins, and how it ended is noted before the store is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from ingestion.models import PoolReferee, PoolSetting, SyncHistory
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.controls import Control, in_force
from ingestion.pool.errors import PoolError, StateLost, UnreadableTask
from ingestion.pool.kept import UNKNOWN_HOLDER, Kept, plain_json
from ingestion.pool.overlap import parameters_digest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.database import bounded_transaction
from ingestion.services.routing import task_name
from ingestion.services.submission import KEPT

logger = logging.getLogger(__name__)

BATCH = 500
# What stands in columns of its own.
ELSEWHERE = frozenset({"id", "crm_source", "sync_type", "parameters"})
FINAL = tuple(status.value for status in TaskStatus if status.is_final)
# The ledger's words for how a run ended, and the pool's.
ENDINGS = {
    SyncHistory.Status.SUCCESS: TaskStatus.COMPLETED,
    SyncHistory.Status.PARTIAL: TaskStatus.COMPLETED,
    SyncHistory.Status.FAILED: TaskStatus.FAILED,
    SyncHistory.Status.CANCELLED: TaskStatus.CANCELLED,
}


class OtherReferee(PoolError):
    """Another state is in force than the one in which this was decided."""

    code = "OTHER_REFEREE"


def columns(kept: Kept) -> dict[str, Any]:
    """The columns of a row that say what the store knows of its task."""
    task = kept.task
    state = {name: value for name, value in task.to_dict().items() if name not in ELSEWHERE}
    state |= {"finish_token": kept.finish_token, "sent_at": _iso(kept.sent_at)}
    return {
        "pool_status": task.status.value,
        "priority": task.priority,
        "queued_us": to_us(task.queued_at),
        "delayed_us": to_us(kept.delayed_until) if kept.delayed_until else None,
        "ended_us": to_us(task.completed_at or utc_now()) if task.status.is_final else None,
        "held_us": to_us(task.held_at) if task.held_at else None,
        "front_score": task.front_score,
        "revision": task.revision,
        "parameters_digest": parameters_digest(task.parameters),
        "confirm_token": kept.confirm_token,
        "cancel_requested_at": task.cancel_requested_at,
        "pool_state": plain_json(state),
    }


def columns_of(task: WorkerTask) -> dict[str, Any]:
    """The same for a task as Redis has just told it."""
    waits = task.not_before if task.status == TaskStatus.QUEUED else None
    return columns(Kept(task, delayed_until=waits))


def kept_of(row: SyncHistory) -> Kept:
    """What ``columns`` wrote; for a row that the store never spoke of, what its submission says.

    Raises UnreadableTask.
    """
    state = dict(row.pool_state or {})
    status = _status(row)
    told = {name: row.configuration[name] for name in KEPT if name in row.configuration}
    fields = {
        "task_name": task_name(row.crm_source, row.sync_type),
        "attempt": row.attempt,
        "error_message": row.error_message,
        "sync_history_id": row.pk,
        **told,
        **(state or _unspoken(row, status)),
        "id": row.worker_pool_task_id,
        "crm_source": row.crm_source,
        "sync_type": row.sync_type,
        "status": status,
        "queued_at": from_us(row.queued_us) if row.queued_us is not None else row.created_at,
        "cancel_requested_at": row.cancel_requested_at,
        "revision": max(row.revision, state.get("revision", 0)),
    }
    if status.is_final:
        fields["completed_at"] = fields.get("completed_at") or row.end_time
        fields["held_at"] = None
    if row.cancel_requested_at and not fields["error_message"]:
        fields["error_message"] = row.error_message
    return Kept(
        WorkerTask.from_dict(fields),
        confirm_token=row.confirm_token,
        finish_token=state.get("finish_token"),
        sent_at=_moment(state.get("sent_at")),
        delayed_until=_delay(row, fields),
    )


def _status(row: SyncHistory) -> TaskStatus:
    """The store's word for an open row; a closed one has ended, whatever the store last said."""
    if row.status in SyncHistory.OPEN_STATUSES:
        return TaskStatus(row.pool_status or row.status)
    return ENDINGS[SyncHistory.Status(row.status)]


def _unspoken(row: SyncHistory, status: TaskStatus) -> dict[str, Any]:
    """A run that began before the ledger kept such things: somebody unknown has it."""
    if status != TaskStatus.RUNNING:
        return {}
    return {"started_at": row.start_time, "confirmed_at": row.start_time, "worker": UNKNOWN_HOLDER}


def _delay(row: SyncHistory, fields: dict[str, Any]) -> datetime | None:
    if row.pool_status is None:
        return _moment(fields.get("not_before"))
    return from_us(row.delayed_us) if row.delayed_us is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def readable(rows: Iterable[SyncHistory]) -> Iterator[Kept]:
    """Those that can be read; the others stay where they are, and the log says why."""
    for row in rows:
        try:
            yield kept_of(row)
        except (UnreadableTask, ValueError) as problem:
            logger.warning("ledger row %s cannot be read as a task: %s", row.pk, problem)


def tasks_to_rebuild(*, retention_seconds: float) -> Iterator[Kept]:
    """Every task that has not ended, and those that ended of late."""
    young_us = to_us(utc_now()) - seconds_to_us(retention_seconds)
    has_not_ended = Q(status__in=SyncHistory.OPEN_STATUSES)
    is_young = ~has_not_ended & Q(pool_status__in=FINAL, ended_us__gt=young_us)
    for part in (has_not_ended, is_young):
        rows = SyncHistory.objects.filter(part, worker_pool_task_id__isnull=False)
        yield from readable(rows.order_by().iterator(chunk_size=BATCH))


def _in_batches(rows: QuerySet[SyncHistory]) -> Iterator[SyncHistory]:
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield from batch
        last = batch[-1].pk


def controls_to_rebuild() -> dict[str, Control]:
    """The limits and pauses in force, as they were set; what cannot be read counts as not set."""
    found = {}
    for row in PoolSetting.objects.all():
        try:
            found[row.name] = Control(
                int(row.value), row.set_by, row.set_at, row.reason, row.expires_at
            )
        except (TypeError, ValueError):
            logger.warning("the setting %s cannot be read: %r", row.name, row.value)
    return in_force(found, now=utc_now())


def accept(task: WorkerTask, *, epoch: int) -> None:
    """The store has given the task its place. Raises OtherReferee: it must be submitted again."""
    if SyncHistory.objects.mark_accepted(task.id, kept=columns_of(task), epoch=epoch):
        return
    if not _is_in_force(epoch):
        raise OtherReferee


def hold(task: WorkerTask, *, token: str, epoch: int) -> bool:
    """An attempt begins: no sync runs without its hold, so that whoever decides next counts it.
    False while there is no row yet: the transaction of its submission may still be open.

    Raises OtherReferee where the confirmation no longer counts, StateLost where the ledger knows
    better: this attempt is somebody else's, or a later one has begun; LedgerUnavailable. A row that
    has ended is left to the caller.
    """
    with bounded_transaction():
        record = PoolReferee.objects.locked()
        if record.epoch != epoch or record.is_degraded:
            raise OtherReferee
        row = SyncHistory.objects.select_for_update().filter(worker_pool_task_id=task.id).first()
        if row is None or row.status not in SyncHistory.OPEN_STATUSES:
            return row is not None
        is_taken = row.attempt == task.attempt and row.confirm_token not in (None, token)
        if is_taken or row.attempt > task.attempt:
            raise StateLost(f"the ledger is ahead of it, see task {task.id}")
        kept = columns(Kept(task, confirm_token=token))
        del kept["cancel_requested_at"]
        SyncHistory.objects.filter(pk=row.pk).update(
            status=SyncHistory.Status.RUNNING,
            attempt=task.attempt,
            start_time=task.started_at,
            **kept,
        )
        return True


def enter_unknown(tasks: Sequence[WorkerTask]) -> None:
    """Give tasks that came to the store past the ledger their rows."""
    known = SyncHistory.objects.filter(worker_pool_task_id__in=[task.id for task in tasks])
    ids = set(known.values_list("worker_pool_task_id", flat=True))
    new = [task for task in tasks if task.id not in ids and not task.status.is_final]
    rows = (new_row(Kept(task.queued_again(task.queued_at))) for task in new)
    SyncHistory.objects.bulk_create(rows, batch_size=BATCH)


def new_row(kept: Kept) -> SyncHistory:
    """Of a task that did not come through ``ledger.enter``."""
    task, plain = kept.task, kept.task.to_dict()
    told = {name: plain_json(plain[name]) for name in KEPT}
    return SyncHistory(
        status=SyncHistory.Status.QUEUED,
        crm_source=task.crm_source,
        sync_type=task.sync_type,
        attempt=task.attempt,
        start_time=task.queued_at,
        worker_pool_task_id=task.id,
        configuration={**told, "worker_pool_task_id": task.id},
        **columns(kept),
    )


def ask_to_stop(task: WorkerTask) -> None:
    """A running task is to stop, whoever decides when it does."""
    SyncHistory.objects.open_row(task.id).filter(attempt=task.attempt).update(
        cancel_requested_at=task.cancel_requested_at,
        error_message=task.error_message,
        revision=task.revision,
    )


def note_outcome(task_id: str, *, attempt: int, outcome: Outcome) -> Outcome:
    """Note how an attempt ended, unless that was noted before; the one that counts."""
    rows = SyncHistory.objects.open_row(task_id).filter(
        status=SyncHistory.Status.RUNNING, attempt=attempt
    )
    first = Q(outcome__isnull=True) | ~Q(outcome__attempt=attempt)
    if rows.filter(first).update(outcome=_noted(outcome, attempt)):
        return outcome
    row = rows.first()
    return noted_outcome(row)[0] if row and row.outcome else outcome


def _noted(outcome: Outcome, attempt: int) -> dict[str, Any]:
    noted: dict[str, Any] = plain_json(
        {
            "attempt": attempt,
            "at": utc_now().isoformat(),
            "status": outcome.status.value,
            "error_message": outcome.error_message,
            "result": outcome.result,
            "retry_in_seconds": outcome.retry_in_seconds,
            "is_interruption": outcome.is_interruption,
        }
    )
    return noted


def noted_outcome(row: SyncHistory) -> tuple[Outcome, datetime]:
    """What ``note_outcome`` wrote, and when."""
    noted: dict[str, Any] = row.outcome or {}
    outcome = Outcome(
        TaskStatus(noted["status"]),
        noted["error_message"],
        noted["result"],
        noted["retry_in_seconds"],
        is_interruption=noted["is_interruption"],
    )
    return outcome, datetime.fromisoformat(noted["at"])


def ending_of(row: SyncHistory, *, noted_before: datetime) -> Outcome | None:
    """How the ledger says that the row's latest attempt ended; None while it goes on, or while its
    worker may just be about to tell the store itself."""
    if row.status not in SyncHistory.OPEN_STATUSES:
        task = kept_of(row).task
        return Outcome(task.status, task.error_message or row.error_message, task.result)
    if row.outcome and row.outcome["attempt"] == row.attempt:
        outcome, at = noted_outcome(row)
        return outcome if at < noted_before else None
    return None


def is_accepted(task_id: str) -> bool:
    """The store has accepted this task, and it has not ended: it must know it."""
    rows = SyncHistory.objects.open_row(task_id)
    found = rows.filter(pool_status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING))
    return any(readable(found))  # what cannot be read cannot be put back either


def adopt_unspoken() -> None:
    """Give every open row that the store never spoke of its place."""
    rows = SyncHistory.objects.filter(
        worker_pool_task_id__isnull=False,
        status__in=SyncHistory.OPEN_STATUSES,
        pool_status=None,
    )
    for kept in readable(_in_batches(rows)):
        SyncHistory.objects.filter(worker_pool_task_id=kept.task.id).update(**columns(kept))


def begin_leases_anew(now: datetime, *, lease_seconds: float) -> None:
    """Both clocks of every running task begin now: the ledger was not told of their renewals."""
    expires = from_us(to_us(now) + seconds_to_us(lease_seconds))
    rows = SyncHistory.objects.filter(
        status__in=SyncHistory.OPEN_STATUSES, pool_status=TaskStatus.RUNNING
    )
    for kept in readable(list(rows)):
        task = replace(kept.task, last_heartbeat=now)
        if task.confirmed_at:
            task.lease_expires_at = expires
        again = replace(kept, task=task, sent_at=None if task.confirmed_at else from_us(0))
        SyncHistory.objects.filter(worker_pool_task_id=task.id).update(**columns(again))


def _is_in_force(epoch: int) -> bool:
    record = PoolReferee.objects.look()
    return record.epoch == epoch and not record.is_degraded
