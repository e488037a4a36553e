"""The verbs that show the pool: one task, lists of them, and everything at one moment."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

from ingestion.conf import PoolConf
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.queue_place import QueuePage, QueuePlace
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import READ_PAGE, PoolStore, all_waiting
from ingestion.pool.task import WorkerTask
from ingestion.services.beat import entries as schedule_beat
from ingestion.services.infra.database import DATABASE_ERRORS, as_unavailable, times_lost
from ingestion.services.infra.sandboxed import sandboxed_crms
from ingestion.services.requests.routing import task_mappings
from ingestion.services.runs import direct
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks import aging
from ingestion.services.tasks.pool_state import PoolState
from ingestion.services.tasks.upkeep import Upkeep
from ingestion.services.waiting.wait_reasons import unknown_to_workers

logger = logging.getLogger(__name__)

# So many tasks of each list a snapshot holds at most; what stands behind them is read in pages.
MOST_SHOWN = 200


class PoolViews:
    """They only look; ``snapshot`` after overdue repairs. ``explained`` says of each task that waits
    why, see ``Explanations``."""

    def __init__(
        self,
        store: PoolStore,
        *,
        conf: PoolConf,
        upkeep: Upkeep,
        state: PoolState,
        explained: Callable[[PoolSnapshot], PoolSnapshot],
    ) -> None:
        self._store = store
        self._aging_seconds = conf.priority_aging_seconds
        self._upkeep = upkeep
        self._explained = explained
        self._state = state

    def get_task_status(self, task_id: str) -> WorkerTask | None:
        """The task as it stands; finished ones too while they are retained."""
        return self._store.get(task_id)

    def get_active_tasks(self) -> list[WorkerTask]:
        """The RUNNING tasks, longest running first."""
        return list(self._store.active())

    def get_queued_tasks(self, *, offset: int = 0, limit: int | None = None) -> list[WorkerTask]:
        """The QUEUED tasks in the order in which they will start, delayed ones last. Without a
        ``limit`` all of them, read in pages: for an export. A list goes on with ``queue_page``."""
        if limit is None:
            return list(islice(all_waiting(self._store), max(0, offset), None))
        return list(self._store.queued(offset=offset, limit=limit))

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        """The next QUEUED tasks behind a place, in the same order; at most 100. The last page costs
        what the first does."""
        return self._store.queue_page(after=after, limit=min(limit, READ_PAGE))

    def peek(self) -> PoolSnapshot:
        """The snapshot without the queue's tasks and without repairs: asks the store alone."""
        return self._store.snapshot(queue_limit=0)

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Everything at one moment, after overdue repairs; the queue cut to ``queue_limit``, at most
        200, and each task of it explained."""
        losses = times_lost()
        self._upkeep.tend()
        snapshot = self._store.snapshot(queue_limit=min(queue_limit, MOST_SHOWN))
        if times_lost() == losses:
            snapshot = _with_ledger(snapshot)
        snapshot = self._with_warnings(self._explained(snapshot))
        if not snapshot.dead_letters:
            return snapshot
        # What an older version stored may hold what is refused today.
        return replace(snapshot, dead_letters=mask_json(snapshot.dead_letters))

    def get_stats(self) -> dict[str, Any]:
        """max_workers, active_count, queued_count, available_workers, utilization (percent) and
        the other numbers of the snapshot, without its lists of tasks."""
        stats = self.snapshot(queue_limit=0).to_dict()
        for name in ("active", "direct", "queued", "delayed", "held"):
            del stats[name]
        return stats

    def _with_warnings(self, snapshot: PoolSnapshot) -> PoolSnapshot:
        in_force = snapshot.controls.priority_aging
        differs = aging.difference(in_force, self._aging_seconds)
        unknown = unknown_to_workers(snapshot, task_mappings().values())
        warnings = tuple(filter(None, (differs, unknown, self._state.pickled())))
        return replace(snapshot, warnings=warnings, sandboxed_crms=sandboxed_crms())


def _with_ledger(snapshot: PoolSnapshot) -> PoolSnapshot:
    """With what only the ledger knows; without it while its database is away."""
    try:
        with as_unavailable():
            outside, last_beat_at = direct.running(), schedule_beat.last_tick_at()
    except (PoolUnavailable, *DATABASE_ERRORS):
        logger.warning("the ledger could not tell of direct runs and beat", exc_info=True)
        return snapshot
    return replace(snapshot, direct=outside, last_beat_at=last_beat_at)
