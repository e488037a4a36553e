"""The pool's state in the ledger's database: what decides while Redis cannot.

Each verb is one transaction under one lock: the part of the pool that it needs is brought into a
``MemoryPage``, which decides, and what has changed is written back. A long queue is never loaded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connection
from django.db.models import Min

from ingestion.models import PoolAnswer, PoolReferee, SyncHistory
from ingestion.pool.clock import from_us, seconds_to_us, to_us
from ingestion.pool.kept import Kept, changed, plain_json
from ingestion.pool.memory_page import MemoryPage
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot
from ingestion.pool.store import (
    ANSWER_SECONDS,
    Finished,
    Outcome,
    PoolPolicy,
    Reaped,
    checked_limit,
)
from ingestion.pool.stored import clean_text
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services import ledger_rows as rows
from ingestion.services.database import bounded_transaction, told_as_unavailable
from ingestion.services.ledger_state import FINAL, OtherReferee, columns, new_row, readable

BATCH = 500


class Turn:
    """One verb's part of the pool, under the lock."""

    def __init__(self, record: PoolReferee, policy: PoolPolicy, now: datetime) -> None:
        self.record = record
        self.now = now
        self.page = MemoryPage(policy, lambda: now)
        self.page.recall(record.memory)
        self.page.is_quiet = record.quiet_until is not None and now < record.quiet_until
        self._policy = policy
        self._before: dict[str, Kept] = {}
        self._memory_before = self.page.memory()
        self._answered: str | None = None

    def load(self, found: rows.Rows) -> None:
        for kept in readable(found.select_for_update()):
            if kept.task.id not in self._before:
                self._before[kept.task.id] = kept
                self.page.put(kept)

    def load_task(self, task_id: str) -> None:
        self.load(rows.known(self._policy, self.now).filter(worker_pool_task_id=task_id))

    def load_candidates(self, *, freed: int = 0) -> None:
        """What may start, once ``freed`` more slots are free."""
        rows.promote(self.now)
        self.load(rows.active())
        if slots := self.page.free_slots() + freed:
            self.load(rows.ready(self._policy)[:slots])

    def recall_answer(self, token: str) -> bool:
        oldest = self.now - timedelta(seconds=ANSWER_SECONDS)
        earlier = PoolAnswer.objects.filter(pk=token, at__gt=oldest).first()
        if earlier is not None:
            self.page.recall_answer(token, earlier.at, earlier.answer)
        self._answered = None if earlier else token
        return earlier is not None

    def save(self) -> None:
        """Write down what has become of it."""
        after = self.page.dump()
        _write(changed(self._before, after))
        memory = self.page.memory()
        if memory != self._memory_before:
            self.record.memory = memory
            self.record.save(update_fields=["memory"])
        self._save_answer()

    def _save_answer(self) -> None:
        answer = self.page.answer_to(self._answered) if self._answered else None
        if answer is not None:
            PoolAnswer.objects.update_or_create(
                pk=self._answered, defaults={"at": self.now, "answer": plain_json(answer)}
            )


class LedgerPoolStore:
    """See ``PoolStore``. ``clock`` gives aware datetimes in UTC: that of this host.

    ``at(epoch)`` gives a store that works only while the ledger decides, in that epoch, and raises
    OtherReferee otherwise.
    """

    epoch: int | None = None  # nothing has to follow: the rows are the state

    def __init__(self, policy: PoolPolicy, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._policy = policy
        self._clock = clock
        self._of_epoch: int | None = None

    def at(self, epoch: int) -> Self:
        store = copy.copy(self)
        store._of_epoch = epoch
        return store

    # Life of a task

    def submit(self, task: WorkerTask) -> WorkerTask:
        with self._turn() as turn:
            turn.load_task(task.id)
            return turn.page.submit(replace(task, parameters=plain_json(task.parameters)))

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
            _put(page, rows.known(self._policy, self._clock()).filter(worker_pool_task_id=task_id))
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

    def cancel(self, task_id: str, *, reason: str) -> WorkerTask:
        with self._turn(task_id) as turn:
            return turn.page.cancel(task_id, reason=clean_text(reason))

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
            _put(page, rows.known(self._policy, self._clock()).filter(worker_pool_task_id=task_id))
            return page.get(task_id)

    def active(self) -> tuple[WorkerTask, ...]:
        with self._look() as page:
            _put(page, rows.active())
            return page.active()

    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        with self._look():
            found: list[WorkerTask] = []
            skip = max(0, offset)
            for part in (rows.ready(self._policy), rows.delayed()):
                rest = None if limit is None else skip + limit - len(found)
                found += [kept.task for kept in readable(part[skip:rest])]
                skip = max(0, skip - part.count())
            return tuple(found)

    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        with self._turn() as turn:
            ready, delayed = rows.ready(self._policy), rows.delayed()
            turn.load(rows.active())
            turn.load(ready[:queue_limit])
            turn.load(delayed[:queue_limit])
            oldest_us = ready.aggregate(oldest=Min("queued_us"))["oldest"]
            return replace(
                turn.page.snapshot(queue_limit=queue_limit),
                queued_count=ready.count(),
                delayed_count=delayed.count(),
                oldest_queued_at=None if oldest_us is None else from_us(oldest_us),
            )

    # Settings of the pool

    def limit(self) -> LimitInfo:
        with self._look() as page:
            return page.limit()

    def set_limit(self, max_workers: int, *, by: str, reason: str = "") -> LimitInfo:
        checked = checked_limit(max_workers)
        with self._turn() as turn:
            return turn.page.set_limit(checked, by=by, reason=reason)

    # Whole-pool verbs

    def clear_queue(self, *, reason: str, limit: int = 1000) -> tuple[WorkerTask, ...]:
        with self._turn() as turn:
            ready = rows.ready(self._policy)[:limit]
            turn.load(ready)
            if rest := max(0, limit - rows.ready(self._policy).count()):
                turn.load(rows.delayed()[:rest])
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

    # Turns

    @contextmanager
    def _turn(self, *task_ids: str) -> Iterator[Turn]:
        with bounded_transaction():
            record = PoolReferee.objects.locked()
            self._check(record)
            turn = Turn(record, self._policy, self._clock())
            for task_id in task_ids:
                turn.load_task(task_id)
            yield turn
            turn.save()

    @contextmanager
    def _look(self) -> Iterator[MemoryPage]:
        """For what changes nothing: no lock, and no transaction."""
        with told_as_unavailable():
            record = PoolReferee.objects.look()
            self._check(record)
            now = self._clock()
            page = MemoryPage(self._policy, lambda: now)
            page.recall(record.memory)
            yield page

    def _check(self, record: PoolReferee) -> None:
        if self._of_epoch is None:
            return
        if record.epoch != self._of_epoch or not record.is_degraded:
            raise OtherReferee


def _put(page: MemoryPage, found: Iterable[SyncHistory]) -> None:
    for kept in readable(found):
        page.put(kept)


def _clean(outcome: Outcome) -> Outcome:
    message = outcome.error_message
    return replace(
        outcome,
        error_message=clean_text(message) if message else message,
        result=plain_json(outcome.result),
    )


def _write(tasks: dict[str, Kept]) -> None:
    new = []
    for task_id, kept in tasks.items():
        found = SyncHistory.objects.filter(worker_pool_task_id=task_id)
        if not found.update(**columns(kept)):
            new.append(new_row(kept))
    SyncHistory.objects.bulk_create(new, batch_size=BATCH)
