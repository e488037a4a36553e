"""The verbs that find what is wrong and repair it, by themselves or because somebody asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from ingestion.conf import PoolConf
from ingestion.deprecated_names import with_old_keys
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import TaskStatus, utc_now
from ingestion.services.doctor import diagnosis, facts
from ingestion.services.doctor import repairs as doctor_repairs
from ingestion.services.doctor.diagnosis import Diagnosis, Finding
from ingestion.services.doctor.repairs import Tools
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.routing import task_mappings
from ingestion.services.runs import celery_view
from ingestion.services.security import audit
from ingestion.services.tasks import aging, dispatch, limits, repairs
from ingestion.services.tasks.lifecycle import TaskLife
from ingestion.services.tasks.pool_state import PoolState, task_counts
from ingestion.services.tasks.repairs import RepairReport
from ingestion.services.tasks.upkeep import Upkeep
from ingestion.services.waiting.wait_reasons import unknown_to_workers

logger = logging.getLogger(__name__)


class Doctor:
    def __init__(
        self,
        store: PoolStore,
        *,
        conf: PoolConf,
        send: dispatch.Send,
        upkeep: Upkeep,
        life: TaskLife,
        state: PoolState,
    ) -> None:
        self._store = store
        self._conf = conf
        self._send = send
        self._upkeep = upkeep
        self._life = life
        self._state = state

    def fix_stuck(self, *, change: ChangeRequest = UNSIGNED) -> dict[str, int]:
        """A round of repairs now, and the safe repairs of ``examine``: lost, stale, resent,
        ledger_closed, restored, started, repaired."""
        before = task_counts(self._store.snapshot(queue_limit=0))
        report = self._repair()
        safe = [found for found in self._disagreements(None).findings if found.is_safe]
        count = len(self.repair(safe, change=change))
        done = with_old_keys({**report.to_dict(), "repaired": count})
        after = {**task_counts(self._store.snapshot(queue_limit=0)), "done": done}
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
        tools = Tools(self._store, self._send, self._life.end, self._upkeep.process_queue)
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
        self._upkeep.advance()
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

    def _disagreements(self, celery: celery_view.InHand | None) -> Diagnosis:
        with as_unavailable():
            first, second = (
                facts.collect(self._store, self._conf, celery=celery) for _ in range(2)
            )
        findings = diagnosis.in_both(diagnosis.compare(first), diagnosis.compare(second))
        unknown = unknown_to_workers(second.snapshot, task_mappings().values())
        notes = (*diagnosis.notes_on(second), unknown, self._state.pickled())
        return Diagnosis(findings, tuple(filter(None, notes)))

    def _repair(self) -> RepairReport:
        limits.restore(self._store)
        aging.follow(self._store, default=self._conf.priority_aging_seconds)
        report = repairs.reap(self._store, send=self._send) + repairs.reconcile(self._store)
        return report + RepairReport(started=self._upkeep.process_queue())

    def _end_stale(self, minutes: float) -> int:
        oldest = utc_now() - timedelta(minutes=minutes)
        stale = [
            t for t in self._store.active() if (t.last_heartbeat or t.started_at or oldest) < oldest
        ]
        outcome = Outcome(
            TaskStatus.FAILED, f"No progress for more than {minutes:g} minutes; ended as stale."
        )
        return sum(self._life.end(task, outcome) for task in stale)
