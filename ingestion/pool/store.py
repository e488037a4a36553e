"""The contract of a store: the verbs of the pool, each atomic, each may say no.

Two stores keep it: ``MemoryPoolStore`` and ``RedisPoolStore``; one suite in ``tests/contract``
runs on both. Verbs that could do harm when a client repeats them after a lost reply take an
operation ``token``: the second call with the same token changes nothing and gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ingestion.pool.clock import to_us
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.task import TaskStatus, WorkerTask

# Scores count µs from here, so that they stay exact in a double.
EPOCH_US = 1_735_689_600_000_000  # 2025-01-01T00:00:00Z
# Without aging a level outweighs every time: milliseconds since EPOCH stay below this until 2152.
STRICT_LEVEL = 4_000_000_000_000


@dataclass(frozen=True)
class PoolPolicy:
    """The clocks and sizes of a pool, given to a store once.

    A lost worker's task with attempts left waits ``retry_backoff_seconds``, doubled with every
    attempt up to ``retry_backoff_max_seconds``.

    ``priority_aging_seconds``: how long a task of one level lower must have waited longer to run
    first; 0 means strict priority.
    """

    default_max_workers: int = 2
    lease_seconds: float = 90
    stale_seconds: float = 1800
    dispatch_seconds: float = 60
    retention_seconds: float = 3600
    priority_aging_seconds: float = 3600
    worker_ttl_seconds: float = 60
    retry_backoff_seconds: float = 30
    retry_backoff_max_seconds: float = 1800

    @property
    def lost_message(self) -> str:
        """Why a task without a lease ended; ``{worker}`` stands for its holder."""
        lease = f"{self.lease_seconds:g} s"
        return f"Worker {{worker}} stopped renewing its lease of {lease}; it was lost."

    @property
    def stale_message(self) -> str:
        """Why a task that did not move ended."""
        if self.stale_seconds < 60:
            return f"No progress for {self.stale_seconds:g} seconds."
        return f"No progress for {self.stale_seconds / 60:g} minutes."

    @property
    def order_step_us(self) -> int:
        """The least distance of two submissions: strict scores count milliseconds."""
        return 1 if self.priority_aging_seconds > 0 else 1000

    def score(self, order_us: int, *, priority: int) -> int:
        return queue_score(order_us, priority=priority, aging_seconds=self.priority_aging_seconds)

    def place_of(self, task: WorkerTask, order_us: int) -> int:
        """The score of a task: that of the front to which it was moved, or its own."""
        if task.front_score is not None:
            return task.front_score
        return self.score(order_us, priority=task.priority)

    def backoff_seconds(self, attempt: int) -> float:
        """The wait after a lost attempt: doubled each time, up to its greatest."""
        doubled = self.retry_backoff_seconds * 2.0 ** min(attempt - 1, 100)
        return min(doubled, self.retry_backoff_max_seconds)


def queue_score(order_us: int, *, priority: int, aging_seconds: float) -> int:
    """Where a task stands in the queue: the lowest score runs first.

    ``order_us`` is its submission in µs since 1970, made unique and rising by the store.
    """
    if aging_seconds > 0:
        return order_us - EPOCH_US - round(priority * aging_seconds * 1_000_000)
    return (order_us - EPOCH_US) // 1000 - priority * STRICT_LEVEL


# How long the answer to an operation token is kept.
ANSWER_SECONDS = 120
FORGET_WORKER_SECONDS = 86_400


def old_places(
    tasks: Sequence[WorkerTask], *, now_us: int, policy: PoolPolicy
) -> list[tuple[int, WorkerTask]]:
    """Where tasks of the ledger stood, earliest first: their order in µs, unique among them.

    A time in the future (a clock that is ahead) counts as now, else such a task would wait for it.
    """
    placed: list[tuple[int, WorkerTask]] = []
    least = 0
    for task in sorted((t for t in tasks if not t.status.is_final), key=lambda t: t.queued_at):
        order_us = max(least, min(to_us(task.queued_at), now_us))
        placed.append((order_us, task))
        least = order_us + policy.order_step_us
    return placed


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``retry_in_seconds`` asks for another attempt after that time; it is
    granted while attempts are left and no cancel was asked, and the task is QUEUED again.

    ``is_interruption``: the attempt was ended on purpose, by a worker's shutdown. The task is
    QUEUED again at its old place, whatever attempts are left, and ``max_attempts`` rises by one.

    After a cancel request everything but COMPLETED counts as CANCELLED; after an interruption, and
    without an ``error_message`` of its own, the task then keeps the reason of the request.
    Raises ValueError for a status that ends nothing and for another try of anything but FAILED.
    """

    status: TaskStatus
    error_message: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    retry_in_seconds: float | None = None
    is_interruption: bool = False

    def __post_init__(self) -> None:
        if not self.status.is_final:
            raise ValueError(f"an outcome is completed, failed or cancelled, not {self.status}")
        is_again = self.is_interruption or self.retry_in_seconds is not None
        if is_again and self.status != TaskStatus.FAILED:
            raise ValueError(f"only a failed attempt is tried again, not a {self.status} one")


@dataclass(frozen=True)
class Finished:
    """``task`` as it stands after its finish, and what was ``started`` in the freed slot."""

    task: WorkerTask
    started: tuple[WorkerTask, ...]


@dataclass(frozen=True)
class Reaped:
    """What a round of repairs did. ``lost`` no renewal of the lease; ``stale`` no progress;
    both hold the tasks as they stand now: FAILED, CANCELLED, or QUEUED again.
    ``unconfirmed`` must be sent again: no worker has confirmed them in time."""

    lost: tuple[WorkerTask, ...] = ()
    stale: tuple[WorkerTask, ...] = ()
    unconfirmed: tuple[WorkerTask, ...] = ()

    @property
    def ended(self) -> tuple[WorkerTask, ...]:
        return self.lost + self.stale


class PoolStore(Protocol):
    """Every verb raises PoolUnavailable when the state cannot be reached."""

    @property
    def epoch(self) -> int | None:
        """Which build of the state answered this thread's last verb; the ledger writes down only
        what the build in force has said. None where the ledger need not ask."""

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        """Store a task as QUEUED and give it its place: ``queued_at`` becomes the store's own time,
        unique and rising. The id is the token: the same id again changes nothing and returns the
        task as it stands.

        COALESCE: a QUEUED task of the same CRM, with the same type or ``all``, and with equal
        parameters is returned instead, with the higher priority and the earlier not-before time of
        the two; nothing is stored. REJECT raises Overlaps where any such task waits or runs,
        whatever its parameters."""

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        """Move the best allowed tasks from the queue to RUNNING, as many as slots are free.
        Raises the attempt, sets ``celery_task_id`` to ``<id>.<attempt>``. Nothing is claimed
        while every known Celery worker is offline, or while the pool is paused; nothing of a CRM
        that is paused or at its limit, which delays no other CRM."""

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        """A worker takes the task: once per attempt. Errors: TaskNotFound, LeaseLost (an older
        attempt, or ended), AlreadyConfirmed (another token holds it)."""

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        """Renew the lease (alive clock). Errors: TaskNotFound, LeaseLost."""

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        """Renew the lease, advance ``last_heartbeat`` (moving clock), keep ``progress``.
        Errors: TaskNotFound, LeaseLost."""

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        """End the attempt, free its slot and claim the next tasks, all at once.
        Errors: TaskNotFound, LeaseLost, AlreadyFinished (ended by somebody else's token)."""

    def release(self, task_id: str, *, attempt: int) -> WorkerTask:
        """Put a task that surely was not sent back to its old place. An attempt number is a
        fencing token and never used twice: it stays, and ``max_attempts`` rises by one instead.
        Errors: TaskNotFound, LeaseLost, AlreadyConfirmed, AlreadyFinished."""

    def cancel(
        self, task_id: str, *, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        """QUEUED becomes CANCELLED; RUNNING but unconfirmed too, and its slot is free; RUNNING and
        confirmed is asked to stop (``cancel_requested_at``). Asking twice is fine.
        Errors: TaskNotFound, Conflict, AlreadyFinished."""

    # What operators change of a QUEUED task. With ``expected_revision``, the one that they saw,
    # each raises Conflict when the task has changed since. Errors: TaskNotFound, Conflict,
    # NotQueued. What changes nothing leaves the revision as it is.

    def hold(
        self, task_id: str, *, by: str, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        """Take it out of the queue until it is let go; it keeps its order. One that is held already
        stays as it is."""

    def unhold(self, task_id: str, *, by: str, expected_revision: int | None = None) -> WorkerTask:
        """Let a held task go back to its old place."""

    def reprioritise(
        self, task_id: str, *, priority: int, expected_revision: int | None = None
    ) -> WorkerTask:
        """It stands where its submission and the new priority put it."""

    def move_to_front(self, task_id: str, *, expected_revision: int | None = None) -> WorkerTask:
        """It stands before every task that waits now, whatever its priority, until its priority is
        changed."""

    def reap(self) -> Reaped:
        """End tasks whose lease has run out or that have not moved; list unconfirmed ones (each
        is listed once per dispatch time); promote delayed ones; drop finished ones over their
        retention. Does not claim."""

    def get(self, task_id: str) -> WorkerTask | None:
        """The task as it stands, finished ones too while retained."""

    def active(self) -> tuple[WorkerTask, ...]:
        """The RUNNING tasks, longest running first."""

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        """QUEUED tasks in their true order; then the delayed ones by their not-before time, and
        last the held ones by when they were held."""

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Everything at one moment; the queue cut to ``queue_limit``, the counts whole."""

    def limit(self) -> LimitInfo:
        """The limit in force for every process."""

    def controls(self) -> PoolControls:
        """The limits and pauses in force. One that is over counts as absent for everybody."""

    def set_limit(
        self,
        max_workers: int | None,
        *,
        by: str,
        reason: str = "",
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """Change the limit of the pool, or of one CRM, for every process at once. With
        ``expires_at`` it falls back then to the lasting one; None takes a CRM's limit away.
        Raises InvalidLimit, InvalidControl."""

    def pause(
        self,
        crm_source: str | None,
        *,
        by: str,
        reason: str,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """Nothing of this CRM, or nothing at all (None), starts until it is resumed, or until
        ``expires_at``. What runs goes on. Raises InvalidControl."""

    def resume(self, crm_source: str | None, *, by: str, reason: str = "") -> PoolControls:
        """End the pause of a CRM, or that of the pool (None), not both."""

    def restore_controls(self, named: Named) -> PoolControls:
        """Put back what was kept elsewhere, where nothing was ever set in this store."""

    def clear_queue(self, *, reason: str, limit: int = 1000) -> tuple[WorkerTask, ...]:
        """Cancel up to ``limit`` queued tasks (first in order first, the held ones last) and return
        them."""

    def forget_finished(self, *, max_age_seconds: float) -> int:
        """Drop finished tasks that ended longer ago; how many."""

    def reset(self) -> int:
        """Delete the pool's own keys, nothing else; how many. For operators only."""

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        """Put tasks of the ledger back that the store does not know, QUEUED at their old place
        (``queued_at``), with their attempt kept; how many were missing. Final ones are left."""

    def put_right(self, task_id: str) -> WorkerTask:
        """Let a task stand where its own status says and nowhere else, after damage. One that runs
        holds its slot, with clocks that begin now. Errors: TaskNotFound, UnreadableTask."""

    def drop_aside(self, task_id: str) -> bool:
        """Forget what was set aside under an id; whether there was such a thing."""

    def worker_seen(self, name: str, *, capacity: int) -> None:
        """A Celery worker is alive and has ``capacity`` processes."""

    def worker_gone(self, name: str) -> None:
        """A Celery worker has said goodbye."""

    def note_monitor_round(self) -> datetime:
        """Remember that the monitor has just run; when."""

    def last_monitor_round(self) -> datetime | None:
        """When the monitor last ran."""

    def ping(self) -> None:
        """Raise PoolUnavailable unless the store answers."""
