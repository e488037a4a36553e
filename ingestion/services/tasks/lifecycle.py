"""The life of a task: submitted, started, confirmed, kept alive, ended; each verb once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from ingestion.conf import PoolConf
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import (
    AlreadyFinished,
    InvalidStatusChange,
    LeaseLost,
    LedgerUnavailable,
    PoolUnavailable,
    TaskNotFound,
)
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import FINAL_STATUSES, TaskStatus, WorkerTask
from ingestion.services.failover.stores import RecordsAttempts
from ingestion.services.infra.bounds import bounded
from ingestion.services.infra.database import DATABASE_ERRORS, as_unavailable
from ingestion.services.ledger import entries as ledger
from ingestion.services.ledger import state as ledger_state
from ingestion.services.requests.submission import Prepared, Submission, Submitted, prepare
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks import chains, conflicts, repairs, submissions
from ingestion.services.tasks.outcomes import cancellation, without_secrets
from ingestion.services.tasks.submissions import Refused, SharedSubmissions, Turn
from ingestion.services.tasks.upkeep import Upkeep, new_token
from ingestion.signals import submitted

logger = logging.getLogger(__name__)


class TaskLife:
    """The verbs of one task."""

    def __init__(self, store: PoolStore, *, conf: PoolConf, upkeep: Upkeep) -> None:
        self._store = store
        self._usual_attempts = conf.max_attempts
        self._upkeep = upkeep
        self._shared = SharedSubmissions(store, alone=self._submit, advance=upkeep.advance)

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
        after: Collection[str] = (),
    ) -> str:
        """Like ``submit`` with these fields of a Submission; the id of the task, or of the one that
        coalesced the request."""
        asked = Submission(
            crm_source,
            sync_type,
            parameters,
            priority,
            requested_by=requested_by,
            max_attempts=max_attempts,
            not_before=not_before,
            reason=reason,
            on_overlap=on_overlap,
            after=after,
        )
        return self.submit(asked).task_id

    def submit(self, asked: Submission) -> Submitted:
        """Accept a request and start it at once when a slot is free.

        Errors, all of them ValueErrors that name what is allowed, and nothing is stored:
        UnknownSource, UnknownSyncType, InvalidParameters, SecretInParameters, InvalidPriority,
        InvalidPredecessor, InvalidSubmission. Raises Overlaps too, where ``on_overlap`` says so.
        """
        became = self._submit(self._prepared(asked))
        submitted.send_robust(TaskLife, became=[became])
        return became

    def _prepared(self, asked: Submission) -> Prepared:
        return chains.checked(prepare(asked, usual_attempts=self._usual_attempts))

    def _submit(self, good: Prepared, *, turn: Turn | None = None) -> Submitted:
        """``turn``: of one that others have waited for to have it."""
        if not self._may_admit(good):
            became = submissions.submit_one(self._store, good)
            self._upkeep.advance()
            return became
        with nullcontext(turn) if turn else self._shared.turn(good) as mine:
            if mine.became is not None:
                return mine.became
            with submissions.entered(good, is_accepted=True, may_be_entered=mine.may_be_entered):
                admitted = self._store.admit(good.task, token=new_token())
            self._upkeep.start(admitted.started)
            if self._upkeep.is_due:
                self._upkeep.advance()
        return Submitted(admitted.task.id, None, admitted.task)

    def _may_admit(self, good: Prepared) -> bool:
        """Whether the ledger may give it its place and the store claim with it, in one step each. Not
        before this process has spoken with a store that the ledger follows, and has seen to the limits
        in force."""
        may_overlap = good.on_overlap == OnOverlap.ALLOW
        return may_overlap and self._upkeep.has_restored_limits and self._store.epoch is not None

    def submit_many(
        self, asked: Sequence[Submission], *, told: Callable[[int], None] = lambda done: None
    ) -> list[Submitted | Refused]:
        """Accept up to 10 000 requests, as ``submit`` does each in turn, in a few round trips; what
        became of each, in their order.

        One that is wrong refuses them all, and nothing is stored: InvalidSubmissions. What
        overlaps with ``on_overlap`` reject is refused alone, and so is what could not be stored
        before the pool was lost. Raises PoolUnavailable where none could. ``told`` hears after each
        page how many are done.
        """
        good = submissions.prepare_all(asked, usual_attempts=self._usual_attempts)
        are_accepted = all(self._may_admit(one) for one in good)
        found = submissions.submit_all(self._store, good, told=told, are_accepted=are_accepted)
        stored = [became for became in found if isinstance(became, Submitted)]
        if stored:
            self._upkeep.advance()
            submitted.send_robust(TaskLife, became=stored)
        return found

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

    def recorded_row(self, task_id: str) -> int | None:
        """See ``RecordsAttempts``."""
        store = self._store
        return store.recorded_row(task_id) if isinstance(store, RecordsAttempts) else None

    def finish_task(
        self,
        task_id: str,
        *,
        attempt: int,
        outcome: Outcome,
        token: str | None = None,
        held: WorkerTask | None = None,
    ) -> WorkerTask:
        """End an attempt and start the next task in its slot; the task as it stands: final, or
        QUEUED again. ``held``: the task as its holder knows it. Errors: TaskNotFound, LeaseLost,
        AlreadyFinished.

        Raises LedgerUnavailable to the holder where the store alone was told: it shall repeat the call
        with the same token, as nobody else would know the end if that store were lost too. Nothing is
        sent before: without a ledger nothing can start."""
        cleaned = without_secrets(outcome)
        ended = self._completed(held, cleaned) if held else None
        noted, unheard = (
            (cleaned, None) if ended else _noted(task_id, attempt=attempt, outcome=cleaned)
        )
        try:
            finished = self._store.finish(
                task_id, attempt=attempt, outcome=noted, token=token or new_token()
            )
        except (TaskNotFound, LeaseLost, AlreadyFinished):
            if ended is None:
                raise
            self._upkeep.advance()  # somebody has read in the ledger that it has ended
            return ended
        if ended is None:
            is_written = ledger.follow(finished.task, epoch=self._store.epoch)
            if held and unheard and not is_written:
                raise unheard
            self._cancel_followers(finished.task)
        # A broker that is away has had its time: what may follow is left to the next verb.
        if not self._upkeep.start(finished.started):
            return finished.task
        # Nothing starts either where a part of the queue is gone; the next claim puts it back.
        if not finished.started or self._upkeep.is_due:
            self._upkeep.advance()
        return finished.task

    def _completed(self, held: WorkerTask, outcome: Outcome) -> WorkerTask | None:
        """The task as the ledger has it after its last attempt has succeeded. The store cannot
        decide that in another way, so the ledger need not wait for it; and where the store is never
        told, the next repairs read it there. None where that is not so."""
        is_decided = outcome.status == TaskStatus.COMPLETED and self._store.epoch is not None
        return ledger.complete(held, outcome) if is_decided else None

    def update_task_status(
        self, task_id: str, status: TaskStatus | str, error_message: str | None = None
    ) -> WorkerTask:
        """End the current attempt from outside, without another one.

        ``status`` must be final, and the task RUNNING, or QUEUED with ``cancelled``. Errors:
        InvalidStatusChange, TaskNotFound, AlreadyFinished.
        """
        wanted = _final(status)
        task = known(self._store, task_id)
        if task.status == TaskStatus.RUNNING:
            outcome = Outcome(wanted, error_message or None)
            return self.finish_task(task_id, attempt=task.attempt, outcome=outcome)
        if task.status.is_final:
            raise AlreadyFinished(f"Task {task_id} has ended already: it is {task.status}.")
        if wanted != TaskStatus.CANCELLED:
            raise InvalidStatusChange(
                f"Task {task_id} is queued and cannot become {wanted}; it can only be cancelled."
            )
        self.cancel_task(task_id, change=ChangeRequest(reason=error_message or ""))
        return known(self._store, task_id)

    def cancel_task(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> bool:
        """Cancel a waiting task, ask a running one to stop; False if it is unknown or has ended.
        Raises Conflict when it has changed since ``expected_revision`` was seen."""
        try:
            task = self.cancel(task_id, change)
        except (TaskNotFound, AlreadyFinished):
            return False
        if task.status.is_final:
            self._upkeep.advance()
        return True

    def cancel(self, task_id: str, change: ChangeRequest) -> WorkerTask:
        """Cancel a waiting task, ask a running one to stop: the task as it stands. Starts nothing.
        Errors: TaskNotFound, AlreadyFinished, Conflict; LedgerUnavailable where the store alone has
        cancelled it: then it may be cancelled once more."""
        try:
            with conflicts.noted("cancel", task_id, change):
                task = self._store.cancel(task_id, change=cancellation(change))
        except AlreadyFinished:
            found = self._store.get(task_id)
            if found is None or found.status != TaskStatus.CANCELLED:
                raise
            if not self._write_cancelled(found, change):
                raise
            return found
        if task.status.is_final:
            self._write_cancelled(task, change)
            self._cancel_followers(task)
        else:
            ledger_state.ask_to_stop(task)
            _note_request(task, change)
        return task

    def _write_cancelled(self, task: WorkerTask, change: ChangeRequest) -> bool:
        """Whether the ledger learns of it now."""
        try:
            with as_unavailable():
                return ledger.write(task, by=change.by, epoch=self._store.epoch)
        except LedgerUnavailable as problem:
            raise LedgerUnavailable(
                f"Task {task.id} is cancelled in the pool's state alone, and would come back if that "
                f"were lost; cancel it again later. {problem}"
            ) from problem

    def _cancel_followers(self, ended: WorkerTask) -> None:
        """What goes wrong here the next repairs do."""
        try:
            repairs.cancel_followers(self._store, ended)
        except (PoolUnavailable, *DATABASE_ERRORS):
            logger.warning("the followers of task %s still wait", ended.id, exc_info=True)

    def end(self, task: WorkerTask, outcome: Outcome) -> int:
        """As ``finish_task`` the current attempt; 0 where that comes too late, else 1."""
        try:
            with bounded():  # also within a verb that has no bound as a whole
                self.finish_task(task.id, attempt=task.attempt, outcome=outcome)
        except (TaskNotFound, LeaseLost, AlreadyFinished):
            return 0
        return 1


def known(store: PoolStore, task_id: str) -> WorkerTask:
    """Raises TaskNotFound."""
    task = store.get(task_id)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {task_id}.")
    return task


def _noted(
    task_id: str, *, attempt: int, outcome: Outcome
) -> tuple[Outcome, LedgerUnavailable | None]:
    """The ledger is told first, for the case that the store cannot be; with the problem where it
    cannot be told now. What was noted before, by the worker that has ended since, counts."""
    unheard = None
    try:
        with as_unavailable():
            return ledger_state.note_outcome(task_id, attempt=attempt, outcome=outcome), None
    except LedgerUnavailable as problem:
        unheard = problem
        logger.warning("task %s: how it ended could not be noted: %s", task_id, problem)
    except DATABASE_ERRORS:
        logger.exception("task %s: how it ended could not be noted", task_id)
    return outcome, unheard


def _note_request(task: WorkerTask, change: ChangeRequest) -> None:
    asked_at = task.cancel_requested_at
    audit.record(
        "ask_to_stop",
        change=change,
        target=task.id,
        before={"status": task.status.value, "worker": task.worker},
        after={"cancel_requested_at": asked_at.isoformat() if asked_at else None},
    )


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
