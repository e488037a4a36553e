"""What a Celery worker's main process does for the pool: signs of life, news of lost children, and
an end to syncs that must stop."""

from __future__ import annotations

import logging
import re
import signal
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from billiard.common import REMAP_SIGTERM
from celery import Celery, bootsteps, signals
from celery.exceptions import WorkerLostError
from django.core.checks import run_checks

from ingestion.conf import pool_conf
from ingestion.pool.errors import AlreadyFinished, LeaseLost, PoolError, TaskNotFound
from ingestion.pool.store import Outcome
from ingestion.services.failover.connections import other_installation
from ingestion.services.infra import sole_user
from ingestion.services.infra.database import DATABASE_ERRORS, close_connections
from ingestion.services.infra.throttle import Overdue
from ingestion.services.security import audit
from ingestion.services.tasks import dispatch, outcomes
from ingestion.services.tasks.upkeep import REAPS_PER_LEASE
from ingestion.services.worker import children, sessions
from ingestion.services.worker.cancel import CancelLadder
from ingestion.services.worker.children import Held
from ingestion.services.worker.shutdown import Shutdown
from ingestion.services.worker.stop_signals import INTERRUPTED, ignore_late_signals
from ingestion.services.worker.taking import syncs_taken
from ingestion.services.worker_pool import get_worker_pool

if TYPE_CHECKING:
    from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)

LONGEST_TICK_SECONDS = 10.0
# By the modules of Celery that hold them.
SUITED_POOLS = frozenset({"prefork", "solo"})
LOOK_TASK = "ingestion.tasks.look_for_troubles"
LOOK_SECONDS = 60.0
HOW_IT_ENDED = re.compile(r"signal \d+|exitcode -?\d+")

_look = Overdue(LOOK_SECONDS)


def connect(app: Celery) -> None:
    """Hook the pool into the workers of ``app``."""
    app.steps["consumer"].add(PoolTick)
    signals.worker_init.connect(refuse_unsuited, dispatch_uid="ingestion.refuse_unsuited")
    signals.worker_init.connect(
        refuse_other_installation, dispatch_uid="ingestion.refuse_other_installation"
    )
    signals.worker_init.connect(introduce, dispatch_uid="ingestion.introduce")
    signals.worker_init.connect(report_problems, dispatch_uid="ingestion.report_problems")
    signals.task_failure.connect(on_task_failure, dispatch_uid="ingestion.worker_lost")
    signals.worker_shutting_down.connect(
        on_shutting_down, dispatch_uid="ingestion.on_shutting_down"
    )
    signals.worker_process_init.connect(
        ignore_late_signals, dispatch_uid="ingestion.ignore_late_signals"
    )
    sessions.connect(app)  # the last of all, as the others may ask the ledger


class PoolTick(bootsteps.StartStopStep):
    """Ticks from the worker's event loop while it is connected to the broker.

    Not a thread: a child forked while a thread holds a lock would wait for that lock for ever.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)
    # Those of this process, of which Celery's signals tell without saying whose they are.
    children: ClassVar[PoolChildren | None] = None

    def __init__(self, consumer: Consumer, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._timers: list[Any] = []

    def start(self, consumer: Consumer) -> None:
        """Called again after every reconnection."""
        _tick(consumer)
        self._repeat(consumer, tick_seconds(), partial(self._tick, consumer))
        if getattr(consumer.pool, "uses_semaphore", False):  # it has child processes
            found = PoolTick.children = PoolTick.children or PoolChildren(consumer)
            self._repeat(consumer, found.look_seconds, found.look)

    def stop(self, consumer: Consumer) -> None:
        while self._timers:
            self._timers.pop().cancel()

    def close(self, consumer: Consumer) -> None:
        """A shutdown goes on: from here on this worker takes no task. Not called while the worker
        has no connection to the broker."""
        self.stop(consumer)
        _in_main_process(lambda: get_worker_pool().worker_gone(consumer.hostname))
        if PoolTick.children is not None:
            PoolTick.children.stop_syncs()

    def _tick(self, consumer: Consumer) -> None:
        """Celery goes on firing timers during a shutdown that began in a signal handler."""
        if PoolTick.children is None or not PoolTick.children.are_stopping:
            _tick(consumer)

    def _repeat(self, consumer: Consumer, seconds: float, call: Callable[[], object]) -> None:
        self._timers.append(consumer.timer.call_repeatedly(seconds, call, ()))


class PoolChildren:
    """The syncs in the child processes of this worker, and how they are made to end."""

    def __init__(self, consumer: Consumer) -> None:
        conf, hostname = pool_conf(), consumer.hostname
        self._ladder = CancelLadder(
            hostname, conf, find=lambda task_id: get_worker_pool().get_task_status(task_id)
        )
        self._shutdown = Shutdown(
            seconds=conf.shutdown_seconds,
            say_goodbye=lambda: _in_main_process(lambda: get_worker_pool().worker_gone(hostname)),
            queue_again=lambda held: _end(held, lambda: outcomes.interrupted(INTERRUPTED)),
            begins_politely=consumer.app.conf.worker_soft_shutdown_timeout > 0,
        )
        self._shutdown.hear(signal.SIGQUIT)
        if REMAP_SIGTERM == "SIGQUIT":
            self._shutdown.hear(signal.SIGTERM)

    @property
    def look_seconds(self) -> float:
        return self._ladder.look_seconds

    @property
    def are_stopping(self) -> bool:
        return self._shutdown.has_begun

    def look(self) -> None:
        """Take the steps that are due against syncs that must end."""
        running = children.running_syncs()
        if running and not self.are_stopping:
            _in_main_process(lambda: self._ladder.look(running))

    def stop_syncs(self) -> None:
        """A warm shutdown; a further Ctrl-C makes it a cold one."""
        if not self._shutdown.has_begun:
            self._shutdown.begin()
            self._shutdown.hear(signal.SIGINT)


def on_shutting_down(**_: Any) -> None:
    """Celery has got a signal to end, and is still in its handler."""
    if PoolTick.children is not None:
        PoolTick.children.stop_syncs()


def tick_seconds() -> float:
    """Often enough that a lost worker is noticed soon after its lease has run out."""
    return min(LONGEST_TICK_SECONDS, pool_conf().lease_seconds / REAPS_PER_LEASE)


def refuse_unsuited(sender: Any = None, **_: Any) -> None:
    """Raises SystemExit in a worker that shares one process among several syncs: they would share
    its database connections and signals, and none could be made to end."""
    pool = str(getattr(sender, "pool_cls", None).__module__).rpartition(".")[2]
    if pool not in SUITED_POOLS:
        raise SystemExit(
            f"A worker with --pool={pool} cannot run syncs: take --pool=prefork, the default, or solo."
        )


def refuse_other_installation(**_: Any) -> None:
    """Raises SystemExit where the state in Redis is not this installation's, or this ledger another
    one's."""
    said = other_installation() or sole_user.claim()
    close_connections()
    if said:
        raise SystemExit(said)


def introduce(sender: Any = None, **_: Any) -> None:
    """What the main process does is recorded under the worker's name."""
    audit.introduce(str(getattr(sender, "hostname", sender)))


def report_problems(**_: Any) -> None:
    """Celery runs the system checks and drops what they say."""
    for problem in run_checks(tags=["worker_pool"], include_deployment_checks=True):
        logger.log(problem.level, "%s", problem)


def _tick(consumer: Consumer) -> None:
    """One that takes no syncs from their queues, or was told to take no more, has no slot for one."""
    syncs = syncs_taken(consumer)
    if not syncs:
        _in_main_process(lambda: get_worker_pool().worker_gone(consumer.hostname))
        return
    tick(consumer.hostname, consumer.pool.num_processes, syncs)


def tick(hostname: str, capacity: int, task_names: Collection[str] | None = None) -> None:
    """A sign of life, overdue repairs, a look at the queue."""
    _in_main_process(
        lambda: get_worker_pool().worker_tick(hostname, capacity=capacity, task_names=task_names)
    )
    if _look.take():
        _ask_to_look()


def _ask_to_look() -> None:
    """The monitor's round looks for troubles too; this look tells when beat, which starts it, has
    died. A child does it: nothing may be sent from here while others wait."""
    try:
        dispatch.post(LOOK_TASK, expires=round(LOOK_SECONDS))
    except Exception:  # kombu raises its own faults too, and an error here would end the worker
        logger.warning("nobody could be asked to look for troubles", exc_info=True)


def on_task_failure(
    task_id: str | None = None,
    exception: BaseException | None = None,
    kwargs: Mapping[str, Any] | None = None,
    **_: Any,
) -> None:
    """A child was killed: end its attempt now instead of when its lease runs out."""
    held = children.held_by(kwargs, pid=0)
    if held is None or not isinstance(exception, WorkerLostError):
        return
    logger.warning("task %s attempt %s: %s", held.task_id, held.attempt, exception)
    _end(held, partial(_outcome_of_killed, held, _how_it_ended(exception)))


def _outcome_of_killed(held: Held, how: str) -> Outcome:
    task = get_worker_pool().get_task_status(held.task_id)
    if task is not None and task.cancel_requested_at is not None:
        reason = task.error_message or "Cancelled."
        return outcomes.cancelled(f"{reason.rstrip('.')}. {how}")
    if _is_shutting_down():
        return outcomes.interrupted(INTERRUPTED)
    return outcomes.lost(how, attempt=held.attempt)


def _is_shutting_down() -> bool:
    """Celery knows at the signal, we know where no signal was needed."""
    found = PoolTick.children
    return children.are_shut_down() or (found is not None and found.are_stopping)


def _end(held: Held, outcome_of: Callable[[], Outcome]) -> bool:
    """False when the pool could not be told. That it knew is fine."""

    def finish() -> None:
        with suppress(AlreadyFinished, LeaseLost, TaskNotFound):
            get_worker_pool().finish_task(held.task_id, attempt=held.attempt, outcome=outcome_of())

    return _in_main_process(finish)


def _how_it_ended(error: WorkerLostError) -> str:
    found = HOW_IT_ENDED.search(str(error))
    return f"The worker process was killed ({found.group() if found else error})."


def _in_main_process(verb: Callable[[], object]) -> bool:
    """Whether it worked: an error must not end the worker, and no connection may be open when it
    forks."""
    try:
        verb()
    except (PoolError, *DATABASE_ERRORS) as problem:
        logger.warning("the pool could not be told: %r", problem)
        return False
    finally:
        close_connections()
    return True
