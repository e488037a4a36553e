"""What a worker holds while it runs a task: the lease kept alive, and the word to stop."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from structlog.contextvars import bound_contextvars

from ingestion.pool.errors import LeaseLost, PoolError, TaskNotFound
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.database import DATABASE_ERRORS, close_connections
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.sync.common.errors import SyncCancelled, SyncLeaseLost

logger = logging.getLogger(__name__)

REPORT_SECONDS = 1.0


class LeaseThread:
    """Beats for one lease after the other, each when it is due. To start a thread for every task would
    cost a short one more than its run; and it is woken only where it would sleep for too long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lease: Lease | None = None
        self._wakes_at = math.inf
        self._is_beating = False
        threading.Thread(target=self._run, name="lease", daemon=True).start()

    @classmethod
    def of(cls, lease: Lease) -> LeaseThread:
        """One that has nothing to do, or a new one: there are as many as tasks at once, which is one
        in a child of a worker. A lease that waits for its store must not keep others waiting."""
        try:
            found = _idle.pop()
        except IndexError:
            found = cls()
        found._take(lease)
        return found

    def leave(self) -> None:
        """Its lease has ended. If it beats at this moment it is free only after that."""
        with self._changed:
            self._lease = None
            if not self._is_beating:
                _idle.append(self)

    def _take(self, lease: Lease) -> None:
        with self._changed:
            self._lease = lease
            if lease.due_at < self._wakes_at:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next().beat()
            self._rest()

    def _next(self) -> Lease:
        """The lease, once its beat is due."""
        with self._changed:
            while True:
                self._wakes_at = math.inf if self._lease is None else self._lease.due_at
                left = self._wakes_at - time.monotonic()
                if self._lease is not None and left <= 0:
                    self._is_beating = True
                    return self._lease
                self._changed.wait(None if left == math.inf else left)

    def _rest(self) -> None:
        with self._changed:
            self._is_beating = False
            if self._lease is None:
                _idle.append(self)


_idle: list[LeaseThread] = []
# Of a process that forks only the thread that does so lives on in the child.
os.register_at_fork(after_in_child=_idle.clear)


class Lease:
    """Renews the lease of one attempt from a thread, while the ``with`` block runs.

    Whoever cannot renew it for ``exclusive_seconds`` must take the task for lost: others may be able to
    reach the pool, and give it away. ``on_expiry`` is called then, from the thread, once.
    ``held_since``: a moment of ``clock`` before the attempt was confirmed.

    The thread leaves no database connection open: the pool looks there who decides.
    """

    def __init__(
        self,
        pool: WorkerPoolService,
        task_id: str,
        *,
        attempt: int,
        interval_seconds: float,
        exclusive_seconds: float = math.inf,
        held_since: float | None = None,
        on_expiry: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._task_id = task_id
        self._attempt = attempt
        self._interval_seconds = interval_seconds
        self._exclusive_seconds = exclusive_seconds
        # Counted from before the attempt was confirmed, see ``_tell``.
        self._held_until = (clock() if held_since is None else held_since) + exclusive_seconds
        self._on_expiry = on_expiry
        self._clock = clock
        self._ending, self._telling = threading.Lock(), threading.Lock()
        self._untold: dict[str, Any] | None = None
        self._first_beat_seconds = min(interval_seconds, REPORT_SECONDS)
        self._has_ended = False
        self._thread: LeaseThread | None = None
        self.due_at = math.inf  # the next beat, by the monotonic clock
        self.task: WorkerTask | None = None  # as the store last answered it
        self.is_lost = False
        self.has_stopped_sync = False  # by an error raised to it, whose cleanup may still run
        self.cancel_reason: str | None = None

    def __enter__(self) -> Self:
        self._plan()
        self._thread = LeaseThread.of(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._ending:
            self._has_ended = True
        if self._telling.acquire(timeout=self._interval_seconds):
            self._telling.release()
        if self._thread is not None:
            self._thread.leave()

    def check(self) -> None:
        """Raises SyncLeaseLost, SyncCancelled when the run must end."""
        reason = self._must_end()
        if reason is not None:
            self.has_stopped_sync = True
            raise reason

    def _must_end(self) -> SyncLeaseLost | SyncCancelled | None:
        if self.is_lost:
            return SyncLeaseLost(f"attempt {self._attempt} no longer holds the task")
        if self._has_run_out():
            return SyncLeaseLost(f"attempt {self._attempt} could not renew its lease")
        return None if self.cancel_reason is None else SyncCancelled(self.cancel_reason)

    def renew(self) -> None:
        """The holder is alive."""
        self._tell(lambda: self._pool.renew_lease(self._task_id, attempt=self._attempt))

    def report(self, progress: dict[str, Any]) -> None:
        """The sync moves."""
        with self._telling:
            self._report(progress)

    def report_later(self, progress: dict[str, Any]) -> None:
        """The sync moves; the thread reports it when it renews the lease, if nothing else was
        reported by then."""
        self._untold = progress

    def _report(self, progress: dict[str, Any]) -> None:
        self._untold = None
        self._tell(
            lambda: self._pool.report_progress(
                self._task_id, attempt=self._attempt, progress=progress
            )
        )

    def beat(self) -> None:
        """Renew it, from its thread, which knows nothing of the ids of the one that runs the task."""
        with bound_contextvars(task_id=self._task_id, attempt=self._attempt):
            self._beat()

    def _beat(self) -> None:
        self._first_beat_seconds = math.inf
        with self._telling:
            if self._has_ended:
                return
            if self._untold is None:
                self.renew()
            else:
                self._report(self._untold)
        close_connections()
        self._plan()
        if self._has_run_out():
            self.due_at = math.inf
            self._expire()

    def _plan(self) -> None:
        self.due_at = time.monotonic() + self._until_next_beat()

    def _until_next_beat(self) -> float:
        left = self._held_until - self._clock()
        return max(0.0, min(self._interval_seconds, self._first_beat_seconds, left))

    def _has_run_out(self) -> bool:
        return self._clock() >= self._held_until

    def _expire(self) -> None:
        """Not after the run: the process may have the next one in hand."""
        with self._ending:
            if not self._has_ended:
                logger.warning("task %s: its lease ran out unrenewed", self._task_id)
                self._on_expiry()

    def _tell(self, verb: Callable[[], WorkerTask]) -> None:
        """A store that cannot be reached now may answer the next time: the thread must outlive
        that."""
        # The store begins the lease at some moment between the question and the answer. Counted
        # from the answer, a slow one would let this worker believe in its lease after the store has
        # given the task to somebody else; counted from the question, it stops too early at worst.
        # Only times of this process's monotonic clock are compared, so no other clock matters.
        asked_at = self._clock()
        try:
            task = verb()
        except (LeaseLost, TaskNotFound):
            self.is_lost = True
        except (PoolError, *DATABASE_ERRORS):
            logger.warning("task %s: the lease could not be renewed", self._task_id, exc_info=True)
        else:
            self.task = task
            # Thread and sync renew both: an answer that comes late must not shorten the lease.
            self._held_until = max(self._held_until, asked_at + self._exclusive_seconds)
            if task.cancel_requested_at is not None:
                self.cancel_reason = task.error_message or "Cancelled."


class TaskReporter:
    """Tells the pool what a sync does, at most once a second, and stops it when asked to, by the
    pool or by ``check_further``. ``models_total``: how many models the sync loads, one after the
    other. ``told_at``: when the pool was last told of it; a sync that ends within a second of that
    costs no more calls."""

    def __init__(
        self,
        lease: Lease,
        *,
        models_total: int = 1,
        check_further: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        told_at: float | None = None,
    ) -> None:
        self._lease = lease
        self._check_further = check_further
        self._clock = clock
        self._told_at = told_at
        self._has_asked = False
        self._progress: dict[str, Any] = {"model": "", "step": "", "rows": 0, "total_rows": 0}
        if models_total > 1:
            self._progress |= {"models_done": 0, "models_total": models_total}

    def step(self, model: str, step: str) -> None:
        self._turn_to(model)
        self._progress["step"] = step
        self._report()

    def advance(self, model: str, *, rows: int) -> None:
        self._turn_to(model)
        self._progress["rows"] += rows
        self._progress["total_rows"] += rows
        self._report()

    def check(self) -> None:
        if self._is_due() or not self._has_asked:
            self._has_asked = True
            self._lease.renew()
        self.check_known()

    def check_known(self) -> None:
        self._lease.check()
        self._check_further()

    def _turn_to(self, model: str) -> None:
        if model != self._progress["model"]:
            if self._progress["model"] and "models_done" in self._progress:
                self._progress["models_done"] += 1
            self._progress.update(model=model, step="", rows=0)

    def _report(self) -> None:
        tell = self._lease.report if self._is_due() else self._lease.report_later
        tell(dict(self._progress))
        self.check_known()

    def _is_due(self) -> bool:
        now = self._clock()
        is_due = self._told_at is None or now - self._told_at >= REPORT_SECONDS
        if is_due:
            self._told_at = now
        return is_due
