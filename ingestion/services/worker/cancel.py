"""The steps by which a sync is stopped that must end: asked, interrupted, terminated, killed.

The first step is not taken here: a sync learns with its next page or beat that it is cancelled, or
that its attempt no longer counts (its lease ran out, it was ended as stale). Whoever does not stop
then is stuck in a request, in C code, or swallows exceptions, and would hold its process for ever.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ingestion.conf import PoolConf
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.worker import children
from ingestion.services.worker.children import Held
from ingestion.services.worker.stop_signals import CANCEL_NOW, SHUT_DOWN

logger = logging.getLogger(__name__)

LONGEST_LOOK_SECONDS = 5.0


@dataclass
class Descent:
    """``since``: when it was first seen that the attempt must end, by the ladder's clock."""

    since: float
    taken: int = 0


class CancelLadder:
    """Belongs to the main process of the worker ``hostname``; ``look`` is called again and again.

    ``find`` gives a task as the pool has it. The seconds of each step count from the one before.
    """

    def __init__(
        self,
        hostname: str,
        conf: PoolConf,
        *,
        find: Callable[[str], WorkerTask | None],
        tell: Callable[[int, signal.Signals], None] = children.tell,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hostname = hostname
        self._find = find
        self._tell = tell
        self._clock = clock
        waits = (conf.cancel_ask_seconds, conf.cancel_soft_seconds, conf.cancel_term_seconds)
        signals = (CANCEL_NOW, SHUT_DOWN, signal.SIGKILL)
        self._steps = [(sum(waits[: n + 1]), number) for n, number in enumerate(signals)]
        self.look_seconds = min(LONGEST_LOOK_SECONDS, min(waits) / 2)
        self._descents: dict[Held, Descent] = {}

    def look(self, running: Iterable[Held]) -> None:
        """Take the steps that are due for the syncs that children of this worker run now."""
        self._descents = {
            held: self._descents.get(held, Descent(self._clock()))
            for held in running
            if self._must_end(held)
        }
        for held, descent in self._descents.items():
            self._descend(held, descent)

    def _must_end(self, held: Held) -> bool:
        """While the pool cannot be asked, what it said last holds."""
        try:
            task = self._find(held.task_id)
        except PoolUnavailable:
            return held in self._descents
        if task is None or task.status != TaskStatus.RUNNING or task.attempt != held.attempt:
            return True
        is_holder = task.worker == f"{self._hostname}/{held.pid}"
        return is_holder and task.cancel_requested_at is not None

    def _descend(self, held: Held, descent: Descent) -> None:
        waited = self._clock() - descent.since
        for after, number in self._steps[descent.taken :]:
            if waited < after:
                return
            descent.taken += 1
            logger.warning(
                "task %s attempt %d must end and has not for %.1f s: %s to process %d",
                *(held.task_id, held.attempt, waited, number.name, held.pid),
            )
            self._tell(held.pid, number)
