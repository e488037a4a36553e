"""The worker pool as the rest of the project sees it: every door calls one verb here.

The store decides, atomically, who may run; the ledger follows it; Celery carries it out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from ingestion.pool.errors import AlreadyFinished, PoolUnavailable, TaskNotFound
from ingestion.pool.keys import ACTIVE_WORKERS_KEY, TASK_QUEUE_KEY, WORKER_STATS_KEY
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services import (
    audit,
    celery_view,
    doctor,
    doctor_cures,
    doctor_facts,
    ledger,
    limits,
    outside_runs,
    repairs,
    schedule_beat,
)
from ingestion.services.controls import Controlling
from ingestion.services.database import times_lost, told_as_unavailable
from ingestion.services.doctor import Diagnosis, Finding
from ingestion.services.doctor_cures import Tools
from ingestion.services.explaining import Explaining
from ingestion.services.outcomes import cancel_message
from ingestion.services.repairs import RepairReport
from ingestion.services.routing import routes, task_name
from ingestion.services.secrets import mask_json
from ingestion.services.selection import Selecting

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


class WorkerPoolService(Controlling, Selecting, Explaining):
    """The pool of one process. Every verb raises PoolUnavailable when the store cannot be reached."""

    def get_task_status(self, task_id: str) -> WorkerTask | None:
        """The task as it stands; finished ones too while they are retained."""
        return self._store.get(task_id)

    def get_active_tasks(self) -> list[WorkerTask]:
        """The RUNNING tasks, longest running first."""
        return list(self._store.active())

    def get_queued_tasks(self, *, offset: int = 0, limit: int | None = None) -> list[WorkerTask]:
        """The QUEUED tasks in the order in which they will start, delayed ones last."""
        return list(self._store.queued(offset=offset, limit=limit))

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        """Everything at one moment, after overdue repairs; the queue cut to ``queue_limit``, and
        each task of it explained."""
        losses = times_lost()
        self._tend()
        snapshot = self._store.snapshot(queue_limit=queue_limit)
        if times_lost() == losses:
            snapshot = _with_ledger(snapshot)
        snapshot = self._explainer.explained(snapshot)
        if not snapshot.set_aside:
            return snapshot
        # What an older version stored may hold what is refused today.
        return replace(snapshot, set_aside=mask_json(snapshot.set_aside))

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

    def cancel_all(self, *, actor: str = "", reason: str = "") -> dict[str, int]:
        """Cancel everything that waits, ask everything that runs to stop: ``queued_cancelled``,
        ``running_cancelled`` (no worker had them yet), ``running_asked``."""
        cleared = self.clear_queue(actor=actor, reason=reason)
        counts = {"queued_cancelled": cleared, "running_cancelled": 0, "running_asked": 0}
        for active in self._store.active():
            try:
                task = self._cancel(active.id, actor=actor, reason=reason)
            except (TaskNotFound, AlreadyFinished):
                continue
            counts["running_cancelled" if task.status.is_final else "running_asked"] += 1
        return counts

    def clear_queue(self, *, actor: str = "", reason: str = "") -> int:
        """Cancel every task that waits; how many."""
        why, before = cancel_message(actor, reason), _waiting(self._store.snapshot(queue_limit=0))
        cleared = 0
        while tasks := self._store.clear_queue(reason=why, limit=CLEAR_BATCH):
            ledger.cancel_rows(tasks, actor=actor, reason=why)
            cleared += len(tasks)
        after = {"cancelled": cleared}
        audit.record("clear", actor=actor, reason=reason, before=before, after=after)
        return cleared

    def reset_state(
        self, force: bool = False, *, actor: str = "", reason: str = ""
    ) -> dict[str, Any]:
        """Forget everything: running syncs are told to stop, waiting ones are cancelled.

        Without ``force`` nothing is changed, and the answer tells what would be lost. Of Redis only
        the pool's own keys are deleted, of the database nothing: rows of open tasks are closed.
        """
        counts = self._at_stake()
        if not force:
            return {"done": False, **counts}
        self._store.ping()
        moment, why = timezone.now(), cancel_message(actor, reason or "the pool was reset")
        # An open row would bring its task back.
        closed = ledger.cancel_every_row(opened_before=moment, actor=actor, reason=why)
        keys = self._store.reset()
        done = {"keys_deleted": keys, "ledger_closed": closed}
        audit.record("reset", actor=actor, reason=reason, before=counts, after=done)
        limits.restore(self._store)
        return {"done": True, **counts, **done}

    def fix_stuck(self, *, actor: str = "", reason: str = "") -> dict[str, int]:
        """A round of repairs now, and the safe cures of ``examine``: lost, stale, resent,
        ledger_closed, restored, started, healed."""
        before = _numbers(self._store.snapshot(queue_limit=0))
        report = self._repair()
        safe = [found for found in self._disagreements(None).findings if found.is_safe]
        done = report.to_dict() | {"healed": len(self.heal(safe, actor=actor, reason=reason))}
        after = {**_numbers(self._store.snapshot(queue_limit=0)), "done": done}
        audit.record("repair", actor=actor, reason=reason, before=before, after=after)
        return done

    def examine(self) -> Diagnosis:
        """What disagrees between slots, queue, ledger, Celery's workers and the clocks. Asks the
        workers, which takes two seconds; changes nothing."""
        return self._disagreements(celery_view.in_hand())

    def heal(
        self, findings: Iterable[Finding], *, actor: str = "", reason: str = ""
    ) -> tuple[Finding, ...]:
        """Carry out the cures of what ``examine`` found; those that did not come too late."""
        tools = Tools(self._store, self._send, self._end, self.process_queue)
        return doctor_cures.heal(findings, tools, actor=actor, reason=reason)

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

    def worker_tick(self, name: str, *, capacity: int) -> None:
        """A worker is alive: note it, repair what is overdue, start what may start."""
        self._store.worker_seen(name, capacity=capacity)
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
        return {**_numbers(snapshot), "set_aside": len(snapshot.set_aside)}

    def _disagreements(self, celery: celery_view.InHand | None) -> Diagnosis:
        with told_as_unavailable():
            first, second = (
                doctor_facts.collect(self._store, self._conf, celery=celery) for _ in range(2)
            )
        findings = doctor.in_both(doctor.compare(first), doctor.compare(second))
        return Diagnosis(findings, tuple(doctor.notes_on(second)))

    def _repair(self) -> RepairReport:
        limits.restore(self._store)
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
        with told_as_unavailable():
            outside, last_beat_at = outside_runs.running(), schedule_beat.last_tick_at()
    except (PoolUnavailable, DatabaseError):
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
        _services[pid] = WorkerPoolService()
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
