"""What the ledger keeps of the pool's state: enough to rebuild Redis, or to take its place.

While Redis is active, the rows follow it. Two things are written to the ledger first: that an
attempt is held, before its sync begins; and how an attempt ended, before that is reported to the
store.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import Q, QuerySet

from ingestion.models import ActiveStoreState, SyncHistory
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.errors import PoolError, StateLost, UnreadableTask
from ingestion.pool.overlap import parameters_digest
from ingestion.pool.record import UNKNOWN_HOLDER, TaskRecord, plain_json
from ingestion.pool.store import Outcome
from ingestion.pool.task import MOST_FOLLOWERS, TaskStatus, WorkerTask, utc_now
from ingestion.services.infra.database import as_unavailable, ledger_now
from ingestion.services.ledger import statements
from ingestion.services.requests.routing import task_name
from ingestion.services.requests.submission import KEPT

logger = logging.getLogger(__name__)

BATCH = 500
# What stands in columns of its own.
ELSEWHERE = frozenset({"id", "crm_source", "sync_type", "parameters"})
# What is written even where a task has none: the row has another source for it.
SAID = frozenset({*KEPT, "attempt", "error_message", "sync_history_id"}) - ELSEWHERE
# Rows of tasks that wait for others: the text of their list holds at least one id.
FOLLOWS = Q(held_us__isnull=False, pool_state__after__icontains='"')
ENDED = 0  # in place of the id of a row
FINAL = tuple(status.value for status in TaskStatus if status.is_final)
# The ledger's words for how a run ended, and the pool's.
ENDINGS = {
    SyncHistory.Status.SUCCESS: TaskStatus.COMPLETED,
    SyncHistory.Status.PARTIAL: TaskStatus.COMPLETED,
    SyncHistory.Status.FAILED: TaskStatus.FAILED,
    SyncHistory.Status.CANCELLED: TaskStatus.CANCELLED,
}


class ActiveStoreChanged(PoolError):
    """The active store has changed since this was decided."""

    code = "OTHER_REFEREE"


def columns(stored: TaskRecord) -> dict[str, Any]:
    """A stored task as columns of its row; ``record_of`` reads them again."""
    task = stored.task
    state = {
        name: value
        for name, value in task.to_dict().items()
        if name in SAID or (value and name not in ELSEWHERE)
    }
    state |= {"finish_token": stored.finish_token, "sent_at": _iso(stored.sent_at)}
    state |= {"resends": stored.resends} if stored.resends else {}
    return {
        "pool_status": task.status.value,
        "priority": task.priority,
        "queued_us": to_us(task.queued_at),
        "delayed_us": to_us(stored.delayed_until) if stored.delayed_until else None,
        "ended_us": to_us(task.completed_at or utc_now()) if task.status.is_final else None,
        "held_us": _held_us(task),
        "front_score": task.front_score,
        "revision": task.revision,
        "parameters_digest": parameters_digest(task.parameters),
        "confirm_token": stored.confirm_token,
        "cancel_requested_at": task.cancel_requested_at,
        "pool_state": plain_json(state),
    }


def _held_us(task: WorkerTask) -> int | None:
    place = None if task.status.is_final else task.held_place
    return to_us(place) if place else None


def columns_of(task: WorkerTask) -> dict[str, Any]:
    """The same for a task as Redis has just answered it."""
    waits = task.not_before if task.status == TaskStatus.QUEUED else None
    return columns(TaskRecord(task, delayed_until=waits))


def record_of(row: SyncHistory) -> TaskRecord:
    """The stored task of a row, as ``columns`` wrote it. From a row into which no store has written
    yet, the task as it was submitted. Raises UnreadableTask."""
    state = dict(row.pool_state or {}) if row.pool_status else {}
    status = _status(row)
    told = {name: row.configuration[name] for name in KEPT if name in row.configuration}
    fields = {
        "task_name": task_name(row.crm_source, row.sync_type),
        "attempt": row.attempt,
        "error_message": row.error_message,
        "sync_history_id": row.pk,
        **told,
        **(state or _unplaced(row, status)),
        "id": row.worker_pool_task_id,
        "crm_source": row.crm_source,
        "sync_type": row.sync_type,
        "status": status,
        "queued_at": from_us(row.queued_us) if row.queued_us is not None else row.created_at,
        "cancel_requested_at": row.cancel_requested_at,
        "revision": max(row.revision, state.get("revision", 0)),
    }
    if status.is_final:
        # Of a task that its worker closed the state has the time of that host, which may be wrong.
        ended_at = from_us(row.ended_us) if row.ended_us else None
        fields["completed_at"] = ended_at or fields.get("completed_at") or row.end_time
        fields["held_at"] = None
    if row.cancel_requested_at and not fields["error_message"]:
        fields["error_message"] = row.error_message
    return TaskRecord(
        WorkerTask.from_dict(fields),
        confirm_token=row.confirm_token,
        finish_token=state.get("finish_token"),
        resends=state.get("resends", 0),
        sent_at=_moment(state.get("sent_at")),
        delayed_until=_delay(row, fields),
    )


def _status(row: SyncHistory) -> TaskStatus:
    """Of an open row the status that the store has written; of a closed one how it ended, whatever
    the store has written."""
    if row.status in SyncHistory.OPEN_STATUSES:
        return TaskStatus(row.pool_status or row.status)
    return ENDINGS[SyncHistory.Status(row.status)]


def _unplaced(row: SyncHistory, status: TaskStatus) -> dict[str, Any]:
    """Of a row that a version without these columns has written: a running task is held by an
    unknown worker since its start."""
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


def readable(rows: Iterable[SyncHistory]) -> Iterator[TaskRecord]:
    """The tasks of these rows. A row that cannot be read is skipped, with a warning in the log."""
    for row in rows:
        try:
            yield record_of(row)
        except (UnreadableTask, ValueError) as problem:
            logger.warning("ledger row %s cannot be read as a task: %s", row.pk, problem)


def tasks_to_rebuild(*, retention_seconds: float) -> Iterator[TaskRecord]:
    """Every task that has not ended, and those that ended within the retention time."""
    young_us = to_us(ledger_now()) - seconds_to_us(retention_seconds)
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


def accept(tasks: Sequence[WorkerTask], *, epoch: int) -> None:
    """Write the places that the store has given new tasks, with one statement. Raises
    ActiveStoreChanged when ``epoch`` is over; then the tasks must be submitted again."""
    places = {task.id: to_us(task.queued_at) for task in tasks}
    accepted = SyncHistory.objects.mark_accepted(places, epoch=epoch)
    if accepted < len(tasks) and not _is_in_force(epoch):
        raise ActiveStoreChanged


def hold(task: WorkerTask, *, token: str, epoch: int) -> int | None:
    """Record that a worker has this attempt. No sync runs before, so that the next active store
    knows of every sync. The id of the row; ENDED where it has ended, and stays as it is; None while
    it cannot be seen: the transaction of the submission may still be open.

    Raises ActiveStoreChanged when ``epoch`` is over, StateLost when the ledger has this attempt in
    other hands or knows a later one, LedgerUnavailable.
    """
    stored = columns(TaskRecord(task, confirm_token=token))
    stored |= {"attempt": task.attempt, "start_time": task.started_at}
    if row_id := statements.hold(task.id, token=token, epoch=epoch, row=stored):
        return row_id
    with as_unavailable():
        if not _is_in_force(epoch):
            raise ActiveStoreChanged
        row = SyncHistory.objects.filter(worker_pool_task_id=task.id).first()
    if row is None or row.status not in SyncHistory.OPEN_STATUSES:
        return None if row is None else ENDED
    raise StateLost(f"the ledger is ahead of it, see task {task.id}")


def enter_unknown(tasks: Sequence[WorkerTask]) -> None:
    """Make rows for tasks that have none, such as those that an older version kept in Redis
    alone."""
    known = SyncHistory.objects.filter(worker_pool_task_id__in=[task.id for task in tasks])
    ids = set(known.values_list("worker_pool_task_id", flat=True))
    new = [task for task in tasks if task.id not in ids and not task.status.is_final]
    rows = (new_row(TaskRecord(task.queued_again(task.queued_at))) for task in new)
    SyncHistory.objects.bulk_create(rows, batch_size=BATCH)


def new_row(stored: TaskRecord) -> SyncHistory:
    """The row of a task that was not submitted through ``entries.enter``; not saved."""
    task, plain = stored.task, stored.task.to_dict()
    told = {name: plain_json(plain[name]) for name in KEPT}
    return SyncHistory(
        status=SyncHistory.Status.QUEUED,
        crm_source=task.crm_source,
        sync_type=task.sync_type,
        attempt=task.attempt,
        start_time=task.queued_at,
        worker_pool_task_id=task.id,
        configuration={**told, "worker_pool_task_id": task.id},
        **columns(stored),
    )


def ask_to_stop(task: WorkerTask) -> None:
    """Write to the ledger that a running task was asked to stop, so that it holds after a change of
    the active store too."""
    SyncHistory.objects.open_row(task.id).filter(attempt=task.attempt).update(
        cancel_requested_at=task.cancel_requested_at,
        error_message=task.error_message,
        revision=task.revision,
    )


def note_outcome(task_id: str, *, attempt: int, outcome: Outcome) -> Outcome:
    """Note how an attempt ended, unless that is noted already; the note that counts, the first
    one."""
    if statements.note(task_id, attempt=attempt, outcome=_noted(outcome, attempt)):
        return outcome
    rows = SyncHistory.objects.open_row(task_id)
    row = rows.filter(status=SyncHistory.Status.RUNNING, attempt=attempt).first()
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
            "is_earned": outcome.is_earned,
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
        is_earned=noted.get("is_earned", False),
    )
    return outcome, datetime.fromisoformat(noted["at"])


def ending_of(row: SyncHistory, *, noted_before: datetime) -> Outcome | None:
    """How the latest attempt ended by the ledger. None while it runs, and while what says so is
    younger than ``noted_before``: its worker may be about to tell the store itself."""
    if row.status not in SyncHistory.OPEN_STATUSES:
        if _was_just_completed(row, noted_before):
            return None
        task = record_of(row).task
        return Outcome(task.status, task.error_message or row.error_message, task.result)
    if row.outcome and row.outcome["attempt"] == row.attempt:
        outcome, at = noted_outcome(row)
        return outcome if at <= noted_before else None
    return None


def _was_just_completed(row: SyncHistory, noted_before: datetime) -> bool:
    """By the holder itself, see ``entries.complete``."""
    is_its_own = row.pool_status == TaskStatus.COMPLETED
    return is_its_own and row.end_time is not None and row.end_time > noted_before


def accepted_since(task_id: str) -> datetime | None:
    """When this task was accepted, if it has not ended: then the store must know it, or hears of it
    in a moment."""
    rows = SyncHistory.objects.open_row(task_id)
    row = rows.filter(pool_status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING)).first()
    if row is None or not any(readable([row])):
        return None  # what cannot be read cannot be put back either
    return row.created_at


def _locked() -> QuerySet[SyncHistory]:
    """What is read to be written back whole: a worker may close the row of its attempt at any moment."""
    return SyncHistory.objects.select_for_update()


def adopt_unplaced() -> None:
    """Fill the columns of every open row into which no store has written, from its submission."""
    rows = _locked().filter(
        worker_pool_task_id__isnull=False,
        status__in=SyncHistory.OPEN_STATUSES,
        pool_status=None,
    )
    for stored in readable(_in_batches(rows)):
        SyncHistory.objects.filter(worker_pool_task_id=stored.task.id).update(**columns(stored))


def note_followers() -> None:
    """Each open row names those that wait for its task: it may have been written before they came."""
    followers: dict[str, dict[str, str]] = defaultdict(dict)
    is_open = Q(status__in=SyncHistory.OPEN_STATUSES, pool_status__isnull=False)
    for stored in readable(_in_batches(_locked().filter(is_open & FOLLOWS))):
        for task_id in stored.task.after:
            followers[task_id][stored.task.id] = stored.task.route
    ids = iter(followers)
    while chunk := list(islice(ids, BATCH)):
        rows = _locked().filter(is_open, worker_pool_task_id__in=chunk)
        for stored in readable(list(rows)):
            both = stored.task.followers | followers[stored.task.id]
            task = replace(stored.task, followers=dict(islice(both.items(), MOST_FOLLOWERS)))
            state = columns(replace(stored, task=task))["pool_state"]
            SyncHistory.objects.filter(worker_pool_task_id=task.id).update(pool_state=state)


def restart_leases(now: datetime, *, lease_seconds: float) -> None:
    """Lease and time of progress of every running task start again now: their renewals went to
    Redis, not to the ledger."""
    expires = from_us(to_us(now) + seconds_to_us(lease_seconds))
    rows = _locked().filter(status__in=SyncHistory.OPEN_STATUSES, pool_status=TaskStatus.RUNNING)
    for stored in readable(list(rows)):
        task = replace(stored.task, last_heartbeat=now)
        if task.confirmed_at:
            task.lease_expires_at = expires
        again = replace(stored, task=task, sent_at=None if task.confirmed_at else from_us(0))
        SyncHistory.objects.filter(worker_pool_task_id=task.id).update(**columns(again))


def _is_in_force(epoch: int) -> bool:
    record = ActiveStoreState.objects.look()
    return record.epoch == epoch and not record.is_degraded
