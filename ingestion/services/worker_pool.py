"""The worker pool as the rest of the project sees it: every entry point calls one verb here.

The store decides, atomically, who may run; the ledger follows it; Celery carries it out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from django.utils import timezone

from ingestion import __version__
from ingestion.conf import pool_conf
from ingestion.deprecated_names import with_old_keys
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import AlreadyFinished, PoolUnavailable, TaskNotFound
from ingestion.pool.keys import ACTIVE_WORKERS_KEY, TASK_QUEUE_KEY, WORKER_STATS_KEY
from ingestion.pool.queue_place import QueuePage, QueuePlace
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import READ_PAGE, Outcome, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.beat import entries as schedule_beat
from ingestion.services.doctor import (
    diagnosis as doctor,
)
from ingestion.services.doctor import (
    facts as doctor_facts,
)
from ingestion.services.doctor import (
    repairs as doctor_repairs,
)
from ingestion.services.doctor.diagnosis import Diagnosis, Finding
from ingestion.services.doctor.repairs import Tools
from ingestion.services.failover.connections import pool_store
from ingestion.services.failover.stores import HoldsLegacy, pickled_state
from ingestion.services.infra.database import DATABASE_ERRORS, as_unavailable, times_lost
from ingestion.services.infra.sandboxed import sandboxed_crms
from ingestion.services.infra.throttle import Overdue
from ingestion.services.infra.verbs import bounded_verbs
from ingestion.services.ledger import entries as ledger
from ingestion.services.requests.routing import routes, task_name
from ingestion.services.runs import celery_view, direct
from ingestion.services.security import audit
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks import aging, limits, repairs
from ingestion.services.tasks.bulk import Selecting
from ingestion.services.tasks.controls import Controlling
from ingestion.services.tasks.outcomes import cancellation
from ingestion.services.tasks.repairs import RepairReport
from ingestion.services.waiting.verbs import Explaining
from ingestion.services.waiting.wait_reasons import unknown_to_workers

__all__ = [
    "ACTIVE_WORKERS_KEY",
    "TASK_QUEUE_KEY",
    "WORKER_STATS_KEY",
    "TaskStatus",
    "WorkerPoolService",
    "WorkerTask",
    "get_worker_pool",
    "use_worker_pool",
]

logger = logging.getLogger(__name__)

CLEAR_BATCH = 1000
# So many tasks of each list a snapshot holds at most; what stands behind them is read in pages.
MOST_SHOWN = 200
# How often a process looks for what an older version may have written meanwhile.
LEGACY_SECONDS = 60.0


# They go through all that waits or is kept, page by page.
LONG_VERBS = frozenset(
    {
        "bulk",
        "cancel_all",
        "cleanup_completed_tasks",
        "cleanup_stale_active_tasks",
        "clear_queue",
        "examine",
        "explain",
        "fix_stuck",
        "forecast",
        "import_old_state",
        "repair",
        "reset_state",
        "run_monitor_round",
        "select",
        "set_priority_aging",
        "submit_many",
        "take_over",
        "worker_tick",
    }
)


@bounded_verbs(long=LONG_VERBS)
class WorkerPoolService(Controlling, Selecting, Explaining):
    """The pool of one process. Every verb raises PoolUnavailable when the store cannot be reached."""

    def __init__(self, store: PoolStore, **given: Any) -> None:
        super().__init__(store, **given)
        self._legacy_overdue = Overdue(LEGACY_SECONDS)
        self._pickled: tuple[str, ...] = ()

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
            return list(islice(self._waiting_tasks(), max(0, offset), None))
        return list(self._store.queued(offset=offset, limit=limit))

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        """The next QUEUED tasks behind a place, in the same order; at most 100. The last page costs
        what the first does."""
        return self._store.queue_page(after=after, limit=min(limit, READ_PAGE))

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Everything at one moment, after overdue repairs; the queue cut to ``queue_limit``, at most
        200, and each task of it explained."""
        losses = times_lost()
        self._tend()
        snapshot = self._store.snapshot(queue_limit=min(queue_limit, MOST_SHOWN))
        if times_lost() == losses:
            snapshot = _with_ledger(snapshot)
        snapshot = self._with_warnings(self._explainer.explained(snapshot))
        if not snapshot.dead_letters:
            return snapshot
        # What an older version stored may hold what is refused today.
        return replace(snapshot, dead_letters=mask_json(snapshot.dead_letters))

    def _with_warnings(self, snapshot: PoolSnapshot) -> PoolSnapshot:
        in_force = snapshot.controls.priority_aging
        differs = aging.difference(in_force, self._conf.priority_aging_seconds)
        unknown = unknown_to_workers(snapshot, self.task_mappings.values())
        warnings = tuple(filter(None, (differs, unknown, self._pickled_state())))
        return replace(snapshot, warnings=warnings, sandboxed_crms=sandboxed_crms())

    def _pickled_state(self) -> str:
        """A sentence where an older version left what is not read by itself."""
        if isinstance(self._store, HoldsLegacy) and self._legacy_overdue.take():
            try:
                self._pickled = self._store.pickled_legacy()
            except PoolUnavailable:
                return ""
        return pickled_state(self._pickled)

    def import_old_state(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """Take over what an older version pickled in Redis: ``restored`` tasks, ``dead_letters``
        that cannot be read. Nothing that it names is run."""
        if not isinstance(self._store, HoldsLegacy):
            return {"restored": 0, "dead_letters": 0}
        restored, unreadable = self._store.import_pickled()
        done = {"restored": restored, "dead_letters": unreadable}
        audit.record("import_old_state", change=change, after=done)
        self._pickled = ()
        self._advance()
        return done

    def peek(self) -> PoolSnapshot:
        """The snapshot without the queue's tasks and without repairs: asks the store alone."""
        return self._store.snapshot(queue_limit=0)

    def get_stats(self) -> dict[str, Any]:
        """max_workers, active_count, queued_count, available_workers, utilization (percent) and
        the other numbers of the snapshot, without its lists of tasks."""
        stats = self.snapshot(queue_limit=0).to_dict()
        for name in ("active", "direct", "queued", "delayed", "held"):
            del stats[name]
        return stats

    @property
    def task_mappings(self) -> Mapping[tuple[str, str], str]:
        """(crm_source, sync_type) -> Celery task name, for every route."""
        return {route: task_name(*route) for route in routes()}

    def cancel_all(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """Cancel everything that waits, ask everything that runs to stop: ``queued_cancelled``,
        ``running_cancelled`` (no worker had them yet), ``running_asked``."""
        cleared = self.clear_queue(change=change)
        counts = {"queued_cancelled": cleared, "running_cancelled": 0, "running_asked": 0}
        for active in self._store.active():
            try:
                task = self._cancel(active.id, change)
            except (TaskNotFound, AlreadyFinished):
                continue
            counts["running_cancelled" if task.status.is_final else "running_asked"] += 1
        return counts

    def clear_queue(self, *, change: ChangeRequest = UNSIGNED) -> int:
        """Cancel every task that waits; how many."""
        cancelled = cancellation(change)
        before, cleared = _waiting(self._store.snapshot(queue_limit=0)), 0
        while tasks := self._store.clear_queue(change=cancelled, limit=CLEAR_BATCH):
            ledger.cancel_rows(tasks, change=cancelled)
            cleared += len(tasks)
        after = {"cancelled": cleared}
        audit.record("clear", change=change, before=before, after=after)
        return cleared

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
        aging.restore(self._store, default=self._conf.priority_aging_seconds)
        return {"done": True, **counts, **done}

    def fix_stuck(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """A round of repairs now, and the safe repairs of ``examine``: lost, stale, resent,
        ledger_closed, restored, started, repaired."""
        before = _numbers(self._store.snapshot(queue_limit=0))
        report = self._repair()
        safe = [found for found in self._disagreements(None).findings if found.is_safe]
        count = len(self.repair(safe, change=change))
        done = with_old_keys({**report.to_dict(), "repaired": count})
        after = {**_numbers(self._store.snapshot(queue_limit=0)), "done": done}
        audit.record("repair", change=change, before=before, after=after)
        return done

    def examine(self) -> Diagnosis:
        """What disagrees between slots, queue, ledger, Celery's workers and the clocks. Asks the
        workers, which takes two seconds; changes nothing."""
        return self._disagreements(celery_view.in_hand())

    def repair(
        self, findings: Iterable[Finding], *, change: ChangeRequest = UNSIGNED
    ) -> tuple[Finding, ...]:
        """Carry out the repairs of what ``examine`` found; those that did not come too late."""
        tools = Tools(self._store, self._send, self._end, self.process_queue)
        return doctor_repairs.repair(findings, tools, change=change)

    def run_monitor_round(self) -> RepairReport:
        """What beat starts: all repairs, and a note of when."""
        report = self._repair()
        if report.did_anything:
            logger.info("monitor round: %s", report.to_dict())
        self._store.note_monitor_round()
        return report

    def cleanup_completed_tasks(self, max_age_minutes: float = 60) -> int:
        """Forget tasks that ended longer ago, once the ledger has them; how many."""
        repairs.reconcile(self._store)
        return self._store.forget_finished(max_age_seconds=max_age_minutes * 60)

    def cleanup_stale_active_tasks(self, max_stale_minutes: float | None = None) -> int:
        """End RUNNING tasks that have not moved for so long (WORKER_POOL_STALE_MINUTES) or whose
        worker was lost; how many."""
        report = repairs.reap(self._store, send=self._send)
        ended = report.lost + report.stale
        if max_stale_minutes is not None:
            ended += self._end_stale(max_stale_minutes)
        self._advance()
        return ended

    def check_celery_task_statuses(self) -> dict[str, Any]:
        """Compare the tasks that workers hold with what the workers say.

        ``answered`` False: no worker answered within a second, so nothing is known. ``running``
        and ``missing`` are ids of confirmed tasks; a missing one may just have ended.
        """
        held = [task for task in self._store.active() if task.confirmed_at]
        seen = celery_view.running_ids() if held else frozenset()
        known = seen or frozenset()
        running = [task.id for task in held if task.celery_task_id in known]
        missing = [task.id for task in held if seen is not None and task.id not in running]
        return {
            "answered": seen is not None,
            "checked": len(held),
            "running": running,
            "missing": missing,
        }

    def worker_tick(
        self, name: str, *, capacity: int, task_names: Collection[str] | None = None
    ) -> None:
        """A worker is alive and knows these syncs: note it, repair what is overdue, start what may
        start."""
        self._store.worker_seen(name, capacity=capacity, task_names=task_names, release=__version__)
        self._repair_if_overdue()
        self.process_queue()

    def worker_gone(self, name: str) -> None:
        """A worker has said goodbye."""
        self._store.worker_gone(name)

    def _at_stake(self) -> dict[str, int]:
        """By the ledger where the state cannot be read: that may be why it is to be reset."""
        try:
            snapshot = self._store.snapshot(queue_limit=0)
        except PoolUnavailable:
            return ledger.open_counts()
        return with_old_keys({**_numbers(snapshot), "dead_letters": len(snapshot.dead_letters)})

    def _disagreements(self, celery: celery_view.InHand | None) -> Diagnosis:
        with as_unavailable():
            first, second = (
                doctor_facts.collect(self._store, self._conf, celery=celery) for _ in range(2)
            )
        findings = doctor.in_both(doctor.compare(first), doctor.compare(second))
        unknown = unknown_to_workers(second.snapshot, self.task_mappings.values())
        notes = (*doctor.notes_on(second), unknown, self._pickled_state())
        return Diagnosis(findings, tuple(filter(None, notes)))

    def _repair(self) -> RepairReport:
        limits.restore(self._store)
        aging.follow(self._store, default=self._conf.priority_aging_seconds)
        report = repairs.reap(self._store, send=self._send) + repairs.reconcile(self._store)
        return report + RepairReport(started=self.process_queue())

    def _end_stale(self, minutes: float) -> int:
        oldest = utc_now() - timedelta(minutes=minutes)
        stale = [
            t for t in self._store.active() if (t.last_heartbeat or t.started_at or oldest) < oldest
        ]
        outcome = Outcome(
            TaskStatus.FAILED, f"No progress for more than {minutes:g} minutes; ended as stale."
        )
        return sum(self._end(task, outcome) for task in stale)


def _with_ledger(snapshot: PoolSnapshot) -> PoolSnapshot:
    """With what only the ledger knows; without it while its database is away."""
    try:
        with as_unavailable():
            outside, last_beat_at = direct.running(), schedule_beat.last_tick_at()
    except (PoolUnavailable, *DATABASE_ERRORS):
        logger.warning("the ledger could not tell of direct runs and beat", exc_info=True)
        return snapshot
    return replace(snapshot, direct=outside, last_beat_at=last_beat_at)


def _waiting(snapshot: PoolSnapshot) -> dict[str, int]:
    return {
        "queued": snapshot.queued_count,
        "delayed": snapshot.delayed_count,
        "held": snapshot.held_count,
    }


def _numbers(snapshot: PoolSnapshot) -> dict[str, int]:
    return {"active": snapshot.active_count, **_waiting(snapshot)}


# By process id: a forked child builds its own.
_services: dict[int, WorkerPoolService] = {}


def get_worker_pool() -> WorkerPoolService:
    """The service of this process."""
    pid = os.getpid()
    if pid not in _services:
        _services.clear()
        _services[pid] = WorkerPoolService(pool_store(pool_conf()))
    return _services[pid]


@contextmanager
def use_worker_pool(service: WorkerPoolService) -> Iterator[WorkerPoolService]:
    """Put another service in its place for a while; for tests."""
    before = dict(_services)
    _services.clear()
    _services[os.getpid()] = service
    try:
        yield service
    finally:
        _services.clear()
        _services.update(before)
