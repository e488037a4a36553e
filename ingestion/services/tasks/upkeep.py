"""What keeps the queue moving, whichever verb comes along: what may start is started, what is overdue
is repaired, and a process that has just begun puts the limits in force."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection

from ingestion.conf import PoolConf
from ingestion.pool.errors import OtherInstallation, PoolUnavailable
from ingestion.pool.store import PoolStore
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.bounds import bounded
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.infra.throttle import Overdue
from ingestion.services.ledger import entries as ledger
from ingestion.services.tasks import aging, dispatch, limits, repairs

logger = logging.getLogger(__name__)

# Repairs run this many times within a lease, whoever comes along.
REAPS_PER_LEASE = 9


class Upkeep:
    """``send`` hands a claimed task to the broker, see ``dispatch.send``; ``release`` is what the
    workers run."""

    def __init__(
        self, store: PoolStore, *, conf: PoolConf, send: dispatch.Send, release: str
    ) -> None:
        self._store = store
        self._send = send
        self._release = release
        self._aging_seconds = conf.priority_aging_seconds
        self._overdue = Overdue(conf.lease_seconds / REAPS_PER_LEASE)
        self.has_restored_limits = False

    @property
    def is_due(self) -> bool:
        """After a verb that has claimed: repairs, and what this process does but once."""
        return self._overdue.is_due or not self.has_restored_limits

    def process_queue(self) -> int:
        """Start waiting tasks while slots are free; how many."""
        with bounded():  # also within a verb that has no bound as a whole
            self.restore_limits()
            started = self._store.claim(token=new_token())
            self.start(started)
        return len(started)

    def advance(self) -> tuple[WorkerTask, ...]:
        """Repair if overdue and start what may start: what was started. The verb before this one has
        succeeded, so what goes wrong here is left to the next one."""
        try:
            self.repair_if_overdue()
            self.restore_limits()
            started = self._store.claim(token=new_token())
            self.start(started)
        except (PoolUnavailable, *DATABASE_ERRORS):
            logger.warning("the queue could not be processed", exc_info=True)
            return ()
        return started

    def start(self, tasks: tuple[WorkerTask, ...]) -> bool:
        """Send what was claimed. False when the broker did not take them all."""
        sent = dispatch.send_all(tasks, send=self._send)
        for task in tasks:
            ledger.follow(task, epoch=self._store.epoch)
        return sent == len(tasks)

    def tend(self) -> None:
        """What is overdue, for somebody who only wants to look: without the ledger nothing can be
        repaired, and much can be shown. Nothing is written where nothing is overdue."""
        self.prepare_to_look()
        try:
            self.repair_if_overdue()
        except OtherInstallation:
            raise
        except (PoolUnavailable, *DATABASE_ERRORS):
            logger.warning("overdue repairs could not be made", exc_info=True)

    def prepare_to_look(self) -> None:
        """Once per process: what is looked at follows the limits in force."""
        try:
            self.restore_limits()
        except (PoolUnavailable, *DATABASE_ERRORS):
            logger.warning("the limits could not be restored", exc_info=True)

    def repair_if_overdue(self) -> None:
        if self._overdue.take():
            repairs.reap(self._store, send=self._send)

    def restore_limits(self) -> None:
        """Once per process."""
        if self.has_restored_limits:
            return
        limits.restore(self._store)
        in_force = aging.restore(self._store, default=self._aging_seconds)
        self.has_restored_limits = True
        if differs := aging.difference(in_force, self._aging_seconds):
            logger.warning("%s", differs)

    def worker_tick(
        self, name: str, *, capacity: int, task_names: Collection[str] | None = None
    ) -> None:
        """A worker is alive and knows these syncs: note it, repair what is overdue, start what may
        start."""
        self._store.worker_seen(
            name, capacity=capacity, task_names=task_names, release=self._release
        )
        self.repair_if_overdue()
        self.process_queue()

    def worker_gone(self, name: str) -> None:
        """A worker has said goodbye."""
        self._store.worker_gone(name)


def new_token() -> str:
    """By which a store knows a call that is repeated."""
    return uuid.uuid4().hex
