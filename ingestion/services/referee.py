"""The store of the service: Redis decides while it can be reached, else the ledger in its place.

Who decides stands in the database, where every process looks before it asks, unless it has looked
within the last second. What Redis decides counts only in the epoch that stands there: a process
that slept through a change is refused by Redis (another epoch), and no sync runs before its
attempt is held in the ledger, which is refused in another epoch too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from ingestion.pool.errors import LedgerUnavailable, PoolUnavailable, StateLost, TaskNotFound
from ingestion.pool.redis_rebuild import RebuildableRedisStore
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.store import Finished, Outcome, PoolPolicy, PoolStore, Reaped
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services import ledger_state, referee_changes
from ingestion.services.database import told_as_unavailable
from ingestion.services.ledger_state import OtherReferee
from ingestion.services.ledger_store import LedgerPoolStore
from ingestion.services.overdue import Overdue
from ingestion.services.secrets import mask
from ingestion.services.who_decides import InForce, WhoDecides, in_force

logger = logging.getLogger(__name__)

PROBE_SECONDS, PAUSES_PER_PROBE = 2.0, 8
# A failure that came at once may be a connection that was cut; one more call shows.
AT_ONCE_SECONDS, PAUSE_SECONDS = 0.3, 0.1
TRIES = 4
# Renewals that are written to the ledger, within one lease.
BEATS_PER_LEASE = 9

T = TypeVar("T")


class Referee:
    """See ``PoolStore``. Raises PoolUnavailable when neither can decide."""

    def __init__(
        self,
        redis: RebuildableRedisStore,
        ledger: LedgerPoolStore,
        policy: PoolPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._decides = WhoDecides(clock=clock)
        self._of_epoch = redis
        self._probe_at = 0.0
        self._beats: dict[str, Overdue] = {}
        self._unheld: dict[str, str] = {}
        self._local = threading.local()

    @property
    def epoch(self) -> int | None:
        """Of Redis's state, if it was Redis that answered this thread's last verb."""
        found: int | None = getattr(self._local, "epoch", None)
        return found

    # Life of a task

    def submit(self, task: WorkerTask) -> WorkerTask:
        def submit(store: PoolStore) -> WorkerTask:
            stored = store.submit(task)
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

    def cancel(self, task_id: str, *, reason: str) -> WorkerTask:
        return self._ask_about(task_id, lambda store: store.cancel(task_id, reason=reason))

    def reap(self) -> Reaped:
        return self._ask(lambda store: store.reap())

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        def get(store: PoolStore) -> WorkerTask | None:
            found = store.get(task_id)
            if found is None and _must_know(store, task_id):
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

    # Settings of the pool

    def limit(self) -> LimitInfo:
        return self._ask(lambda store: store.limit())

    def set_limit(self, max_workers: int, *, by: str, reason: str = "") -> LimitInfo:
        return self._ask(lambda store: store.set_limit(max_workers, by=by, reason=reason))

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

    # Asking

    def _ask_about(
        self, task_id: str, verb: Callable[[PoolStore], T], *, needs_ledger: bool = False
    ) -> T:
        """A task that is unknown, and must be known, was lost."""

        def ask(store: PoolStore) -> T:
            try:
                return verb(store)
            except TaskNotFound as unknown:
                if _must_know(store, task_id):
                    raise StateLost(f"task {task_id} is gone") from unknown
                raise

        return self._ask(ask, needs_ledger=needs_ledger)

    def _ask(self, verb: Callable[[PoolStore], T], *, needs_ledger: bool = False) -> T:
        for _ in range(TRIES):
            seen = self._recovered(self._decides.look(needs_ledger=needs_ledger))
            try:
                return (
                    self._ask_ledger(verb, seen)
                    if seen.is_degraded
                    else self._ask_redis(verb, seen)
                )
            except OtherReferee:
                self._decides.forget()
            except StateLost as lost:
                self._rebuild(seen, lost)
            except LedgerUnavailable:
                raise
            except PoolUnavailable as problem:
                if seen.is_degraded:
                    raise
                self._degrade(seen, problem)
        raise PoolUnavailable("The pool's state was lost again while it was being rebuilt.")

    def _ask_ledger(self, verb: Callable[[PoolStore], T], seen: InForce) -> T:
        self._local.epoch = None
        return verb(self._ledger.at(seen.epoch))

    def _ask_redis(self, verb: Callable[[PoolStore], T], seen: InForce) -> T:
        if self._of_epoch.epoch != seen.epoch:
            self._of_epoch = self._redis.at(seen.epoch)
        store = self._of_epoch
        if store.is_torn:
            raise StateLost("a part of the queue is gone")
        self._local.epoch = seen.epoch
        return self._once_more(lambda: verb(store))

    def _is_torn(self) -> bool:
        """The last answer was given without what was lost. It is rebuilt by the next verb: what
        was answered must stand in the ledger first."""
        return self._of_epoch.is_torn

    def _once_more(self, call: Callable[[], T]) -> T:
        began = self._clock()
        try:
            return call()
        except (StateLost, LedgerUnavailable):
            raise
        except PoolUnavailable:
            if self._clock() - began > AT_ONCE_SECONDS:
                raise
        time.sleep(PAUSE_SECONDS)
        return call()

    # Who decides

    def _recovered(self, seen: InForce) -> InForce:
        """Ask Redis now and then whether it is back. Not within a caller's transaction: nobody
        else would hear of it before that ends."""
        if not seen.is_degraded:
            return seen
        stays = seen.stays_until is not None and timezone.now() < seen.stays_until
        if stays or connection.in_atomic_block or self._clock() < self._probe_at:
            return seen
        return self._decides.look() if self._is_back(seen) else seen

    def _is_back(self, seen: InForce) -> bool:
        """A server that lets everybody wait for its silence is asked the less."""
        began = self._clock()
        try:
            self._redis.probe()
            referee_changes.recover(seen.epoch, store=self._redis, policy=self._policy)
        except PoolUnavailable as problem:
            logger.info("still degraded: %s", problem)
            return False
        finally:
            now = self._clock()
            self._probe_at = now + max(PROBE_SECONDS, PAUSES_PER_PROBE * (now - began))
        self._decides.forget()
        return True

    def _degrade(self, seen: InForce, problem: PoolUnavailable) -> None:
        self._probe_at = self._clock() + PROBE_SECONDS
        referee_changes.degrade(seen.epoch, policy=self._policy, reason=mask(str(problem)))
        self._decides.forget()

    def _rebuild(self, seen: InForce, lost: StateLost) -> None:
        """Somebody else may have done it already; looking again shows."""
        if in_force() == seen:
            try:
                referee_changes.rebuild(
                    seen.epoch, store=self._redis, policy=self._policy, reason=str(lost)
                )
            except LedgerUnavailable:
                raise
            except PoolUnavailable as problem:
                if not isinstance(problem, StateLost):
                    self._degrade(seen, problem)
        self._decides.forget()

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


def _must_know(store: PoolStore, task_id: str) -> bool:
    if store.epoch is None:
        return False
    try:
        with told_as_unavailable():
            return ledger_state.is_accepted(task_id)
    except LedgerUnavailable:
        return False
