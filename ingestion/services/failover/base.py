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
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import entries
from ingestion.services.ledger import state as ledger_state
from ingestion.services.ledger.state import ActiveStoreChanged
from ingestion.services.security.secrets import mask

logger = logging.getLogger(__name__)

PROBE_SECONDS, PAUSES_PER_PROBE = 2.0, 8
# A failure within this time may only mean that an idle connection was cut: try once more.
AT_ONCE_SECONDS, PAUSE_SECONDS = 0.3, 0.1
TRIES = 4
# A task that the ledger has accepted stands in the store within this time, or never will.
STORED_SECONDS = 1.0

T = TypeVar("T")


class FailoverBase:
    """What ``FailoverStore`` is built on: finds the active store, retries, degrades, rebuilds,
    recovers."""

    def __init__(
        self,
        redis: PrimaryStore,
        ledger: FallbackStore,
        policy: PoolPolicy,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._policy = policy
        self._clock = clock
        self._active = ActiveStore(clock=clock)
        self._of_epoch = redis
        self._of_state: tuple[int, str] | None = None
        self._probe_at = 0.0
        self._refusal: OtherInstallation | None = None
        self._beats: dict[str, Overdue] = {}
        self._unheld: dict[str, str] = {}
        self._recorded: dict[str, int] = {}
        self._local = threading.local()

    @property
    def epoch(self) -> int | None:
        """The epoch of Redis's state if Redis answered this thread's last verb, None if the ledger
        did."""
        found: int | None = getattr(self._local, "epoch", None)
        return found

    def _ask_about(
        self, task_id: str, verb: Callable[[PoolStore], T], *, needs_ledger: bool = False
    ) -> T:
        """As ``_ask``. Where the store does not know a task that the ledger has as accepted and not
        ended, the store has lost its state."""

        if not is_task_id(task_id):
            raise TaskNotFound(f"{str(task_id)[:50]!r} is no id of a task.")

        def ask(store: PoolStore) -> T:
            until = self._clock() + STORED_SECONDS
            while True:
                try:
                    return verb(store)
                except TaskNotFound as unknown:
                    since = accepted_since(store, task_id)
                    if since is None:
                        raise
                    age = (ledger_now() - since).total_seconds()
                    if age > STORED_SECONDS or self._clock() > until:
                        raise StateLost(f"task {task_id} is gone") from unknown
                time.sleep(PAUSE_SECONDS)

        return self._ask(ask, needs_ledger=needs_ledger)

    def _ask(self, verb: Callable[[PoolStore], T], *, needs_ledger: bool = False) -> T:
        """The answer of the active store; where it turns out to be lost, of the one after it.

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
        for _ in range(TRIES):
            seen = self._recovered(self._active.look(needs_ledger=needs_ledger))
            try:
                return (
                    self._ask_ledger(verb, seen)
                    if seen.is_degraded
                    else self._ask_redis(verb, seen)
                )
            except ActiveStoreChanged:
                self._active.forget()
            except StateLost as lost:
                self._rebuild(seen, lost)
            except LedgerUnavailable:
                raise
            except OtherInstallation:
                self._active.forget()
                if self._active.look().installation == seen.installation:
                    raise  # else another process has just agreed on the id
            except PoolUnavailable as problem:
                if seen.is_degraded:
                    raise
                self._degrade(seen, problem)
        raise PoolUnavailable("The pool's state was lost again while it was being rebuilt.")

    def _ask_ledger(self, verb: Callable[[PoolStore], T], seen: InForce) -> T:
        self._local.epoch = None
        return verb(self._ledger.at(seen.epoch))

    def _ask_redis(self, verb: Callable[[PoolStore], T], seen: InForce) -> T:
        if self._of_state != (seen.epoch, seen.installation):
            self._of_state = seen.epoch, seen.installation
            self._of_epoch = self._redis.at(seen.epoch, installation=seen.installation)
        store = self._of_epoch
        if store.is_incomplete:
            raise StateLost("a part of the queue is gone")
        self._local.epoch = seen.epoch
        began = self._clock()
        try:
            return verb(store)
        except (StateLost, LedgerUnavailable, OtherInstallation):
            raise
        except PoolUnavailable:
            if self._clock() - began > AT_ONCE_SECONDS:
                raise
        time.sleep(PAUSE_SECONDS)
        return verb(store)

    def _is_incomplete(self) -> bool:
        """Redis has answered without a task that it had lost. The next verb rebuilds its state, not
        this one: what was answered just now must stand in the ledger before."""
        return self._of_epoch.is_incomplete

    # Change of the active store

    def _recovered(self, seen: InForce) -> InForce:
        """The active store, after a try to go back to Redis if one is due. Not within a caller's
        transaction: other processes could not see the change before that is committed."""
        if not seen.is_degraded:
            return seen
        if connection.in_atomic_block or self._clock() < self._probe_at or self._stays(seen):
            if self._refusal is not None:
                raise self._refusal
            return seen
        return self._active.look() if self._is_back(seen) else seen

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
            self._redis.probe()
            transitions.recover(
                seen.epoch, store=self._redis, policy=self._policy, follow=entries.follow
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
        self._active.forget()
        return True

    def _degrade(self, seen: InForce, problem: PoolUnavailable) -> None:
        self._probe_at = self._clock() + PROBE_SECONDS
        transitions.degrade(seen.epoch, policy=self._policy, reason=mask(str(problem)))
        self._active.forget()

    def _rebuild(self, seen: InForce, lost: StateLost) -> None:
        """Unless another process has done it since ``seen`` was read, or a server was asked that is
        the primary no more: its state may be whole in the one that is."""
        if in_force() == seen:
            try:
                if not self._redis.has_moved():
                    transitions.rebuild(
                        seen.epoch,
                        store=self._redis,
                        policy=self._policy,
                        follow=entries.follow,
                        reason=str(lost),
                    )
            except (LedgerUnavailable, OtherInstallation):
                raise
            except PoolUnavailable as problem:
                if not isinstance(problem, StateLost):
                    self._degrade(seen, problem)
        self._active.forget()


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
