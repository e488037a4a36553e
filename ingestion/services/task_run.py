"""Runs one attempt of a pool task inside a Celery worker, from confirm to finish."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from ingestion.conf import pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.errors import (
    AlreadyConfirmed,
    AlreadyFinished,
    LeaseLost,
    PoolUnavailable,
    TaskNotFound,
)
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services import ledger, outcomes
from ingestion.services.database import refresh_connections
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.lease import Lease, TaskReporter
from ingestion.services.stop_signals import INTERRUPTED, StopSignals
from ingestion.services.sync_runner import RunHandle
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.sync.common.errors import SyncCancelled, SyncInterrupted, SyncLeaseLost

logger = logging.getLogger(__name__)

ROW_WAIT_SECONDS = 15.0
ROLLED_BACK = "The transaction that submitted this task was rolled back; it did not run."
ENDED_BEFORE = "The ledger had closed this task before a worker took it; it did not run."

Answer = TypeVar("Answer")


class TaskFailed(Exception):
    """The sync of a pool task failed; the message has no secrets."""


def run_task(pool: WorkerPoolService, task_id: str, *, attempt: int, worker: str) -> str:
    """Run one attempt; how it ended, in a word.

    A message that came late or twice is dropped. Raises TaskFailed when the sync failed, so that
    the Celery task fails too.
    """
    with StopSignals() as signals:
        asked_at = time.monotonic()
        task = _confirm(pool, task_id, attempt=attempt, worker=worker)
        if task is None:
            return "dropped"
        with _lease(pool, task, asked_at, signals) as lease:
            return _run_and_finish(pool, task, lease, signals)


def _lease(
    pool: WorkerPoolService, task: WorkerTask, held_since: float, signals: StopSignals
) -> Lease:
    conf = pool_conf()
    return Lease(
        pool,
        task.id,
        attempt=task.attempt,
        interval_seconds=conf.heartbeat_seconds,
        sure_seconds=conf.sure_seconds,
        held_since=held_since,
        on_expiry=signals.stop_lost_run,
    )


def _run_and_finish(
    pool: WorkerPoolService, task: WorkerTask, lease: Lease, signals: StopSignals
) -> str:
    try:
        outcome = _run(task, lease, signals)
    except SyncLeaseLost:
        logger.warning("task %s attempt %d lost its lease and stopped", task.id, task.attempt)
        return "lease lost"
    except SystemExit:
        _finish(pool, task, _left(lease, signals))
        raise
    ended = _finish(pool, task, outcome)
    # A failure after somebody asked to stop ends as CANCELLED.
    has_failed = outcome.status == TaskStatus.FAILED and not outcome.is_interruption
    if has_failed and ended != TaskStatus.CANCELLED:
        raise TaskFailed(f"{task.route}: {outcome.error_message}")
    return ended.value


def _left(lease: Lease, signals: StopSignals) -> Outcome:
    """A signal ended the process, in the middle of the sync."""
    if signals.is_cancelled:
        return outcomes.cancelled(lease.cancel_reason or "")
    return outcomes.interrupted(INTERRUPTED)


def _confirm(
    pool: WorkerPoolService, task_id: str, *, attempt: int, worker: str
) -> WorkerTask | None:
    """None when the message is to be dropped. An attempt that could not be confirmed stays
    unconfirmed and is sent again."""
    token = uuid.uuid4().hex
    try:
        return _patiently(
            lambda: pool.confirm_task(task_id, attempt=attempt, worker=worker, token=token),
            seconds=pool_conf().heartbeat_seconds,
        )
    except (AlreadyConfirmed, LeaseLost, TaskNotFound) as dropped:
        logger.info("task %s attempt %d: message dropped: %r", task_id, attempt, dropped)
    except PoolUnavailable:
        logger.exception("task %s attempt %d: could not be confirmed", task_id, attempt)
    return None


def _run(task: WorkerTask, lease: Lease, signals: StopSignals) -> Outcome:
    """How the sync ended. Raises SyncLeaseLost when nothing may be reported, SystemExit when a
    signal ends the process."""
    reporter = TaskReporter(lease, check_further=signals.check)
    handle = RunHandle(reporter, opens_history=False)
    try:
        with signals.interrupting(lease):
            _enter_in_ledger(task)
            # The worker may have stood still, or the ledger kept it waiting.
            lease.check()
            IngestionAdapter().run_source_ingestion(
                task.crm_source, task.sync_type, run=handle, **task.parameters
            )
    except SyncCancelled as stopped:
        return outcomes.cancelled(str(stopped), handle.result)
    except SyncInterrupted as stopped:
        return outcomes.interrupted(str(stopped))
    except Exception as error:
        logger.warning("task %s (%s) failed: %r", task.id, task.route, error, exc_info=True)
        return outcomes.failed(error, attempt=task.attempt, result=handle.result)
    return outcomes.succeeded(handle.result)


def _enter_in_ledger(task: WorkerTask) -> None:
    """Raises SyncCancelled when the task must not run after all: its row never came, or has ended."""
    row = _row_of(task.id)
    if row is None:
        raise SyncCancelled(ROLLED_BACK)
    if row.status not in SyncHistory.OPEN_STATUSES:
        raise SyncCancelled(ENDED_BEFORE)
    ledger.follow(task)


def _row_of(task_id: str) -> SyncHistory | None:
    """Waits for a row whose transaction is still open."""
    for _ in _waits(ROW_WAIT_SECONDS):
        row = SyncHistory.objects.filter(worker_pool_task_id=task_id).first()
        if row is not None:
            return row
    return None


def _finish(pool: WorkerPoolService, task: WorkerTask, outcome: Outcome) -> TaskStatus:
    """Report, repeating the call with one token while the store cannot be reached; where the task
    stands now.

    A store that stays away for so long is told later: the ledger has noted how the attempt ended.
    """
    refresh_connections()
    if outcome.is_interruption:
        _say_goodbye(pool, task)
    token = uuid.uuid4().hex
    try:
        return _patiently(
            lambda: pool.finish_task(task.id, attempt=task.attempt, outcome=outcome, token=token),
            seconds=_patience_seconds(outcome),
        ).status
    except (AlreadyFinished, LeaseLost, TaskNotFound) as gone:
        logger.warning("task %s attempt %d ended unheard: %r", task.id, task.attempt, gone)
    except PoolUnavailable:
        logger.exception("task %s attempt %d: only the ledger was told", task.id, task.attempt)
    return outcome.status


def _say_goodbye(pool: WorkerPoolService, task: WorkerTask) -> None:
    """Where a signal goes to all processes of a worker, the sync may stop before the main process
    has said it; the task must not be sent to this worker again."""
    with suppress(PoolUnavailable):
        pool.worker_gone(str(task.worker).rpartition("/")[0])


def _patience_seconds(outcome: Outcome) -> float:
    """A worker that is shut down does not wait for long."""
    conf = pool_conf()
    return conf.shutdown_seconds / 4 if outcome.is_interruption else conf.lease_seconds


def _patiently(verb: Callable[[], Answer], *, seconds: float) -> Answer:
    """Repeat while the store cannot be reached, for so long."""
    problem: PoolUnavailable | None = None
    for _ in _waits(seconds):
        try:
            return verb()
        except PoolUnavailable as unavailable:
            problem = unavailable
    raise problem or PoolUnavailable("there was no time to ask")


def _waits(seconds: float) -> Iterator[None]:
    """Yields now and after growing waits, until ``seconds`` have passed."""
    deadline = time.monotonic() + seconds
    wait = 0.1
    while True:
        yield
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(wait, left))
        wait = min(wait * 2, 5.0)
