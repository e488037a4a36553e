"""The store of the service: Redis while it can be reached, else the ledger in its place.

Which of the two is active stands in the database, with its epoch. Every process reads that before
a verb, at most once a second. Two stores never decide at once: a process that has missed a change
still names the old epoch, which Redis refuses; and no sync runs before the ledger holds its
attempt, which the ledger refuses in an old epoch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.errors import LedgerUnavailable, Overlaps, PoolUnavailable, TaskNotFound
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.queue_place import QueuePage, QueuePlace
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.store import (
    READ_PAGE,
    Admitted,
    Finished,
    Outcome,
    PoolPolicy,
    PoolStore,
    Reaped,
)
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.failover.attempts import RecordedAttempts
from ingestion.services.failover.failover import Failover
from ingestion.services.failover.stores import FallbackStore, HoldsLegacy, PrimaryStore, ReadsLease
from ingestion.services.infra.database import as_unavailable
from ingestion.services.ledger import state as ledger_state

logger = logging.getLogger(__name__)


class FailoverStore:
    """See ``PoolStore``. Raises PoolUnavailable when neither Redis nor the ledger can be used."""

    def __init__(
        self,
        redis: PrimaryStore,
        ledger: FallbackStore,
        policy: PoolPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failover = Failover(redis, ledger, policy, clock=clock)
        self._attempts = RecordedAttempts(policy, clock=clock)

    @property
    def epoch(self) -> int | None:
        """See ``PoolStore``; None where the ledger answered."""
        return self._failover.answered.epoch

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        def submit(store: PoolStore) -> WorkerTask:
            stored = store.submit(task, on_overlap=on_overlap)
            _accept([stored], epoch=store.epoch)
            return stored

        return self._failover.ask(submit)

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

        return self._failover.ask(submit)

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        """The ledger has the task's row as accepted already, see ``entries.enter``."""
        admitted = self._failover.ask(lambda store: store.admit(task, token=token))
        if not admitted.started and self._failover.of_epoch.is_incomplete:
            return self._failover.ask(lambda store: store.admit(task, token=f"{token}+"))
        return admitted

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        started = self._failover.ask(lambda store: store.claim(token=token))
        if not started and self._failover.of_epoch.is_incomplete:
            return self._failover.ask(lambda store: store.claim(token=f"{token}+"))
        return started

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        """The attempt is recorded in the ledger too."""

        def confirm(store: PoolStore) -> WorkerTask:
            task = store.confirm(task_id, attempt=attempt, worker=worker, token=token)
            if store.epoch is None:
                return task
            try:
                row_id = ledger_state.hold(task, token=token, epoch=store.epoch)
            except LedgerUnavailable as problem:
                problem.is_confirmed = True
                raise
            self._attempts.note(task_id, row_id, token=token)
            return task

        return self._failover.ask(confirm, task_id, needs_ledger=True)

    def recorded_row(self, task_id: str) -> int | None:
        """See ``RecordsAttempts``."""
        return self._attempts.take_row(task_id)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._failover.ask(self._renewing(task_id, attempt), task_id)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        return self._failover.ask(self._renewing(task_id, attempt, progress), task_id)

    def _renewing(
        self, task_id: str, attempt: int, progress: dict[str, Any] | None = None
    ) -> Callable[[PoolStore], WorkerTask]:
        """Where the ledger is active, every renewal reads it and only those that are due write."""

        def renew(store: PoolStore) -> WorkerTask:
            if isinstance(store, ReadsLease) and not self._attempts.is_beat_due(task_id):
                return store.holding(task_id, attempt=attempt)
            if progress is None:
                task = store.heartbeat(task_id, attempt=attempt)
            else:
                task = store.report_progress(task_id, attempt=attempt, progress=progress)
            token = self._attempts.token_to_record(task_id)
            if token is not None and store.epoch is not None:
                row_id = ledger_state.hold(task, token=token, epoch=store.epoch)
                self._attempts.note(task_id, row_id, token=token)
            return task

        return renew

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        return self._failover.ask(
            lambda store: store.finish(task_id, attempt=attempt, outcome=outcome, token=token),
            task_id,
        )

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._failover.ask(
            lambda store: store.return_to_queue(task_id, attempt=attempt), task_id
        )

    def reap(self) -> Reaped:
        return self._failover.ask(lambda store: store.reap())

    # Limits and pauses

    def controls(self) -> PoolControls:
        return self._failover.ask(lambda store: store.controls())

    def limit(self) -> LimitInfo:
        return self._failover.ask(lambda store: store.limit())

    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._failover.ask(
            lambda store: store.set_limit(
                max_workers, change=change, crm_source=crm_source, expires_at=expires_at
            )
        )

    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._failover.ask(
            lambda store: store.pause(crm_source, change=change, expires_at=expires_at)
        )

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        return self._failover.ask(lambda store: store.resume(crm_source, change=change))

    def restore_controls(self, named: Named) -> PoolControls:
        return self._failover.ask(lambda store: store.restore_controls(named))

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        return self._failover.ask(lambda store: store.set_priority_aging(aging))

    def rescore(self, *, at_most: int = 500) -> bool:
        return self._failover.ask(lambda store: store.rescore(at_most=at_most))

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._failover.ask(lambda store: store.hold(task_id, change=change), task_id)

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._failover.ask(lambda store: store.release(task_id, change=change), task_id)

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        return self._failover.ask(
            lambda store: store.prioritize(task_id, priority=priority, change=change), task_id
        )

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._failover.ask(
            lambda store: store.move_to_front(task_id, change=change), task_id
        )

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        return self._failover.ask(
            lambda store: store.meet(task_id, predecessors=predecessors), task_id
        )

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        return self._failover.ask(lambda store: store.cancel(task_id, change=change), task_id)

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        def get(store: PoolStore) -> WorkerTask:
            found = store.get(task_id)
            if found is None:
                raise TaskNotFound(f"The pool knows no task {task_id}.")
            return found

        try:
            return self._failover.ask(get, task_id)
        except TaskNotFound:
            return None

    def active(self) -> tuple[WorkerTask, ...]:
        return self._failover.ask(lambda store: store.active())

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        return self._failover.ask(lambda store: store.queued(offset=offset, limit=limit))

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        return self._failover.ask(lambda store: store.queue_page(after=after, limit=limit))

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        return self._failover.ask(lambda store: store.ahead_of(task))

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Also says whether the pool is degraded: without Redis, or without its database."""
        snapshot = self._failover.ask(lambda store: store.snapshot(queue_limit=queue_limit))
        seen, lost = self._failover.active.look(), self._failover.active.ledger_lost
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
        cleared = self._failover.ask(lambda store: store.clear_queue(change=change, limit=limit))
        if not cleared and self._failover.of_epoch.is_incomplete:
            return self._failover.ask(lambda store: store.clear_queue(change=change, limit=limit))
        return cleared

    def forget_finished(self, *, max_age_seconds: float) -> int:
        return self._failover.ask(
            lambda store: store.forget_finished(max_age_seconds=max_age_seconds)
        )

    def reset(self) -> int:
        """Close the open rows of the ledger before: the next verb would restore their tasks."""

        def reset(store: PoolStore) -> int:
            store.ping()
            return (self._failover.redis if store.epoch is not None else store).reset()

        return self._failover.ask(reset)

    def take_over(self) -> int:
        """Put this ledger's state into Redis, whatever installation's was there; how many tasks it
        has. Raises PoolUnavailable."""
        return self._failover.take_over()

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        return self._failover.ask(lambda store: store.restore(tasks))

    def pickled_legacy(self) -> tuple[str, ...]:
        """What an older version pickled and nobody has asked to import, by name."""
        return self._failover.ask(
            lambda store: store.pickled_legacy() if isinstance(store, HoldsLegacy) else ()
        )

    def import_pickled(self) -> tuple[int, int]:
        """See ``HoldsLegacy``. Raises PoolUnavailable while Redis is away."""

        def take(store: PoolStore) -> tuple[int, int]:
            if not isinstance(store, HoldsLegacy):
                raise PoolUnavailable("Redis is away; what it holds cannot be read.")
            return store.import_pickled()

        return self._failover.ask(take)

    def repair(self, task_id: str) -> WorkerTask:
        return self._failover.ask(lambda store: store.repair(task_id), task_id)

    def drop_dead_letter(self, task_id: str) -> bool:
        return self._failover.ask(lambda store: store.drop_dead_letter(task_id))

    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        self._failover.ask(
            lambda store: store.worker_seen(
                name, capacity=capacity, task_names=task_names, release=release
            )
        )

    def worker_gone(self, name: str) -> None:
        self._failover.ask(lambda store: store.worker_gone(name))

    def note_monitor_round(self) -> datetime:
        """Which also looks for what no other verb would miss soon."""

        def note(store: PoolStore) -> datetime:
            if store.epoch is not None:
                self._failover.of_epoch.find_lost()
            return store.note_monitor_round()

        return self._failover.ask(note)

    def last_monitor_round(self) -> datetime | None:
        return self._failover.ask(lambda store: store.last_monitor_round())

    def ping(self) -> None:
        self._failover.ask(lambda store: store.ping())


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
