"""The store of the service: Redis while it can be reached, else the ledger in its place.

Which of the two is active stands in the database, with its epoch. Every process reads that before
a verb, at most once a second. Two stores never decide at once: a process that has missed a change
still names the old epoch, which Redis refuses; and no sync runs before the ledger holds its
attempt, which the ledger refuses in an old epoch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import LedgerUnavailable, Overlaps, PoolUnavailable, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.queue_place import QueuePage, QueuePlace
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import READ_PAGE, Admitted, Finished, Outcome, PoolStore, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.failover import transitions
from ingestion.services.failover.operators import FailoverOperators
from ingestion.services.failover.stores import HoldsLegacy, ReadsLease
from ingestion.services.infra.database import as_unavailable
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import state as ledger_state

logger = logging.getLogger(__name__)

# Renewals that are written to the ledger, within one lease.
BEATS_PER_LEASE = 9


class FailoverStore(FailoverOperators):
    """See ``PoolStore``. Raises PoolUnavailable when neither Redis nor the ledger can be used."""

    @property
    def epoch(self) -> int | None:
        """See ``PoolStore``; None where the ledger answered."""
        found: int | None = getattr(self._local, "epoch", None)
        return found

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        def submit(store: PoolStore) -> WorkerTask:
            stored = store.submit(task, on_overlap=on_overlap)
            _accept([stored], epoch=store.epoch)
            return stored

        return self._ask(submit)

    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        """``are_placed``: the ledger has the rows as accepted already, see ``entries.enter``."""
        places = {task.id: task.queued_at for task, _ in tasks} if are_placed else {}

        def submit(store: PoolStore) -> tuple[WorkerTask | Overlaps, ...]:
            stored = store.submit_many(tasks, are_placed=are_placed)
            new = [task for task in stored if isinstance(task, WorkerTask)]
            _accept([t for t in new if t.queued_at != places.get(t.id)], epoch=store.epoch)
            return stored

        return self._ask(submit)

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        """The ledger has the task's row as accepted already, see ``entries.enter``."""
        admitted = self._ask(lambda store: store.admit(task, token=token))
        if not admitted.started and self._is_incomplete():
            return self._ask(lambda store: store.admit(task, token=f"{token}+"))
        return admitted

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        started = self._ask(lambda store: store.claim(token=token))
        if not started and self._is_incomplete():
            return self._ask(lambda store: store.claim(token=f"{token}+"))
        return started

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        def confirm(store: PoolStore) -> WorkerTask:
            task = store.confirm(task_id, attempt=attempt, worker=worker, token=token)
            try:
                self._hold(store, task, token)
            except LedgerUnavailable as problem:
                problem.is_confirmed = True
                raise
            return task

        return self._ask_about(task_id, confirm, needs_ledger=True)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._beat(task_id, attempt, lambda store: store.heartbeat(task_id, attempt=attempt))

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        return self._beat(
            task_id,
            attempt,
            lambda store: store.report_progress(task_id, attempt=attempt, progress=progress),
        )

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        return self._ask_about(
            task_id,
            lambda store: store.finish(task_id, attempt=attempt, outcome=outcome, token=token),
        )

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._ask_about(
            task_id, lambda store: store.return_to_queue(task_id, attempt=attempt)
        )

    def reap(self) -> Reaped:
        return self._ask(lambda store: store.reap())

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        def get(store: PoolStore) -> WorkerTask:
            found = store.get(task_id)
            if found is None:
                raise TaskNotFound(f"The pool knows no task {task_id}.")
            return found

        try:
            return self._ask_about(task_id, get)
        except TaskNotFound:
            return None

    def active(self) -> tuple[WorkerTask, ...]:
        return self._ask(lambda store: store.active())

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        return self._ask(lambda store: store.queued(offset=offset, limit=limit))

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        return self._ask(lambda store: store.queue_page(after=after, limit=limit))

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        return self._ask(lambda store: store.ahead_of(task))

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Also says whether the pool is degraded: without Redis, or without its database."""
        snapshot = self._ask(lambda store: store.snapshot(queue_limit=queue_limit))
        seen, lost = self._active.look(), self._active.ledger_lost
        if lost is not None:
            since, reason = lost.since, str(lost.problem)
        elif self.epoch is None:
            since, reason = seen.since or snapshot.taken_at, seen.reason
        else:
            return snapshot
        return replace(snapshot, degraded=True, degraded_since=since, degraded_reason=reason)

    # Whole-pool verbs

    def clear_queue(
        self, *, change: ChangeRequest = UNSIGNED, limit: int = 1000
    ) -> tuple[WorkerTask, ...]:
        cleared = self._ask(lambda store: store.clear_queue(change=change, limit=limit))
        if not cleared and self._is_incomplete():
            return self._ask(lambda store: store.clear_queue(change=change, limit=limit))
        return cleared

    def forget_finished(self, *, max_age_seconds: float) -> int:
        return self._ask(lambda store: store.forget_finished(max_age_seconds=max_age_seconds))

    def reset(self) -> int:
        """Close the open rows of the ledger before: the next verb would restore their tasks."""

        def reset(store: PoolStore) -> int:
            store.ping()
            return (self._redis if store.epoch is not None else store).reset()

        return self._ask(reset)

    def take_over(self) -> int:
        """Put this ledger's state into Redis, whatever installation's was there; how many tasks it
        has. Raises PoolUnavailable."""
        self._active.look(needs_ledger=True)
        count = transitions.take_over(store=self._redis, policy=self._policy)
        self._active.forget()
        self._refusal = None
        return count

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        return self._ask(lambda store: store.restore(tasks))

    def pickled_legacy(self) -> tuple[str, ...]:
        """What an older version pickled and nobody has asked to import, by name."""
        return self._ask(
            lambda store: store.pickled_legacy() if isinstance(store, HoldsLegacy) else ()
        )

    def import_pickled(self) -> tuple[int, int]:
        """See ``HoldsLegacy``. Raises PoolUnavailable while Redis is away."""

        def take(store: PoolStore) -> tuple[int, int]:
            if not isinstance(store, HoldsLegacy):
                raise PoolUnavailable("Redis is away; what it holds cannot be read.")
            return store.import_pickled()

        return self._ask(take)

    def repair(self, task_id: str) -> WorkerTask:
        return self._ask_about(task_id, lambda store: store.repair(task_id))

    def drop_dead_letter(self, task_id: str) -> bool:
        return self._ask(lambda store: store.drop_dead_letter(task_id))

    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        self._ask(
            lambda store: store.worker_seen(
                name, capacity=capacity, task_names=task_names, release=release
            )
        )

    def worker_gone(self, name: str) -> None:
        self._ask(lambda store: store.worker_gone(name))

    def note_monitor_round(self) -> datetime:
        """Which also looks for what no other verb would miss soon."""

        def note(store: PoolStore) -> datetime:
            if store.epoch is not None:
                self._of_epoch.find_lost()
            return store.note_monitor_round()

        return self._ask(note)

    def last_monitor_round(self) -> datetime | None:
        return self._ask(lambda store: store.last_monitor_round())

    def ping(self) -> None:
        self._ask(lambda store: store.ping())

    # What runs

    def _hold(self, store: PoolStore, task: WorkerTask, token: str) -> None:
        """Record the attempt in the ledger. If its row cannot be seen yet, because the transaction
        of the submission is still open, a later heartbeat does it."""
        if store.epoch is None:
            return
        row_id = ledger_state.hold(task, token=token, epoch=store.epoch)
        if row_id is None:
            self._unheld[task.id] = token
            return
        self._unheld.pop(task.id, None)
        if row_id != ledger_state.ENDED:
            self._recorded[task.id] = row_id

    def recorded_row(self, task_id: str) -> int | None:
        """See ``RecordsAttempts``."""
        return self._recorded.pop(task_id, None)

    def _beat(
        self, task_id: str, attempt: int, renew: Callable[[PoolStore], WorkerTask]
    ) -> WorkerTask:
        """A heartbeat. Where the ledger is active, every one of them reads it and only those that
        are due write: ``BEATS_PER_LEASE`` within a lease."""

        def beat(store: PoolStore) -> WorkerTask:
            if isinstance(store, ReadsLease) and not self._is_beat_due(task_id):
                return store.holding(task_id, attempt=attempt)
            task = renew(store)
            if task_id in self._unheld:
                self._hold(store, task, self._unheld[task_id])
            return task

        return self._ask_about(task_id, beat)

    def _is_beat_due(self, task_id: str) -> bool:
        if task_id not in self._beats:
            seconds = self._policy.lease_seconds / BEATS_PER_LEASE
            self._beats = {task_id: Overdue(seconds, clock=self._clock)}
        return self._beats[task_id].take()


def _accept(stored: Iterable[WorkerTask], *, epoch: int | None) -> None:
    """Write the places of new tasks to the ledger, if Redis has given them. A failure is only
    logged: the rows are there since the submission, and a rebuild takes the place from the time of
    submission then."""
    new = [task for task in stored if task.status == TaskStatus.QUEUED]
    if epoch is None or not new:
        return
    try:
        with as_unavailable():
            ledger_state.accept(new, epoch=epoch)
    except LedgerUnavailable:
        logger.warning("places of %d tasks are not in the ledger", len(new), exc_info=True)
