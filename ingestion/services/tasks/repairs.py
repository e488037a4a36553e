"""Puts right what a crash left behind: lost workers, unsent messages, a ledger that lags."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Self

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyFinished, Conflict, LeaseLost, NotQueued, TaskNotFound
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.infra.database import ledger_now
from ingestion.services.ledger import entries as ledger
from ingestion.services.ledger import state as ledger_state
from ingestion.services.tasks import aging, chains, dispatch
from ingestion.services.tasks.outcomes import cancellation

logger = logging.getLogger(__name__)

# A row is written before its task is stored; a younger one may still be on its way.
GRACE_SECONDS = 60.0
# How an attempt ended is noted just before the store is told; older than that, nobody tells it.
UNTOLD_SECONDS = 5.0
# A lease that ends within this time was not renewed for long: its worker cannot reach the store, and
# what it has noted must count before the task is taken for lost.
LEASE_ENDS_SECONDS = 10.0
# A long chain is cancelled in parts: the rest of it by the next round of repairs.
CANCELLED_AT_ONCE = 100
FORGOTTEN = (
    "The pool no longer knows this task: its state was lost while the task ran. Submit it again."
)


@dataclass(frozen=True)
class RepairReport:
    """What a round of repairs did; counts of tasks."""

    lost: int = 0
    stale: int = 0
    resent: int = 0
    ledger_closed: int = 0
    restored: int = 0
    started: int = 0

    def __add__(self, other: Self) -> Self:
        return replace(
            self,
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)},
        )

    def to_dict(self) -> dict[str, int]:
        return asdict(self)

    @property
    def did_anything(self) -> bool:
        return any(self.to_dict().values())


def reap(store: PoolStore, *, send: dispatch.Send) -> RepairReport:
    """End what is lost or stale, send again what no worker has confirmed, finish a change of the
    order, let tasks go on whose predecessors have completed. Claims nothing but in the slot of what the ledger knows to have ended."""
    aging.finish_rescoring(store)
    settle(store, send=send)
    reaped = store.reap()
    for task in reaped.ended:
        logger.warning("task %s (%s) was lost: %s", task.id, task.route, task.error_message)
        ledger.follow(task, epoch=store.epoch)
    for task in reaped.untaken:
        logger.warning("task %s (%s): %s", task.id, task.route, task.error_message)
        ledger.follow(task, epoch=store.epoch)
    settle_blocked(store, reaped.blocked)
    resent = _send_again(reaped.unconfirmed, store, send)
    return RepairReport(lost=len(reaped.lost), stale=len(reaped.stale), resent=resent)


def settle(store: PoolStore, *, send: dispatch.Send) -> None:
    """End in the store what has ended by the ledger: its worker could not tell the store."""
    running = {task.id: task for task in store.active()}
    if not running:
        return
    now = ledger_now()
    for row in SyncHistory.objects.filter(worker_pool_task_id__in=running):
        task = running[str(row.worker_pool_task_id)]
        wait_seconds = 0.0 if _ends_soon(task, now) else UNTOLD_SECONDS
        ending = ledger_state.ending_of(row, noted_before=now - timedelta(seconds=wait_seconds))
        if ending is not None and row.attempt == task.attempt:
            _settle(task, ending, store, send)


def _ends_soon(task: WorkerTask, now: datetime) -> bool:
    expires = task.lease_expires_at
    return expires is not None and expires <= now + timedelta(seconds=LEASE_ENDS_SECONDS)


def _settle(task: WorkerTask, ending: Outcome, store: PoolStore, send: dispatch.Send) -> None:
    token = f"{task.celery_task_id}.settled"
    try:
        finished = store.finish(task.id, attempt=task.attempt, outcome=ending, token=token)
    except (AlreadyFinished, LeaseLost, TaskNotFound):
        return  # its worker was quicker
    logger.warning("task %s had ended %s, the pool was not told", task.id, ending.status)
    ledger.follow(finished.task, epoch=store.epoch)
    dispatch.send_all(finished.started, send=send)
    for started in finished.started:
        ledger.follow(started, epoch=store.epoch)


def _send_again(tasks: Sequence[WorkerTask], store: PoolStore, send: dispatch.Send) -> int:
    """Without a worker the first message most likely still waits; more would only pile up."""
    if not tasks or store.snapshot(queue_limit=0).no_worker_online:
        return 0
    return dispatch.send_all(tasks, send=send)


def cancel_followers(store: PoolStore, ended: WorkerTask) -> None:
    """Cancel what waited for a task that has not completed, and what waited for that in turn."""
    left, count = deque([ended]), 0
    while left and count < CANCELLED_AT_ONCE:
        task = left.popleft()
        if not task.status.is_final or task.status == TaskStatus.COMPLETED:
            continue
        why = f"{task.route} {task.id}, for which it waited, {chains.how_ended(task.status)}"
        for follower_id in task.followers:
            follower = store.get(follower_id)
            if follower and task.id in follower.after and (gone := _cancel(store, follower, why)):
                left.append(gone)
            count += 1


def settle_blocked(store: PoolStore, blocked: Iterable[WorkerTask]) -> int:
    """What becomes of tasks whose predecessors will not complete by the store: the ledger knows of
    those that have completed long ago. How many may go on or were cancelled."""
    tasks = list(blocked)
    rows = chains.rows_before(tasks)
    return sum(_settle_one(store, task, rows) for task in tasks)


def _settle_one(store: PoolStore, task: WorkerTask, rows: Mapping[str, SyncHistory]) -> bool:
    completed = []
    for task_id, route in task.after.items():
        row, known = rows.get(task_id), store.get(task_id)
        status = row.status if row else None
        if row and row.status in SyncHistory.OPEN_STATUSES:
            # The ledger may be late; of what the store has forgotten the repairs decide.
            if known is None or not known.status.is_final:
                continue
            status = SyncHistory.Status(ledger.row_status(known))
        if status in chains.HAS_COMPLETED:
            completed.append(task_id)
            continue
        how = chains.how_ended(status) if status else "is not known any more"
        gone = _cancel(store, task, f"{route} {task_id}, for which it waited, {how}")
        if gone:
            cancel_followers(store, gone)
        return gone is not None
    if completed:
        _meet(store, task, completed)
    return bool(completed)


def _meet(store: PoolStore, task: WorkerTask, completed: Sequence[str]) -> None:
    try:
        met = store.meet(task.id, predecessors=completed)
    except (NotQueued, TaskNotFound):
        return
    ledger.follow_place(met, epoch=store.epoch)


def _cancel(store: PoolStore, task: WorkerTask, why: str) -> WorkerTask | None:
    """None where it has changed meanwhile; the next round looks again."""
    change = cancellation(ChangeRequest(reason=f"{why}.")).seen_at(task.revision)
    try:
        gone = store.cancel(task.id, change=change)
    except (AlreadyFinished, Conflict, TaskNotFound):
        return None
    logger.warning("task %s (%s): %s", gone.id, gone.route, gone.error_message)
    ledger.follow(gone, epoch=store.epoch)
    return gone


def reconcile(store: PoolStore, *, grace_seconds: float = GRACE_SECONDS) -> RepairReport:
    """Bring the open rows of the ledger to what the store knows of their tasks.

    A task that the store has forgotten is put back while it has attempts left, else its row is
    closed as FAILED. Queued rows are looked at only when their number differs from the store's,
    so that a long queue costs nothing.
    """
    statuses = [SyncHistory.Status.RUNNING]
    if _queue_differs(store):
        statuses.append(SyncHistory.Status.QUEUED)
    known_before = ledger_now() - timedelta(seconds=grace_seconds)
    report = RepairReport()
    for rows in ledger.open_batches(statuses):
        forgotten = []
        for row in rows:
            task = store.get(str(row.worker_pool_task_id))
            if task is not None:
                report += _catch_up(row, task, store)
            elif row.created_at <= known_before:
                forgotten.append(row)
        report += _bring_back(forgotten, store)
    return report


def _queue_differs(store: PoolStore) -> bool:
    snapshot = store.snapshot(queue_limit=0)
    return ledger.open_rows([SyncHistory.Status.QUEUED]).count() != snapshot.waiting_count


def _catch_up(row: SyncHistory, task: WorkerTask, store: PoolStore) -> RepairReport:
    if task.status == row.status and task.attempt == row.attempt:
        return RepairReport()
    news = ledger.follow(task, epoch=store.epoch)
    return RepairReport(ledger_closed=int(news and task.status.is_final))


def _bring_back(rows: Sequence[SyncHistory], store: PoolStore) -> RepairReport:
    tasks = [ledger.task_of(row) for row in rows]
    again = [task for task in tasks if task.attempt < task.max_attempts]
    ended = [_forgotten(task) for task in tasks if task.attempt >= task.max_attempts]
    restored = store.restore(again) if again else 0
    if tasks:
        logger.warning("the pool had forgotten %d tasks, %d were put back", len(tasks), restored)
    for task in again:
        ledger.follow(task, epoch=store.epoch)
    return RepairReport(restored=restored, ledger_closed=sum(ledger.follow(task) for task in ended))


def _forgotten(task: WorkerTask) -> WorkerTask:
    return replace(task, status=TaskStatus.FAILED, error_message=FORGOTTEN)
