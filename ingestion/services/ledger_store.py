"""The pool's state in the ledger's database: what decides while Redis cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min

from ingestion.models import PoolAnswer, SyncHistory
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.kept import plain_json
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import ANSWER_SECONDS, Finished, Outcome, Reaped
from ingestion.pool.stored import clean_text
from ingestion.pool.task import WorkerTask
from ingestion.services import ledger_rows as rows
from ingestion.services.ledger_operators import LedgerOperators
from ingestion.services.ledger_state import FINAL, readable
from ingestion.services.ledger_turn import put_in

BATCH = 500


class LedgerPoolStore(LedgerOperators):
    """See ``PoolStore``.

    ``at(epoch)`` gives a store that works only while the ledger decides, in that epoch, and raises
    OtherReferee otherwise.
    """

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        new = replace(task, parameters=plain_json(task.parameters))
        with self._turn() as turn:
            turn.load_task(task.id)
            if on_overlap != OnOverlap.ALLOW:
                turn.load_overlapping(new, on_overlap)
            return turn.page.submit(new, on_overlap=on_overlap)

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        with self._turn() as turn:
            if not turn.recall_answer(token):
                turn.load_candidates()
            return turn.page.claim(token=token)

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.confirm(task_id, attempt=attempt, worker=worker, token=token)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.heartbeat(task_id, attempt=attempt)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.report_progress(
                task_id, attempt=attempt, progress=plain_json(progress)
            )

    def holding(self, task_id: str, *, attempt: int) -> WorkerTask:
        """Like ``heartbeat``, but nothing is written and no lock taken."""
        with self._look() as page:
            put_in(
                page, rows.known(self._policy, self._clock()).filter(worker_pool_task_id=task_id)
            )
            return page.holding(task_id, attempt=attempt)

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        with self._turn() as turn:
            turn.load_task(task_id)
            if not turn.recall_answer(token):
                turn.load_candidates(freed=1)
            return turn.page.finish(task_id, attempt=attempt, outcome=_clean(outcome), token=token)

    def release(self, task_id: str, *, attempt: int) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.release(task_id, attempt=attempt)

    def put_right(self, task_id: str) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.put_right(task_id)

    def drop_aside(self, task_id: str) -> bool:
        """A row that cannot be read stays where it is."""
        return False

    def reap(self) -> Reaped:
        with self._turn() as turn:
            rows.promote(turn.now)
            turn.load(rows.active())
            oldest = turn.now - timedelta(seconds=ANSWER_SECONDS)
            PoolAnswer.objects.filter(at__lte=oldest).delete()
            return turn.page.reap()

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        with self._look() as page:
            put_in(
                page, rows.known(self._policy, self._clock()).filter(worker_pool_task_id=task_id)
            )
            return page.get(task_id)

    def active(self) -> tuple[WorkerTask, ...]:
        with self._look() as page:
            put_in(page, rows.active())
            return page.active()

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        with self._look():
            found: list[WorkerTask] = []
            skip = max(0, offset)
            for part in (rows.ready(self._policy), rows.delayed(), rows.held()):
                rest = None if limit is None else skip + limit - len(found)
                found += [kept.task for kept in readable(part[skip:rest])]
                skip = max(0, skip - part.count())
            return tuple(found)

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        with self._turn() as turn:
            ready, delayed, held = rows.ready(self._policy), rows.delayed(), rows.held()
            turn.load(rows.active())
            turn.load(ready[:queue_limit])
            turn.load(delayed[:queue_limit])
            turn.load(held[:queue_limit])
            oldest_us = ready.aggregate(oldest=Min("queued_us"))["oldest"]
            return replace(
                turn.page.snapshot(queue_limit=queue_limit),
                queued_count=ready.count(),
                delayed_count=delayed.count(),
                held_count=held.count(),
                queued_by_crm=rows.ready_by_crm(),
                oldest_queued_at=None if oldest_us is None else from_us(oldest_us),
            )

    # Whole-pool verbs

    def clear_queue(self, *, reason: str, limit: int = 1000) -> tuple[WorkerTask, ...]:
        with self._turn() as turn:
            rest = limit
            for part in (rows.ready(self._policy), rows.delayed(), rows.held()):
                turn.load(part[:rest])
                rest = max(0, rest - part.count())
            return turn.page.clear_queue(reason=clean_text(reason), limit=limit)

    def forget_finished(self, *, max_age_seconds: float) -> int:
        with self._turn() as turn:
            until_us = to_us(turn.now) - seconds_to_us(max_age_seconds)
            ended = SyncHistory.objects.filter(rows.retained(self._policy, turn.now))
            return ended.filter(ended_us__lte=until_us).update(ended_us=0)

    def reset(self) -> int:
        with self._turn() as turn:
            known = rows.known(self._policy, turn.now)
            ended = known.filter(pool_status__in=FINAL).update(ended_us=0)
            forgotten = known.filter(rows.OPEN).update(pool_status=None)
            PoolAnswer.objects.all().delete()
            turn.page.recall({})
            return ended + forgotten

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        with self._turn() as turn:
            ids = [task.id for task in tasks]
            for start in range(0, len(ids), BATCH):
                chunk = ids[start : start + BATCH]
                known = rows.known(self._policy, turn.now)
                turn.load(known.filter(worker_pool_task_id__in=chunk))
            return turn.page.restore(tasks)

    def worker_seen(self, name: str, *, capacity: int) -> None:
        with self._turn() as turn:
            turn.page.worker_seen(name, capacity=capacity)

    def worker_gone(self, name: str) -> None:
        with self._turn() as turn:
            turn.page.worker_gone(name)

    def note_monitor_round(self) -> datetime:
        with self._turn() as turn:
            return turn.page.note_monitor_round()

    def last_monitor_round(self) -> datetime | None:
        with self._look() as page:
            return page.last_monitor_round()

    def ping(self) -> None:
        with self._look(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def _clean(outcome: Outcome) -> Outcome:
    message = outcome.error_message
    return replace(
        outcome,
        error_message=clean_text(message) if message else message,
        result=plain_json(outcome.result),
    )
