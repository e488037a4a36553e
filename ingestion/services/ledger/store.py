"""The store over the ledger's tables: active while Redis cannot be reached."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min

from ingestion.models import PoolAnswer, SyncHistory
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.controls import Named, PoolControls
from ingestion.pool.errors import Overlaps
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.queue_place import QueuePage, QueuePlace, parts_from
from ingestion.pool.record import clean_text, plain_json
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.store import (
    ANSWER_SECONDS,
    READ_PAGE,
    Admitted,
    Finished,
    Outcome,
    PoolPolicy,
    Reaped,
)
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.database import ledger_now
from ingestion.services.ledger import rows
from ingestion.services.ledger.state import FINAL, readable
from ingestion.services.ledger.transaction import LedgerTransactions, put_in

BATCH = 500


class LedgerPoolStore:
    """See ``PoolStore``. ``clock`` gives aware datetimes in UTC, by default the time of the database:
    leases and delays are of all hosts."""

    epoch: int | None = None  # nothing has to follow: the rows are the state

    def __init__(self, policy: PoolPolicy, *, clock: Callable[[], datetime] = ledger_now) -> None:
        self._ledger = LedgerTransactions(policy, clock=clock)

    def at(self, epoch: int) -> LedgerPoolStore:
        """The same store, which raises ActiveStoreChanged unless the ledger is the active store in
        this epoch."""
        store = copy.copy(self)
        store._ledger = self._ledger.at(epoch)
        return store

    # Life of a task

    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        new = replace(task, parameters=plain_json(task.parameters))
        with self._ledger.transaction() as tx:
            tx.load_several({task.id, *task.after})
            if on_overlap != OnOverlap.ALLOW:
                tx.load_overlapping(new, on_overlap)
            return tx.page.submit(new, on_overlap=on_overlap)

    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        with self._ledger.transaction() as tx:
            tx.load_several({i for task, _ in tasks for i in (task.id, *task.after)})
            for task, on_overlap in tasks:
                if on_overlap != OnOverlap.ALLOW:
                    tx.load_overlapping(task, on_overlap)
            return tx.page.submit_many(
                [
                    (replace(task, parameters=plain_json(task.parameters)), on_overlap)
                    for task, on_overlap in tasks
                ],
                are_placed=are_placed,
            )

    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        new = replace(task, parameters=plain_json(task.parameters))
        with self._ledger.transaction() as tx:
            tx.load_several({task.id, *task.after})
            if not tx.recall_answer(token):
                tx.load_candidates()
            return tx.page.admit(new, token=token)

    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        with self._ledger.transaction() as tx:
            if not tx.recall_answer(token):
                tx.load_candidates()
            return tx.page.claim(token=token)

    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.confirm(task_id, attempt=attempt, worker=worker, token=token)

    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.heartbeat(task_id, attempt=attempt)

    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.report_progress(task_id, attempt=attempt, progress=plain_json(progress))

    def holding(self, task_id: str, *, attempt: int) -> WorkerTask:
        """Like ``heartbeat``, but nothing is written and no lock taken."""
        with self._ledger.look() as page:
            put_in(
                page,
                rows.known(self._ledger.policy, self._ledger.clock()).filter(
                    worker_pool_task_id=task_id
                ),
            )
            return page.holding(task_id, attempt=attempt)

    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        with self._ledger.transaction() as tx:
            tx.load_several({i for task in tx.load_task(task_id) for i in task.followers})
            if not tx.recall_answer(token):
                tx.load_candidates(freed=1)
            return tx.page.finish(
                task_id, attempt=attempt, outcome=_clean_outcome(outcome), token=token
            )

    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.return_to_queue(task_id, attempt=attempt)

    def repair(self, task_id: str) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.repair(task_id)

    def drop_dead_letter(self, task_id: str) -> bool:
        """There is nothing to forget: a row that cannot be read stays in the table."""
        return False

    def reap(self) -> Reaped:
        with self._ledger.transaction() as tx:
            rows.promote(tx.now)
            tx.load(rows.active())
            tx.load_several({i for task in tx.load(rows.following()[:BATCH]) for i in task.after})
            oldest = tx.now - timedelta(seconds=ANSWER_SECONDS)
            PoolAnswer.objects.filter(at__lte=oldest).delete()
            return tx.page.reap()

    # Limits and pauses

    def controls(self) -> PoolControls:
        with self._ledger.look() as page:
            return page.controls()

    def limit(self) -> LimitInfo:
        with self._ledger.look() as page:
            return page.limit()

    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        with self._ledger.transaction() as tx:
            return tx.page.set_limit(
                max_workers,
                change=_clean_change(change),
                crm_source=crm_source,
                expires_at=expires_at,
            )

    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        with self._ledger.transaction() as tx:
            return tx.page.pause(crm_source, change=_clean_change(change), expires_at=expires_at)

    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        with self._ledger.transaction() as tx:
            return tx.page.resume(crm_source, change=change)

    def restore_controls(self, named: Named) -> PoolControls:
        with self._ledger.transaction() as tx:
            return tx.page.restore_controls(named)

    # The order of what waits

    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        with self._ledger.transaction() as tx:
            return tx.page.set_priority_aging(aging)

    def rescore(self, *, at_most: int = 500) -> bool:
        """No row keeps a score."""
        return False

    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.hold(task_id, change=_clean_change(change))

    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.release(task_id, change=change)

    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.prioritize(task_id, priority=priority, change=change)

    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            tx.load(rows.ready(tx.page.rule)[:1])
            return tx.page.move_to_front(task_id, change=change)

    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.meet(task_id, predecessors=predecessors)

    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        with self._ledger.transaction(task_id) as tx:
            return tx.page.cancel(task_id, change=_clean_change(change))

    # Views

    def get(self, task_id: str) -> WorkerTask | None:
        with self._ledger.look() as page:
            put_in(
                page,
                rows.known(self._ledger.policy, self._ledger.clock()).filter(
                    worker_pool_task_id=task_id
                ),
            )
            return page.get(task_id)

    def active(self) -> tuple[WorkerTask, ...]:
        with self._ledger.look() as page:
            put_in(page, rows.active())
            return page.active()

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        with self._ledger.look() as page:
            found: list[WorkerTask] = []
            skip = max(0, offset)
            for part in (rows.ready(page.rule), rows.delayed(), rows.held()):
                rest = None if limit is None else skip + limit - len(found)
                found += [record.task for record in readable(part[skip:rest])]
                skip = max(0, skip - part.count())
            return tuple(found)

    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        with self._ledger.look() as page:
            found: list[tuple[SyncHistory, QueuePlace]] = []
            for part in parts_from(after):
                of_part = rows.part(part, page.rule, after)[: limit - len(found)]
                found += [(row, rows.place_in(part, row)) for row in of_part]
            read = [(record.task, at) for row, at in found for record in readable([row])]
            last = found[-1][1] if found and len(found) == limit else None
            return QueuePage(tuple(t for t, _ in read), tuple(at for _, at in read), last)

    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        with self._ledger.look() as page:
            return rows.ready_before(page.rule, task)

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        with self._ledger.look() as page:
            ready, delayed, held = rows.ready(page.rule), rows.delayed(), rows.held()
            put_in(page, rows.active())
            for part in (ready, delayed, held):
                put_in(page, part[:queue_limit])
            oldest_us = ready.aggregate(oldest=Min("queued_us"))["oldest"]
            return replace(
                page.snapshot(queue_limit=queue_limit),
                queued_count=ready.count(),
                delayed_count=delayed.count(),
                held_count=held.count(),
                queued_by_crm=rows.ready_by_crm(),
                oldest_queued_at=None if oldest_us is None else from_us(oldest_us),
            )

    # Whole-pool verbs

    def clear_queue(
        self, *, change: ChangeRequest = UNSIGNED, limit: int = 1000
    ) -> tuple[WorkerTask, ...]:
        with self._ledger.transaction() as tx:
            rest = limit
            for part in (rows.ready(tx.page.rule), rows.delayed(), rows.held()):
                tx.load(part[:rest])
                rest = max(0, rest - part.count())
            return tx.page.clear_queue(change=_clean_change(change), limit=limit)

    def forget_finished(self, *, max_age_seconds: float) -> int:
        with self._ledger.transaction() as tx:
            until_us = to_us(tx.now) - seconds_to_us(max_age_seconds)
            ended = SyncHistory.objects.filter(rows.retained(self._ledger.policy, tx.now))
            return ended.filter(ended_us__lte=until_us).update(ended_us=0)

    def reset(self) -> int:
        with self._ledger.transaction() as tx:
            known = rows.known(self._ledger.policy, tx.now)
            ended = known.filter(pool_status__in=FINAL).update(ended_us=0)
            forgotten = known.filter(rows.OPEN).update(pool_status=None)
            PoolAnswer.objects.all().delete()
            tx.page.recall({})
            return ended + forgotten

    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        with self._ledger.transaction() as tx:
            ids = [task.id for task in tasks]
            for start in range(0, len(ids), BATCH):
                chunk = ids[start : start + BATCH]
                known = rows.known(self._ledger.policy, tx.now)
                tx.load(known.filter(worker_pool_task_id__in=chunk))
            return tx.page.restore(tasks)

    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        with self._ledger.transaction() as tx:
            tx.page.worker_seen(name, capacity=capacity, task_names=task_names, release=release)

    def worker_gone(self, name: str) -> None:
        with self._ledger.transaction() as tx:
            tx.page.worker_gone(name)

    def note_monitor_round(self) -> datetime:
        with self._ledger.transaction() as tx:
            return tx.page.note_monitor_round()

    def last_monitor_round(self) -> datetime | None:
        with self._ledger.look() as page:
            return page.last_monitor_round()

    def ping(self) -> None:
        with self._ledger.look(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def _clean_outcome(outcome: Outcome) -> Outcome:
    message = outcome.error_message
    return replace(
        outcome,
        error_message=clean_text(message) if message else message,
        result=plain_json(outcome.result),
    )


def _clean_change(change: ChangeRequest) -> ChangeRequest:
    """With texts that can be encoded."""
    return replace(change, by=clean_text(change.by), reason=clean_text(change.reason))
