"""Turns at the ledger: each verb of the store over it is one transaction under one lock.

The part of the pool that it needs is brought into a ``MemoryPage``, which decides, and what has
changed is written back. A long queue is never loaded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Self

from ingestion.models import PoolAnswer, PoolReferee, SyncHistory
from ingestion.pool.kept import Kept, changed, plain_json
from ingestion.pool.memory_page import MemoryPage
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import ANSWER_SECONDS, PoolPolicy
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services import ledger_rows as rows
from ingestion.services.database import bounded_transaction, told_as_unavailable
from ingestion.services.ledger_state import OtherReferee, columns, new_row, readable

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
        slots = self.page.free_slots() + freed
        for waiting in self._queues() if slots else ():
            self.load(waiting[:slots])

    def _queues(self) -> Iterator[rows.Rows]:
        """A queue each for what must not keep others from being looked at: a CRM with a limit of
        its own; none for one that is paused."""
        controls, ready = self.page.in_force(), rows.ready(self._policy)
        limited = set(controls.crm_limits) - set(controls.crm_pauses)
        yield ready.exclude(crm_source__in={*controls.crm_limits, *controls.crm_pauses})
        for crm in sorted(limited):
            yield ready.filter(crm_source=crm)

    def load_overlapping(self, task: WorkerTask, on_overlap: OnOverlap) -> None:
        self.load(rows.active())
        for found in rows.overlapping(task, on_overlap):
            self.load(found)

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


class LedgerTurns:
    """How a store over the ledger takes its turns. ``clock`` gives aware datetimes in UTC: that of
    this host."""

    epoch: int | None = None  # nothing has to follow: the rows are the state

    def __init__(self, policy: PoolPolicy, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._policy = policy
        self._clock = clock
        self._of_epoch: int | None = None

    def at(self, epoch: int) -> Self:
        store = copy.copy(self)
        store._of_epoch = epoch
        return store

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


def put_in(page: MemoryPage, found: Iterable[SyncHistory]) -> None:
    for kept in readable(found):
        page.put(kept)


def _write(tasks: dict[str, Kept]) -> None:
    new = []
    for task_id, kept in tasks.items():
        found = SyncHistory.objects.filter(worker_pool_task_id=task_id)
        if not found.update(**columns(kept)):
            new.append(new_row(kept))
    SyncHistory.objects.bulk_create(new, batch_size=BATCH)
