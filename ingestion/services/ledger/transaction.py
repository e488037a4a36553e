"""Each verb of the ledger's store is one transaction under one lock.

It loads the rows that the verb needs into a ``MemoryPage``, lets that decide, and writes back what
has changed. A long queue is never loaded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from ingestion.models import ActiveStoreState, PoolAnswer, SyncHistory
from ingestion.pool.memory.page import MemoryPage
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.record import TaskRecord, changed, plain_json
from ingestion.pool.store import ANSWER_SECONDS, PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.database import as_unavailable, bounded_transaction
from ingestion.services.ledger import rows
from ingestion.services.ledger.state import ActiveStoreChanged, columns, new_row, readable

BATCH = 500
LOOKED_THROUGH = 200


class Transaction:
    """The part of the pool that one verb has loaded, while it has the lock."""

    def __init__(self, record: ActiveStoreState, policy: PoolPolicy, now: datetime) -> None:
        self.record = record
        self.now = now
        self.page = _page(record, policy, now)
        self._policy = policy
        self._before: dict[str, TaskRecord] = {}
        self._memory_before = self.page.memory()
        self._answered: str | None = None

    def load(self, found: rows.Rows) -> list[WorkerTask]:
        """What was found."""
        tasks = []
        for record in readable(found.select_for_update()):
            tasks.append(record.task)
            if record.task.id not in self._before:
                self._before[record.task.id] = record
                self.page.put(record)
        return tasks

    def load_task(self, task_id: str) -> list[WorkerTask]:
        return self.load(rows.known(self._policy, self.now).filter(worker_pool_task_id=task_id))

    def load_several(self, task_ids: Iterable[str]) -> None:
        if ids := sorted(task_ids):
            self.load(rows.known(self._policy, self.now).filter(worker_pool_task_id__in=ids))

    def load_candidates(self, *, freed: int = 0) -> None:
        """Load as many of the first queued tasks as can start when ``freed`` more slots are
        free."""
        rows.promote(self.now)
        self.load(rows.active())
        slots = self.page.free_slots() + freed
        for waiting in self._queues() if slots else ():
            self._load_startable(waiting, slots)

    def _load_startable(self, waiting: rows.Rows, slots: int) -> None:
        """Those behind tasks that no worker knows too: these do not start."""
        missing = slots
        for start in range(0, LOOKED_THROUGH, slots):
            found = self.load(waiting[start : start + slots])
            missing -= sum(self.page.knows(task) for task in found)
            if missing <= 0 or len(found) < slots:
                return

    def _queues(self) -> Iterator[rows.Rows]:
        """The queued rows in several queries: one for each CRM with a limit of its own, whose tasks
        could otherwise fill what is loaded; none for a paused CRM; one for all others."""
        controls, ready = self.page.in_force(), rows.ready(self.page.rule)
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
        """Write back the tasks and notes that the verb has changed."""
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


class LedgerTransactions:
    """Opens the transactions of a store over the ledger."""

    def __init__(self, policy: PoolPolicy, *, clock: Callable[[], datetime]) -> None:
        self.policy = policy
        self.clock = clock
        self._of_epoch: int | None = None

    def at(self, epoch: int) -> LedgerTransactions:
        """The same, which raise ActiveStoreChanged unless the ledger is the active store in this
        epoch."""
        transactions = copy.copy(self)
        transactions._of_epoch = epoch
        return transactions

    @contextmanager
    def transaction(self, *task_ids: str) -> Iterator[Transaction]:
        """With these tasks loaded."""
        with bounded_transaction():
            record = ActiveStoreState.objects.locked()
            self._check(record)
            tx = Transaction(record, self.policy, self.clock())
            for task_id in task_ids:
                tx.load_task(task_id)
            yield tx
            tx.save()

    @contextmanager
    def look(self) -> Iterator[MemoryPage]:
        """For a verb that changes nothing: without lock and transaction."""
        with as_unavailable():
            record = ActiveStoreState.objects.look()
            self._check(record)
            yield _page(record, self.policy, self.clock())

    def _check(self, record: ActiveStoreState) -> None:
        if self._of_epoch is None:
            return
        if record.epoch != self._of_epoch or not record.is_degraded:
            raise ActiveStoreChanged


def _page(record: ActiveStoreState, policy: PoolPolicy, now: datetime) -> MemoryPage:
    """All of the state that is no task."""
    page = MemoryPage(policy, lambda: now)
    page.recall(record.memory)
    page.is_quiet = record.quiet_until is not None and now < record.quiet_until
    return page


def put_in(page: MemoryPage, found: Iterable[SyncHistory]) -> None:
    for record in readable(found):
        page.put(record)


def _write(tasks: dict[str, TaskRecord]) -> None:
    new = []
    for task_id, record in tasks.items():
        found = SyncHistory.objects.filter(worker_pool_task_id=task_id)
        if not found.update(**columns(record)):
            new.append(new_row(record))
    SyncHistory.objects.bulk_create(new, batch_size=BATCH)
