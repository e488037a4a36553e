"""The pool's state as a whole: counted, forgotten, taken over from another installation or from an older
version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone

from ingestion.conf import PoolConf
from ingestion.deprecated_names import with_old_keys
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import PoolStore
from ingestion.services.failover.stores import HoldsLegacy, SharesRedis, pickled_state
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import entries as ledger
from ingestion.services.security import audit
from ingestion.services.tasks import aging, limits
from ingestion.services.tasks.outcomes import cancellation
from ingestion.services.tasks.upkeep import Upkeep

# How often a process looks for what an older version may have written meanwhile.
LEGACY_SECONDS = 60.0


class PoolState:
    def __init__(self, store: PoolStore, *, conf: PoolConf, upkeep: Upkeep) -> None:
        self._store = store
        self._aging_seconds = conf.priority_aging_seconds
        self._upkeep = upkeep
        self._legacy_overdue = Overdue(LEGACY_SECONDS)
        self._pickled: tuple[str, ...] = ()

    def reset_state(
        self, force: bool = False, *, change: ChangeRequest = UNSIGNED
    ) -> dict[str, Any]:
        """Forget everything: running syncs are told to stop, waiting ones are cancelled.

        Without ``force`` nothing is changed, and the answer tells what would be lost. Of Redis only
        the pool's own keys are deleted, of the database nothing: rows of open tasks are closed.
        """
        counts = self._at_stake()
        if not force:
            return {"done": False, **counts}
        self._store.ping()
        moment = timezone.now()
        cancelled = cancellation(replace(change, reason=change.reason or "the pool was reset"))
        # An open row would bring its task back.
        closed = ledger.cancel_every_row(opened_before=moment, change=cancelled)
        keys = self._store.reset()
        done = {"keys_deleted": keys, "ledger_closed": closed}
        audit.record("reset", change=change, before=counts, after=done)
        limits.restore(self._store)
        aging.restore(self._store, default=self._aging_seconds)
        return {"done": True, **counts, **done}

    def _at_stake(self) -> dict[str, int]:
        """By the ledger where the state cannot be read: that may be why it is to be reset."""
        try:
            snapshot = self._store.snapshot(queue_limit=0)
        except PoolUnavailable:
            return ledger.open_counts()
        return with_old_keys({**task_counts(snapshot), "dead_letters": len(snapshot.dead_letters)})

    def take_over(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """Let Redis hold this installation's state, although another's is there: how many tasks it
        has. That one is refused from here on."""
        if not isinstance(self._store, SharesRedis):
            return {"restored": 0}
        done = {"restored": self._store.take_over()}
        audit.record("take_over", change=change, after=done)
        self._upkeep.advance()
        return done

    def import_old_state(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """Take over what an older version pickled in Redis: ``restored`` tasks, ``dead_letters``
        that cannot be read. Nothing that it names is run."""
        if not isinstance(self._store, HoldsLegacy):
            return {"restored": 0, "dead_letters": 0}
        restored, unreadable = self._store.import_pickled()
        done = {"restored": restored, "dead_letters": unreadable}
        audit.record("import_old_state", change=change, after=done)
        self._pickled = ()
        self._upkeep.advance()
        return done

    def pickled(self) -> str:
        """A sentence where an older version left what is not read by itself."""
        if isinstance(self._store, HoldsLegacy) and self._legacy_overdue.take():
            try:
                self._pickled = self._store.pickled_legacy()
            except PoolUnavailable:
                return ""
        return pickled_state(self._pickled)


def waiting_counts(snapshot: PoolSnapshot) -> dict[str, int]:
    """How many tasks wait, by where they stand."""
    return {
        "queued": snapshot.queued_count,
        "delayed": snapshot.delayed_count,
        "held": snapshot.held_count,
    }


def task_counts(snapshot: PoolSnapshot) -> dict[str, int]:
    """How many tasks run, and how many wait."""
    return {"active": snapshot.active_count, **waiting_counts(snapshot)}
