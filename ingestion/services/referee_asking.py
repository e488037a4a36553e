"""How the referee asks: Redis while it can be reached, else the ledger in its place."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import connection
from django.utils import timezone

from ingestion.pool.errors import LedgerUnavailable, PoolUnavailable, StateLost, TaskNotFound
from ingestion.pool.redis_rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy, PoolStore
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

T = TypeVar("T")


class Asking:
    """What the verbs of ``Referee`` are asked through."""

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

    def _ask_about(
        self, task_id: str, verb: Callable[[PoolStore], T], *, needs_ledger: bool = False
    ) -> T:
        """A task that is unknown, and must be known, was lost."""

        def ask(store: PoolStore) -> T:
            try:
                return verb(store)
            except TaskNotFound as unknown:
                if must_know(store, task_id):
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


def must_know(store: PoolStore, task_id: str) -> bool:
    if store.epoch is None:
        return False
    try:
        with told_as_unavailable():
            return ledger_state.is_accepted(task_id)
    except LedgerUnavailable:
        return False
