"""The contract of a store: the verbs of the pool. Each is atomic, and each may refuse.

One suite in ``tests/contract`` runs on the stores in memory, in Redis and over the ledger. The
failover keeps the same contract and asks the active one. A verb that could do harm when a client
repeats it after a lost reply takes an operation ``token``: the second call with the same token
changes nothing and gives the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.clock import to_us
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.errors import Overlaps
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import TaskStatus, WorkerTask

if TYPE_CHECKING:
    from ingestion.pool.queue_place import QueuePage, QueuePlace
    from ingestion.pool.snapshot import LimitInfo, PoolSnapshot, TaskNames


@dataclass(frozen=True)
class PoolPolicy:
    """The clocks and sizes of a pool, given to a store once.

    A lost worker's task with attempts left waits ``retry_backoff_seconds``, doubled with every
    attempt up to ``retry_backoff_max_seconds``.

    A task that was sent again ``most_resends`` times, and that no worker has taken, gives its slot
    back and waits as long, but not longer than ``longest_untaken_seconds``.

    ``priority_aging_seconds`` is the aging of a pool in which none was ever agreed, see
    ``PriorityAging``.
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
    most_resends: int = 3

    @property
    def lost_message(self) -> str:
        """Why a task without a lease ended; ``{worker}`` stands for its holder."""
        lease = f"{self.lease_seconds:g} s"
        return f"Worker {{worker}} stopped renewing its lease of {lease}; it was lost."

    @property
    def stale_message(self) -> str:
        """Why a task without progress ended."""
        if self.stale_seconds < 60:
            return f"No progress for {self.stale_seconds:g} seconds."
        return f"No progress for {self.stale_seconds / 60:g} minutes."

    @property
    def not_taken_message(self) -> str:
        """Why a task was given back that no worker took; ``{task}`` stands for its Celery name."""
        return (
            f"{NOT_TAKEN}, none is free for it, or the broker does not deliver: {{task}} was sent "
            f"{1 + self.most_resends} times. Restart Celery workers that are older than this task."
        )

    @property
    def longest_untaken_seconds(self) -> float:
        return 5 * self.dispatch_seconds

    @property
    def default_aging(self) -> PriorityAging:
        return PriorityAging(self.priority_aging_seconds)

    def untaken_seconds(self, attempt: int) -> float:
        """The wait of a task that no worker took."""
        doubled = self.retry_backoff_seconds * 2.0 ** min(attempt - 1, 100)
        return min(doubled, self.longest_untaken_seconds)

    def backoff_seconds(self, attempt: int) -> float:
        """The wait after a lost attempt: doubled with each, up to ``retry_backoff_max_seconds``."""
        doubled = self.retry_backoff_seconds * 2.0 ** min(attempt - 1, 100)
        return min(doubled, self.retry_backoff_max_seconds)


NOT_TAKEN = "No worker knows this task"
# So many tasks a verb takes or gives at once.
PAGE = 500
# So many tasks are read by one script, so that nobody waits for longer than some milliseconds.
READ_PAGE = 100
# How long the answer to an operation token is kept.
ANSWER_SECONDS = 120
FORGET_WORKER_SECONDS = 86_400
# A place by another clock is taken if that is right by the store's own, to so much; as in
# ``submitting.lua``.
CLOCKS_DIFFER_US = 60 * 1_000_000


def old_places(tasks: Sequence[WorkerTask], *, now_us: int) -> list[tuple[int, WorkerTask]]:
    """Where tasks of the ledger stood, earliest first: their order in µs, unique among them.

    A time in the future (a clock that is ahead) counts as now, else such a task would wait for it.
    """
    placed: list[tuple[int, WorkerTask]] = []
    least = 0
    for task in sorted((t for t in tasks if not t.status.is_final), key=lambda t: t.queued_at):
        order_us = max(least, min(to_us(task.queued_at), now_us))
        placed.append((order_us, task))
        least = order_us + 1
    return placed


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``retry_in_seconds`` asks for another attempt after that time; it is
    granted while attempts are left and no cancel was asked, and the task is QUEUED again.

    ``is_interruption``: the attempt was ended on purpose, by a worker's shutdown. The task is
    QUEUED again at its old place, whatever attempts are left, and ``max_attempts`` rises by one.

    ``is_earned``: the attempt has loaded something before it failed, so the next one is granted
    whatever attempts are left, and ``max_attempts`` rises by one.

    After a cancel request everything but COMPLETED counts as CANCELLED; after an interruption, and
    without an ``error_message`` of its own, the task then keeps the reason of the request.
    Raises ValueError for a status that ends nothing and for another try of anything but FAILED.
    """

    status: TaskStatus
    error_message: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    retry_in_seconds: float | None = None
    is_interruption: bool = False
    is_earned: bool = False

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
class Admitted:
    """A new ``task`` as it was stored, and what was ``started`` with it: the task itself, others."""

    task: WorkerTask
    started: tuple[WorkerTask, ...]


@dataclass(frozen=True)
class Reaped:
    """What a round of repairs did. ``lost`` no renewal of the lease; ``stale`` no progress;
    both hold the tasks as they stand now: FAILED, CANCELLED, or QUEUED again.
    ``unconfirmed`` must be sent again: no worker has confirmed them in time. ``untaken`` were sent
    often enough, and are QUEUED again without a slot. ``blocked`` wait for what will not complete."""

    lost: tuple[WorkerTask, ...] = ()
    stale: tuple[WorkerTask, ...] = ()
    unconfirmed: tuple[WorkerTask, ...] = ()
    untaken: tuple[WorkerTask, ...] = ()
    blocked: tuple[WorkerTask, ...] = ()

    @property
    def ended(self) -> tuple[WorkerTask, ...]:
        return self.lost + self.stale


class PoolStore(Protocol):
    """Every verb raises PoolUnavailable when the state cannot be reached."""

    @property
    def epoch(self) -> int | None:
        """The epoch of the state that answered this thread's last verb. The ledger takes over only
        what was said in the epoch in force. None where the ledger itself is the store."""

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        """Store a task as QUEUED and give it its place: ``queued_at`` becomes the store's own time,
        unique and rising. The id is the token: the same id again changes nothing and returns the
        task as it stands.

        COALESCE: a QUEUED task of the same CRM, with the same type or ``all``, and with equal
        parameters is returned instead, with the higher priority and the earlier not-before time of
        the two; nothing is stored. REJECT raises Overlaps where any such task waits or runs,
        whatever its parameters."""

    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        """``submit`` each in turn, all at once: what it would return, or the Overlaps that it would
        raise. At most PAGE tasks, so that nobody else waits for long. ``are_placed``: their
        ``queued_at`` counts as for ``admit``."""

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        """``submit``, with whatever overlap, and then ``claim``, all at once.

        ``queued_at``, the ledger's time, stays its place if it is later than all places before and
        right by the store's own clock. The answer is kept under the token only if something was
        started: nothing else can be done twice."""

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        """Move the best allowed tasks from the queue to RUNNING, as many as slots are free.
        Raises the attempt, sets ``celery_task_id`` to ``<id>.<attempt>``. Nothing is claimed
        while every known Celery worker is offline, or while the pool is paused; nothing of a CRM
        that is paused or at its limit, which delays no other CRM. What no worker online knows is
        looked at again after the dispatch time, and delays nothing."""

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
        """End the attempt, free its slot and claim the next tasks, all at once; where it has
        completed, those among them that waited for it alone.
        Errors: TaskNotFound, LeaseLost, AlreadyFinished (ended by somebody else's token)."""

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        """Return a task to its old place in the queue; only for one that surely was not sent. An
        attempt number is a fencing token and never used twice: it stays, and ``max_attempts`` rises
        by one instead. Errors: TaskNotFound, LeaseLost, AlreadyConfirmed, AlreadyFinished."""

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """QUEUED becomes CANCELLED; RUNNING but unconfirmed too, and its slot is free; RUNNING and
        confirmed is asked to stop (``cancel_requested_at``). Asking twice is fine. The reason becomes
        the task's ``error_message``.
        Errors: TaskNotFound, Conflict, AlreadyFinished."""

    # What operators change of a QUEUED task. With an ``expected_revision``, the one that they saw,
    # each raises Conflict when the task has changed since. Errors: TaskNotFound, Conflict,
    # NotQueued. What changes nothing leaves the revision as it is.

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """Keep it from starting until it is released; it keeps its order. One that is held already
        stays as it is."""

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """End a hold: the task stands at its old place again."""

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        """Its place follows from its submission and the new priority."""

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        """It stands before every task that waits, whatever its priority and the order rule, until
        its priority is changed; behind those that are moved to the front later."""

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        """These have completed, which the store itself does not know: the task waits for them no
        more. Errors: TaskNotFound, NotQueued."""

    def reap(self) -> Reaped:
        """End tasks whose lease has run out or that have not moved; list unconfirmed ones (each
        is listed once per dispatch time, ``most_resends`` times); promote delayed ones; let those go on
        whose predecessors have completed, and list those whose predecessors will not; drop finished
        ones over their retention. Does not claim."""

    def get(self, task_id: str) -> WorkerTask | None:
        """The task as it stands, finished ones too while retained."""

    def active(self) -> tuple[WorkerTask, ...]:
        """The RUNNING tasks, longest running first."""

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        """QUEUED tasks in their true order; then the delayed ones by their not-before time, and
        last the held ones by when they were held."""

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        """The next QUEUED tasks in the order of ``queued``, READ_PAGE of them unless fewer are
        wanted: the last page costs what the first does. One that moves while the pages are read may be in none or in two."""

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        """How many tasks of each CRM stand in its queue before the place of ``task``, which need
        not be stored: by its ``queued_at``, ``priority`` and ``front_score``."""

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """The pool at one moment. At most ``queue_limit`` tasks of each list; the counts are of
        all."""

    def limit(self) -> LimitInfo:
        """The limit in force for every process."""

    def controls(self) -> PoolControls:
        """The limits and pauses in force, without those that have ended."""

    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
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
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        """Nothing of this CRM, or nothing at all (None), starts until it is resumed, or until
        ``expires_at``. What runs goes on. Raises InvalidControl."""

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        """End the pause of a CRM, or that of the pool (None), not both."""

    def restore_controls(self, named: Named) -> PoolControls:
        """Set these, from the database, but only where nothing was ever set in this store."""

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        """From here on places follow this order rule, for every process: those of new tasks at
        once, those of what waits by ``rescore``. Only a later revision than the one in force
        changes anything, so that the call can be repeated."""

    def rescore(self, *, at_most: int = 500) -> bool:
        """Give some waiting tasks their place by the order rule in force, at most so many; whether
        more are left. While any are, nothing starts; whoever comes along may go on with it."""

    def clear_queue(
        self, *, change: ChangeRequest = UNSIGNED, limit: int = 1000
    ) -> tuple[WorkerTask, ...]:
        """Cancel up to ``limit`` queued tasks (first in order first, the held ones last) and return
        them; the reason becomes their ``error_message``."""

    def forget_finished(self, *, max_age_seconds: float) -> int:
        """Drop finished tasks that ended longer ago; how many."""

    def reset(self) -> int:
        """Delete the pool's own keys, nothing else; how many. For operators only."""

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        """Put tasks of the ledger back that the store does not know, QUEUED at their old place
        (``queued_at``), with their attempt kept; how many were missing. Final ones are left."""

    def repair(self, task_id: str) -> WorkerTask:
        """After damage: put a task where its own status says, and take it from everywhere else. A
        running one has a slot, with lease and progress from now. Errors: TaskNotFound,
        UnreadableTask."""

    def drop_dead_letter(self, task_id: str) -> bool:
        """Delete the dead letter with this id; whether there was one."""

    def worker_seen(
        self, name: str, *, capacity: int, task_names: TaskNames = None, release: str = ""
    ) -> None:
        """A Celery worker is alive, has ``capacity`` processes, and knows these syncs by their
        Celery names; None: it does not say. ``release``: the version that it runs."""

    def worker_gone(self, name: str) -> None:
        """A Celery worker has said goodbye."""

    def note_monitor_round(self) -> datetime:
        """Remember that the monitor has just run; when."""

    def last_monitor_round(self) -> datetime | None:
        """When the monitor last ran."""

    def ping(self) -> None:
        """Raise PoolUnavailable unless the store answers."""


def all_waiting(store: PoolStore) -> Iterator[WorkerTask]:
    """Every QUEUED task, read page by page: one that moves meanwhile may come twice or not at all."""
    after = None
    while True:
        page = store.queue_page(after=after)
        yield from page.tasks
        if page.last is None:
            return
        after = page.last
