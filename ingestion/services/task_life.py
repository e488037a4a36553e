"""The life of a task: submitted, started, confirmed, kept alive, ended; each verb once."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from django.db import DatabaseError

from ingestion.conf import PoolConf, pool_conf
from ingestion.pool.errors import (
    AlreadyFinished,
    InvalidStatusChange,
    LeaseLost,
    LedgerUnavailable,
    Overlaps,
    PoolUnavailable,
    TaskNotFound,
)
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import FINAL_STATUSES, TaskStatus, WorkerTask
from ingestion.services import audit, conflicts, dispatch, ledger, ledger_state, limits, repairs
from ingestion.services.connections import pool_store
from ingestion.services.database import told_as_unavailable
from ingestion.services.outcomes import cancel_message, clean, without_secrets
from ingestion.services.overdue import Overdue
from ingestion.services.secrets import mask_json
from ingestion.services.submission import Submission, Submitted, checked_overlap, prepare

logger = logging.getLogger(__name__)

# Repairs run this many times within a lease, whoever comes along.
REAPS_PER_LEASE = 9


class TaskLife:
    """The verbs of one task. Every verb raises PoolUnavailable when the store cannot be reached.

    ``store`` and ``conf`` come from the settings unless given; ``send`` hands a claimed task to the
    broker, see ``dispatch.send``.
    """

    def __init__(
        self,
        store: PoolStore | None = None,
        *,
        conf: PoolConf | None = None,
        send: dispatch.Send = dispatch.send,
    ) -> None:
        self._conf = conf or pool_conf()
        self._store = store or pool_store(self._conf)
        self._send = send
        self._overdue = Overdue(self._conf.lease_seconds / REAPS_PER_LEASE)
        self._limits_are_restored = False

    def submit_task(
        self,
        crm_source: str,
        sync_type: str | None,
        parameters: dict[str, Any] | None = None,
        priority: int = 0,
        *,
        requested_by: str = "",
        max_attempts: int | None = None,
        not_before: datetime | None = None,
        reason: str = "",
        on_overlap: OnOverlap | str = OnOverlap.ALLOW,
    ) -> str:
        """Like ``submit``; the id of the task, or of the one that absorbed the request."""
        return self.submit(
            crm_source,
            sync_type,
            parameters,
            priority,
            requested_by=requested_by,
            max_attempts=max_attempts,
            not_before=not_before,
            reason=reason,
            on_overlap=on_overlap,
        ).task_id

    def submit(
        self,
        crm_source: str,
        sync_type: str | None,
        parameters: dict[str, Any] | None = None,
        priority: int = 0,
        *,
        requested_by: str = "",
        max_attempts: int | None = None,
        not_before: datetime | None = None,
        reason: str = "",
        on_overlap: OnOverlap | str = OnOverlap.ALLOW,
    ) -> Submitted:
        """Accept a request and start it at once when a slot is free.

        ``priority`` -1000 to 1000, the higher the sooner. ``parameters`` a JSON object, see
        ``IngestionAdapter.validate_parameters`` for the known names. ``not_before`` an aware
        datetime. ``on_overlap`` says what becomes of a request that repeats another one, of the
        same CRM and type or its ``all``: ``allow``; ``reject`` raises Overlaps; ``coalesce`` lets
        a task that waits with equal parameters absorb it, so that behind one that runs there is
        at most one more.

        Errors, all of them ValueErrors that name what is allowed, and nothing is stored:
        UnknownSource, UnknownSyncType, InvalidParameters, SecretInParameters, InvalidPriority,
        InvalidSubmission.
        """
        overlap = checked_overlap(on_overlap)
        submission = prepare(
            crm_source,
            sync_type,
            parameters,
            priority,
            requested_by=requested_by,
            max_attempts=self._conf.max_attempts if max_attempts is None else max_attempts,
            not_before=not_before,
            reason=reason,
        )
        entry = _entered(submission)
        submission.task.sync_history_id = entry.row.pk
        try:
            stored = self._store.submit(submission.task, on_overlap=overlap)
        except PoolUnavailable as problem:
            # The reply may be what was lost. A worker that finds no row drops the task.
            with told_as_unavailable():
                entry.take_back()
            raise _not_submitted(problem) from problem
        except Overlaps as refusal:
            entry.take_back()
            raise self._overlaps(refusal, submission.task) from refusal
        if stored.id != submission.task.id:
            return self._absorbed(submission, entry, stored)
        self._advance()
        return Submitted(stored.id, None, stored)

    def _absorbed(self, submission: Submission, entry: ledger.Entry, by: WorkerTask) -> Submitted:
        entry.take_back()
        ledger.follow_place(by, epoch=self._store.epoch)
        asked = submission.task
        audit.record(
            "coalesce",
            actor=asked.requested_by,
            target=by.id,
            reason=submission.reason,
            before={"route": asked.route, "priority": asked.priority},
            after={"route": by.route, "priority": by.priority, "revision": by.revision},
        )
        self._advance()
        return Submitted(by.id, by.id, by)

    def _overlaps(self, refusal: Overlaps, asked: WorkerTask) -> Overlaps:
        other = self._store.get(refusal.other_id)
        how = f"is {other.status}" if other else "was there just now"
        which = f"task {refusal.other_id} ({other.route if other else asked.route}) {how}"
        return Overlaps(f"{asked.route} was not submitted: {which}.", other_id=refusal.other_id)

    def process_queue(self) -> int:
        """Start waiting tasks while slots are free; how many."""
        self._restore_limits()
        started = self._store.claim(token=_token())
        self._start(started)
        return len(started)

    def confirm_task(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        """A worker takes an attempt: once. ``token`` is the delivery's own; repeat a call whose
        reply was lost with the same one. Errors: TaskNotFound, LeaseLost, AlreadyConfirmed."""
        return self._store.confirm(task_id, attempt=attempt, worker=worker, token=token)

    def renew_lease(self, task_id: str, *, attempt: int) -> WorkerTask:
        """The holder is alive. Touches the store only. Errors: TaskNotFound, LeaseLost."""
        return self._store.heartbeat(task_id, attempt=attempt)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        """The sync moves. Touches the store only. Errors: TaskNotFound, LeaseLost."""
        told = mask_json(progress)
        return self._store.report_progress(task_id, attempt=attempt, progress=told)

    def finish_task(
        self, task_id: str, *, attempt: int, outcome: Outcome, token: str | None = None
    ) -> WorkerTask:
        """End an attempt and start the next task in its slot; the task as it stands: final, or
        QUEUED again. Errors: TaskNotFound, LeaseLost, AlreadyFinished."""
        noted = _noted(task_id, attempt=attempt, outcome=without_secrets(outcome))
        finished = self._store.finish(
            task_id, attempt=attempt, outcome=noted, token=token or _token()
        )
        self._follow(finished.task)
        # A broker that is away has had its time: what may follow is left to the next verb.
        if self._start(finished.started):
            self._advance()
        return finished.task

    def update_task_status(
        self, task_id: str, status: TaskStatus | str, error_message: str | None = None
    ) -> WorkerTask:
        """End the current attempt from outside, without another one.

        ``status`` must be final, and the task RUNNING, or QUEUED with ``cancelled``. Errors:
        InvalidStatusChange, TaskNotFound, AlreadyFinished.
        """
        wanted = _final(status)
        task = self._known(task_id)
        if task.status == TaskStatus.RUNNING:
            outcome = Outcome(wanted, error_message or None)
            return self.finish_task(task_id, attempt=task.attempt, outcome=outcome)
        if task.status.is_final:
            raise AlreadyFinished(f"Task {task_id} has ended already: it is {task.status}.")
        if wanted != TaskStatus.CANCELLED:
            raise InvalidStatusChange(
                f"Task {task_id} is queued and cannot become {wanted}; it can only be cancelled."
            )
        self.cancel_task(task_id, reason=error_message or "")
        return self._known(task_id)

    def cancel_task(
        self,
        task_id: str,
        *,
        actor: str = "",
        reason: str = "",
        expected_revision: int | None = None,
    ) -> bool:
        """Cancel a waiting task, ask a running one to stop; False if it is unknown or has ended.
        Raises Conflict when it has changed since ``expected_revision`` was seen."""
        try:
            task = self._cancel(task_id, actor=actor, reason=reason, seen=expected_revision)
        except (TaskNotFound, AlreadyFinished):
            return False
        if task.status.is_final:
            self._advance()
        return True

    def _advance(self) -> None:
        """Repair if overdue and start what may start. The verb before this one has succeeded, so
        what goes wrong here is left to the next one."""
        try:
            self._repair_if_overdue()
            self.process_queue()
        except (PoolUnavailable, DatabaseError):
            logger.warning("the queue could not be processed", exc_info=True)

    def _start(self, tasks: tuple[WorkerTask, ...]) -> bool:
        """False when the broker did not take them all."""
        sent = dispatch.send_all(tasks, send=self._send)
        for task in tasks:
            self._follow(task)
        return sent == len(tasks)

    def _follow(self, task: WorkerTask, *, actor: str = "") -> None:
        ledger.follow(task, actor=actor, epoch=self._store.epoch)

    def _repair_if_overdue(self) -> None:
        if self._overdue.take():
            repairs.reap(self._store, send=self._send)

    def _tend(self) -> None:
        """What is overdue, for somebody who only wants to look: without the ledger nothing can be
        repaired, and much can be shown."""
        try:
            self._restore_limits()
            self._repair_if_overdue()
        except (PoolUnavailable, DatabaseError):
            logger.warning("overdue repairs could not be made", exc_info=True)

    def _restore_limits(self) -> None:
        if not self._limits_are_restored:
            limits.restore(self._store)
            self._limits_are_restored = True

    def _cancel(
        self, task_id: str, *, actor: str, reason: str, seen: int | None = None
    ) -> WorkerTask:
        why = cancel_message(actor, reason)
        with conflicts.noted("cancel", task_id, actor=actor, reason=reason, expected_revision=seen):
            task = self._store.cancel(task_id, reason=why, expected_revision=seen)
        if task.status.is_final:
            self._follow(task, actor=actor)
        else:
            ledger_state.ask_to_stop(task)
            _note_request(task, actor=actor, reason=reason)
        return task

    def _end(self, task: WorkerTask, outcome: Outcome) -> int:
        try:
            self.finish_task(task.id, attempt=task.attempt, outcome=outcome)
        except (TaskNotFound, LeaseLost, AlreadyFinished):
            return 0
        return 1

    def _known(self, task_id: str) -> WorkerTask:
        task = self._store.get(task_id)
        if task is None:
            raise TaskNotFound(f"The pool knows no task {task_id}.")
        return task


def _entered(submission: Submission) -> ledger.Entry:
    """Nothing is accepted without its row."""
    try:
        with told_as_unavailable():
            return ledger.enter(submission)
    except LedgerUnavailable as problem:
        raise _not_submitted(problem) from problem


def _not_submitted(problem: PoolUnavailable) -> PoolUnavailable:
    return type(problem)(f"Nothing was submitted: {clean(str(problem))}")


def _noted(task_id: str, *, attempt: int, outcome: Outcome) -> Outcome:
    """The ledger is told first, for the case that the store cannot be. What was noted before, by
    the worker that has ended since, counts."""
    try:
        return ledger_state.note_outcome(task_id, attempt=attempt, outcome=outcome)
    except DatabaseError:
        logger.warning("task %s: how it ended could not be noted", task_id, exc_info=True)
        return outcome


def _note_request(task: WorkerTask, *, actor: str, reason: str) -> None:
    asked_at = task.cancel_requested_at
    audit.record(
        "ask_to_stop",
        actor=actor,
        target=task.id,
        reason=reason,
        before={"status": task.status.value, "worker": task.worker},
        after={"cancel_requested_at": asked_at.isoformat() if asked_at else None},
    )


def _token() -> str:
    return uuid.uuid4().hex


def _final(status: TaskStatus | str) -> TaskStatus:
    try:
        wanted = TaskStatus(status)
    except ValueError:
        wanted = TaskStatus.QUEUED
    if wanted.is_final:
        return wanted
    raise InvalidStatusChange(
        f"A task can be set to {', '.join(sorted(FINAL_STATUSES))}, not to {str(status)[:50]!r}."
    )
