"""Sends each verb to the active store, and changes over when that cannot answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.db import connection

from ingestion.pool.errors import (
    LedgerUnavailable,
    OtherInstallation,
    PoolError,
    PoolUnavailable,
    StateLost,
    TaskNotFound,
)
from ingestion.pool.store import PoolPolicy, PoolStore
from ingestion.pool.task import is_task_id
from ingestion.services.failover import transitions
from ingestion.services.failover.active_store import ActiveStore, InForce, in_force
from ingestion.services.failover.stores import FallbackStore, PrimaryStore
from ingestion.services.infra.database import as_unavailable, ledger_now
from ingestion.services.ledger import entries
from ingestion.services.ledger import state as ledger_state
from ingestion.services.ledger.state import ActiveStoreChanged

logger = logging.getLogger(__name__)

PROBE_SECONDS, PAUSES_PER_PROBE = 2.0, 8
# A failure within this time may only mean that an idle connection was cut: try once more.
AT_ONCE_SECONDS, PAUSE_SECONDS = 0.3, 0.1
TRIES = 4
# What no second call of the same store mends.
BEYOND_RETRY = (StateLost, LedgerUnavailable, OtherInstallation)
# A task that the ledger has accepted stands in the store within this time, or never will.
STORED_SECONDS = 1.0

T = TypeVar("T")


class _Answered(threading.local):
    """By thread: the epoch of Redis's state if Redis answered the last verb, None if the ledger did."""

    epoch: int | None = None


class Failover:
    """Finds the active store and asks it; retries, degrades, rebuilds, recovers."""

    def __init__(
        self,
        redis: PrimaryStore,
        ledger: FallbackStore,
        policy: PoolPolicy,
        *,
        clock: Callable[[], float],
    ) -> None:
        self.redis = redis
        self.ledger = ledger
        self.policy = policy
        self.active = ActiveStore(clock=clock)
        self.answered = _Answered()
        # Redis's store for the state that was asked last.
        self.of_epoch = redis
        self._of_state: tuple[int, str] | None = None
        self._clock = clock
        self._probe_at = 0.0
        self._refusal: OtherInstallation | None = None

    def ask(
        self,
        verb: Callable[[PoolStore], T],
        task_id: str | None = None,
        *,
        needs_ledger: bool = False,
    ) -> T:
        """The answer of the active store; where it turns out to be lost, of the one after it. Where
        it does not know the task of ``task_id``, which the ledger has as accepted and not ended, it
        has lost its state.

        Why ``verb`` may be called several times although an earlier call may have been carried out
        and only its answer was lost:

        - In one epoch the second call finds the work done: a verb names what it does by a task's
          id, an operation token or an attempt, or it does what is due (``reap``, ``clear_queue``),
          and the next repairs write down what the lost answer named. An operator's change that
          names a revision may be refused as Conflict by its own first call; it is not made twice.
        - What a store did in an epoch that is over counts for nothing: the next state is made from
          the ledger, and no sync runs before the ledger holds its attempt.

        A round of the loop ends the call, or follows a change that stands in the database, made
        here or by another process. So it ends unless the state is lost again each time; then
        ``TRIES`` ends it, and nothing was done that the caller may not repeat.
        """
        if task_id is not None and not is_task_id(task_id):
            raise TaskNotFound(f"{str(task_id)[:50]!r} is no id of a task.")
        for _ in range(TRIES):
            seen = self._recovered(self.active.look(needs_ledger=needs_ledger))
            try:
                asked = _Asked(self._store_of(seen), task_id, clock=self._clock)
                while True:
                    try:
                        return verb(asked.store)
                    except (TaskNotFound, PoolUnavailable) as problem:
                        asked.wait_after(problem)
            except (ActiveStoreChanged, PoolUnavailable) as problem:
                self._change_after(problem, seen)
        raise PoolUnavailable("The pool's state was lost again while it was being rebuilt.")

    def _store_of(self, seen: InForce) -> PoolStore:
        """The store that is active. Raises StateLost where Redis has answered without a task that it
        had lost: the next verb rebuilds its state, not that one, whose answer must stand in the
        ledger before."""
        if seen.is_degraded:
            self.answered.epoch = None
            return self.ledger.at(seen.epoch)
        if self._of_state != (seen.epoch, seen.installation):
            self._of_state = seen.epoch, seen.installation
            self.of_epoch = self.redis.at(seen.epoch, installation=seen.installation)
        if self.of_epoch.is_incomplete:
            raise StateLost("a part of the queue is gone")
        self.answered.epoch = seen.epoch
        return self.of_epoch

    def take_over(self) -> int:
        """See ``SharesRedis``."""
        self.active.look(needs_ledger=True)
        count = transitions.take_over(store=self.redis, policy=self.policy)
        self.active.forget()
        self._refusal = None
        return count

    # Change of the active store

    def _change_after(self, problem: ActiveStoreChanged | PoolUnavailable, seen: InForce) -> None:
        """What lets the next round answer. Raises the problem where nothing can."""
        if isinstance(problem, ActiveStoreChanged):
            self.active.forget()
        elif isinstance(problem, StateLost):
            self._rebuild(seen, problem)
        elif isinstance(problem, OtherInstallation):
            self.active.forget()
            if self.active.look().installation == seen.installation:
                raise problem  # else another process has just agreed on the id
        elif isinstance(problem, LedgerUnavailable) or seen.is_degraded:
            raise problem
        else:
            self._degrade(seen, problem)

    def _recovered(self, seen: InForce) -> InForce:
        """The active store, after a try to go back to Redis if one is due. Not within a caller's
        transaction: other processes could not see the change before that is committed."""
        if not seen.is_degraded:
            return seen
        if connection.in_atomic_block or self._clock() < self._probe_at or self._stays(seen):
            if self._refusal is not None:
                raise self._refusal
            return seen
        return self.active.look() if self._is_back(seen) else seen

    def _stays(self, seen: InForce) -> bool:
        """Whether it is too early to go back; then the time is looked at again a little later."""
        if seen.stays_until is None:
            return False
        with as_unavailable():
            left = (seen.stays_until - ledger_now()).total_seconds()
        if left > 0:
            self._probe_at = self._clock() + min(left, PROBE_SECONDS)
        return left > 0

    def _is_back(self, seen: InForce) -> bool:
        """Whether Redis answered and is active again. The longer the try took, the later the
        next."""
        began, self._refusal = self._clock(), None
        try:
            self.redis.probe()
            transitions.recover(
                seen.epoch, store=self.redis, policy=self.policy, follow=entries.follow
            )
        except OtherInstallation as problem:
            self._refusal = problem
            raise
        except PoolUnavailable as problem:
            logger.info("still degraded: %s", problem)
            return False
        finally:
            now = self._clock()
            self._probe_at = now + max(PROBE_SECONDS, PAUSES_PER_PROBE * (now - began))
        self.active.forget()
        return True

    def _degrade(self, seen: InForce, problem: PoolUnavailable) -> None:
        self._probe_at = self._clock() + PROBE_SECONDS
        transitions.degrade(
            seen.epoch,
            store=self.redis,
            policy=self.policy,
            follow=entries.follow,
            problem=problem,
        )
        self.active.forget()

    def _rebuild(self, seen: InForce, lost: StateLost) -> None:
        """Unless another process has done it since ``seen`` was read, or a server was asked that is
        the primary no more: its state may be whole in the one that is."""
        if in_force() == seen:
            try:
                if not self.redis.has_moved():
                    transitions.rebuild(
                        seen.epoch,
                        store=self.redis,
                        policy=self.policy,
                        follow=entries.follow,
                        reason=str(lost),
                    )
            except (LedgerUnavailable, OtherInstallation):
                raise
            except PoolUnavailable as problem:
                if not isinstance(problem, StateLost):
                    self._degrade(seen, problem)
        self.active.forget()


class _Asked:
    """One store in one round, which a verb asks again where another answer may come at once."""

    def __init__(
        self, store: PoolStore, task_id: str | None, *, clock: Callable[[], float]
    ) -> None:
        self.store = store
        self._task_id = task_id
        self._clock = clock
        self._began = clock()
        self._may_be_cut = store.epoch is not None

    def wait_after(self, problem: PoolError) -> None:
        """Pause before the next call. Raises the problem where that would not help, and StateLost
        where the task should be there."""
        seconds = self._clock() - self._began
        if isinstance(problem, TaskNotFound):
            self._look_for_task(problem, seconds)
        else:
            may_be_cut = self._may_be_cut and seconds <= AT_ONCE_SECONDS
            if isinstance(problem, BEYOND_RETRY) or not may_be_cut:
                raise problem
            self._may_be_cut = False
        time.sleep(PAUSE_SECONDS)

    def _look_for_task(self, unknown: TaskNotFound, seconds: float) -> None:
        since = accepted_since(self.store, self._task_id) if self._task_id else None
        if since is None:
            raise unknown
        age = (ledger_now() - since).total_seconds()
        if age > STORED_SECONDS or seconds > STORED_SECONDS:
            raise StateLost(f"task {self._task_id} is gone") from unknown


def accepted_since(store: PoolStore, task_id: str) -> datetime | None:
    """Since when Redis, if it is the store, must know this task. None where the ledger cannot be
    asked."""
    if store.epoch is None:
        return None
    try:
        with as_unavailable():
            return ledger_state.accepted_since(task_id)
    except LedgerUnavailable:
        return None
