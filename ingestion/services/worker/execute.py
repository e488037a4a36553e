"""Runs one attempt of a pool task inside a Celery worker, from confirm to finish."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from django.db import DatabaseError
from structlog.contextvars import bind_contextvars

from ingestion.conf import pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.errors import (
    AlreadyConfirmed,
    AlreadyFinished,
    LeaseLost,
    LedgerUnavailable,
    PoolUnavailable,
    TaskNotFound,
)
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.breakers import breaker
from ingestion.services.infra.database import as_unavailable
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.ledger import entries as ledger
from ingestion.services.notices import webhooks
from ingestion.services.requests.routing import ALL
from ingestion.services.runs.runner import RunHandle
from ingestion.services.tasks import outcomes
from ingestion.services.worker import sessions
from ingestion.services.worker.lease import Lease, TaskReporter
from ingestion.services.worker.stop_signals import INTERRUPTED, StopSignals
from ingestion.sync.common.errors import SyncCancelled, SyncInterrupted, SyncLeaseLost
from ingestion.sync.common.registry import crms

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

logger = logging.getLogger(__name__)

ROW_WAIT_SECONDS = 15.0
# For so many leases the end of an attempt is reported again and again.
PATIENT_LEASES = 10
ROLLED_BACK = "The transaction that submitted this task was rolled back; it did not run."
ENDED_BEFORE = "The ledger had closed this task before a worker took it; it did not run."

Answer = TypeVar("Answer")


class TaskFailed(Exception):
    """The sync of a pool task failed; the message has no secrets."""


@cache
def prepare(crm_source: str, sync_type: str) -> None:
    """Before a task is taken: an import can take longer than a lost lease or a cancelled task leaves,
    and no signal interrupts it. What cannot be imported fails the sync, which says why."""
    try:
        IngestionAdapter.prepare(crm_source, sync_type)
    except Exception:
        logger.warning("%s %s could not be prepared", crm_source, sync_type, exc_info=True)


def run_task(pool: WorkerPoolService, task_id: str, *, attempt: int, worker: str) -> str:
    """Run one attempt; how it ended, in a word.

    A message that came late or twice is dropped. Raises TaskFailed when the sync failed, so that
    the Celery task fails too.
    """
    with StopSignals() as signals:
        confirmed = _confirm(pool, task_id, attempt=attempt, worker=worker)
        if confirmed is None:
            return "dropped"
        task, held_since = confirmed
        with _lease(pool, task, held_since, signals) as lease:
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
        exclusive_seconds=conf.exclusive_seconds,
        held_since=held_since,
        on_expiry=signals.stop_lost_run,
    )


def _run_and_finish(
    pool: WorkerPoolService, task: WorkerTask, lease: Lease, signals: StopSignals
) -> str:
    try:
        outcome = _run(pool, task, lease, signals)
    except SyncLeaseLost:
        logger.warning("task %s attempt %d lost its lease and stopped", task.id, task.attempt)
        return "lease lost"
    except SystemExit:
        _finish(pool, task, _left(lease, signals))
        raise
    breaker.judge(pool, task.crm_source, outcome)
    ended = _finish(pool, lease.task or task, outcome)
    logger.info("%s is %s", task.route, ended)
    _tell_of_end(task)
    # A failure after somebody asked to stop ends as CANCELLED.
    has_failed = outcome.status == TaskStatus.FAILED and not outcome.is_interruption
    if has_failed and ended != TaskStatus.CANCELLED:
        raise TaskFailed(f"{task.route}: {outcome.error_message}")
    return ended.value


def _tell_of_end(task: WorkerTask) -> None:
    """Its slot is free already: nobody waits for whoever is told."""
    try:
        webhooks.tell_of_ended_runs()
    except DatabaseError:
        logger.warning("task %s: nobody could be told of its end", task.id, exc_info=True)


def _left(lease: Lease, signals: StopSignals) -> Outcome:
    """A signal ended the process, in the middle of the sync."""
    if signals.is_cancelled:
        return outcomes.cancelled(lease.cancel_reason or "")
    return outcomes.interrupted(INTERRUPTED)


def _confirm(
    pool: WorkerPoolService, task_id: str, *, attempt: int, worker: str
) -> tuple[WorkerTask, float] | None:
    """The task, and a moment before its lease began. None when the message is to be dropped. An
    attempt that could not be confirmed stays unconfirmed and is sent again."""
    token = uuid.uuid4().hex
    held_since = time.monotonic()
    waits, is_confirmed = _waits(pool_conf().heartbeat_seconds), False
    try:
        while True:
            next(waits)
            try:
                task = pool.confirm_task(task_id, attempt=attempt, worker=worker, token=token)
            except LedgerUnavailable as problem:
                if problem.is_confirmed and not is_confirmed:
                    waits, is_confirmed = _waits(math.inf), True
                    logger.warning("task %s waits for the ledger: %s", task_id, problem)
                if is_confirmed:
                    held_since = _renewed(pool, task_id, attempt, held_since)
            except PoolUnavailable:
                logger.info("task %s: the pool does not answer", task_id, exc_info=True)
            else:
                return task, held_since
    except StopIteration:
        logger.error("task %s attempt %d: could not be confirmed", task_id, attempt)
    except (AlreadyConfirmed, LeaseLost, TaskNotFound) as dropped:
        logger.info("task %s attempt %d: message dropped: %r", task_id, attempt, dropped)
    return None


def _renewed(pool: WorkerPoolService, task_id: str, attempt: int, held_since: float) -> float:
    """Keep the lease of an attempt that waits for the ledger; since when it counts. Raises
    LeaseLost, TaskNotFound."""
    asked_at = time.monotonic()
    try:
        pool.renew_lease(task_id, attempt=attempt)
    except PoolUnavailable:
        return held_since
    return asked_at


def _models_of(task: WorkerTask) -> int:
    """How many models its sync loads."""
    known = crms().get(task.crm_source)
    return len(known.models) if known and task.sync_type == ALL else 1


def _run(pool: WorkerPoolService, task: WorkerTask, lease: Lease, signals: StopSignals) -> Outcome:
    """How the sync ended. Raises SyncLeaseLost when nothing may be reported, SystemExit when a
    signal ends the process."""
    reporter = TaskReporter(
        lease,
        models_total=_models_of(task),
        check_further=signals.check,
        told_at=time.monotonic(),
    )
    handle = RunHandle(reporter, opens_history=False)
    try:
        with signals.interrupting(lease):
            row_id = pool.recorded_row(task.id) or _enter_in_ledger(task, lease)
            bind_contextvars(run=row_id)
            logger.info("%s begins, attempt %d of %d", task.route, task.attempt, task.max_attempts)
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
        return outcomes.failed(
            error, attempt=task.attempt, max_attempts=task.max_attempts, result=handle.result
        )
    return outcomes.succeeded(handle.result)


def _enter_in_ledger(task: WorkerTask, lease: Lease) -> int:
    """The id of its row. Raises SyncCancelled when the task must not run after all: its row never
    came, or has ended."""
    row = _once_the_ledger_answers(lambda: _row_of(task.id), lease)
    if row is None:
        raise SyncCancelled(ROLLED_BACK)
    if row.status not in SyncHistory.OPEN_STATUSES:
        raise SyncCancelled(ENDED_BEFORE)
    if row.attempt < task.attempt:  # its row came later than the confirmation
        ledger.follow(task)
    return int(row.pk)


def _once_the_ledger_answers(ask: Callable[[], Answer], lease: Lease) -> Answer:
    """Its answer, waited for as long as the lease holds: the sync has not begun, so a database that
    is away is no failure of it, and without a ledger no other task could start in its slot.

    Raises SyncLeaseLost, SyncCancelled as the lease says.
    """
    waits = _waits(math.inf)
    while True:
        lease.check()
        try:
            with as_unavailable():
                return ask()
        except LedgerUnavailable as unavailable:
            logger.warning("the sync waits for the ledger before it begins: %s", unavailable)
        next(waits)


def _row_of(task_id: str) -> SyncHistory | None:
    """Waits for a row whose transaction is still open."""
    for _ in _waits(ROW_WAIT_SECONDS):
        rows = SyncHistory.objects.filter(worker_pool_task_id=task_id)
        row = rows.only("status", "attempt").order_by().first()
        if row is not None:
            return row
    return None


def _finish(pool: WorkerPoolService, task: WorkerTask, outcome: Outcome) -> TaskStatus:
    """Report, repeating the call with one token while store or ledger cannot be reached; where the
    task stands now.

    One that stays away for so long is told later, by what the other has heard.
    """
    sessions.refresh()  # a sync may run for hours
    if outcome.is_interruption:
        _say_goodbye(pool, task)
    token = uuid.uuid4().hex
    try:
        return _patiently(
            lambda: pool.finish_task(
                task.id, attempt=task.attempt, outcome=outcome, token=token, held=task
            ),
            seconds=_patience_seconds(outcome),
        ).status
    except (AlreadyFinished, LeaseLost, TaskNotFound) as gone:
        logger.warning("task %s attempt %d ended unheard: %r", task.id, task.attempt, gone)
    except PoolUnavailable:
        logger.exception("task %s attempt %d: store or ledger was not told", task.id, task.attempt)
    return outcome.status


def _say_goodbye(pool: WorkerPoolService, task: WorkerTask) -> None:
    """Where a signal goes to all processes of a worker, the sync may stop before the main process
    has said it; the task must not be sent to this worker again."""
    with suppress(PoolUnavailable):
        pool.worker_gone(str(task.worker).rpartition("/")[0])


def _patience_seconds(outcome: Outcome) -> float:
    """Long: nothing else can start while store and ledger are both away, and nobody can take the task
    for lost before one of them is back. A worker that is shut down does not wait for long."""
    conf = pool_conf()
    return (
        conf.shutdown_seconds / 4
        if outcome.is_interruption
        else PATIENT_LEASES * conf.lease_seconds
    )


def _patiently(verb: Callable[[], Answer], *, seconds: float) -> Answer:
    """Repeat while the store cannot be reached, for so long; it is asked once at least."""
    problem: PoolUnavailable
    for _ in _waits(seconds):
        try:
            return verb()
        except PoolUnavailable as unavailable:
            problem = unavailable
    raise problem


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
