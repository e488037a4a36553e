"""The store of the service: Redis decides while it can be reached, else the ledger in its place.

Who decides stands in the database, where every process looks before it asks, unless it has looked
within the last second. What Redis decides counts only in the epoch that stands there: a process
that slept through a change is refused by Redis (another epoch), and no sync runs before its
attempt is held in the ledger, which is refused in another epoch too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ingestion.pool.errors import LedgerUnavailable, StateLost
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import Finished, Outcome, PoolStore, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services import ledger_state
from ingestion.services.database import told_as_unavailable
from ingestion.services.ledger_store import LedgerPoolStore
from ingestion.services.overdue import Overdue
from ingestion.services.referee_asking import must_know
from ingestion.services.referee_operators import RefereeOperators

logger = logging.getLogger(__name__)

# Renewals that are written to the ledger, within one lease.
BEATS_PER_LEASE = 9


class Referee(RefereeOperators):
    """See ``PoolStore``. Raises PoolUnavailable when neither can decide."""

    @property
    def epoch(self) -> int | None:
        """Of Redis's state, if it was Redis that answered this thread's last verb."""
        found: int | None = getattr(self._local, "epoch", None)
        return found

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        def submit(store: PoolStore) -> WorkerTask:
            stored = store.submit(task, on_overlap=on_overlap)
            if store.epoch is not None and stored.status == TaskStatus.QUEUED:
                _accept(stored, epoch=store.epoch)
            return stored

        return self._ask(submit)

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        started = self._ask(lambda store: store.claim(token=token))
        if not started and self._is_torn():
            return self._ask(lambda store: store.claim(token=f"{token}+"))
        return started

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        def confirm(store: PoolStore) -> WorkerTask:
            task = store.confirm(task_id, attempt=attempt, worker=worker, token=token)
            self._hold(store, task, token)
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

    def release(self, task_id: str, *, attempt: int) -> WorkerTask:
        return self._ask_about(task_id, lambda store: store.release(task_id, attempt=attempt))

    def reap(self) -> Reaped:
        return self._ask(lambda store: store.reap())

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        def get(store: PoolStore) -> WorkerTask | None:
            found = store.get(task_id)
            if found is None and must_know(store, task_id):
                raise StateLost(f"task {task_id} is gone")
            return found

        return self._ask(get)

    def active(self) -> tuple[WorkerTask, ...]:
        return self._ask(lambda store: store.active())

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        return self._ask(lambda store: store.queued(offset=offset, limit=limit))

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Says too whether the pool is degraded: without Redis, or without its ledger."""
        snapshot = self._ask(lambda store: store.snapshot(queue_limit=queue_limit))
        seen, lost = self._decides.look(), self._decides.ledger_lost
        if lost is not None:
            since, reason = lost.since, str(lost.problem)
        elif self.epoch is None:
            since, reason = seen.since or snapshot.taken_at, seen.reason
        else:
            return snapshot
        return replace(snapshot, degraded=True, degraded_since=since, degraded_reason=reason)

    # Whole-pool verbs

    def clear_queue(self, *, reason: str, limit: int = 1000) -> tuple[WorkerTask, ...]:
        cleared = self._ask(lambda store: store.clear_queue(reason=reason, limit=limit))
        if not cleared and self._is_torn():
            return self._ask(lambda store: store.clear_queue(reason=reason, limit=limit))
        return cleared

    def forget_finished(self, *, max_age_seconds: float) -> int:
        return self._ask(lambda store: store.forget_finished(max_age_seconds=max_age_seconds))

    def reset(self) -> int:
        """Tasks whose ledger rows are open come back with the next verb: close them before."""

        def reset(store: PoolStore) -> int:
            return (self._redis if store.epoch is not None else store).reset()

        return self._ask(reset)

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        return self._ask(lambda store: store.restore(tasks))

    def put_right(self, task_id: str) -> WorkerTask:
        return self._ask_about(task_id, lambda store: store.put_right(task_id))

    def drop_aside(self, task_id: str) -> bool:
        return self._ask(lambda store: store.drop_aside(task_id))

    def worker_seen(self, name: str, *, capacity: int) -> None:
        self._ask(lambda store: store.worker_seen(name, capacity=capacity))

    def worker_gone(self, name: str) -> None:
        self._ask(lambda store: store.worker_gone(name))

    def note_monitor_round(self) -> datetime:
        return self._ask(lambda store: store.note_monitor_round())

    def last_monitor_round(self) -> datetime | None:
        return self._ask(lambda store: store.last_monitor_round())

    def ping(self) -> None:
        self._ask(lambda store: store.ping())

    # What runs

    def _hold(self, store: PoolStore, task: WorkerTask, token: str) -> None:
        """In the ledger too; where its row is not there yet, with a later beat."""
        if store.epoch is None:
            return
        if ledger_state.hold(task, token=token, epoch=store.epoch):
            self._unheld.pop(task.id, None)
        else:
            self._unheld[task.id] = token

    def _beat(
        self, task_id: str, attempt: int, renew: Callable[[PoolStore], WorkerTask]
    ) -> WorkerTask:
        """The ledger is read by every beat, and written by a few."""

        def beat(store: PoolStore) -> WorkerTask:
            if isinstance(store, LedgerPoolStore) and not self._is_beat_due(task_id):
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


def _accept(task: WorkerTask, *, epoch: int) -> None:
    """Without its place in the ledger the task is as accepted as with it."""
    try:
        with told_as_unavailable():
            ledger_state.accept(task, epoch=epoch)
    except LedgerUnavailable:
        logger.warning("task %s: its place is not in the ledger", task.id, exc_info=True)
