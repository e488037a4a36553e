"""The contract of a store in its simplest form: in the memory of one process."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any

from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.clock import from_us, to_us
from ingestion.pool.errors import AlreadyConfirmed, AlreadyFinished, LeaseLost, Overlaps, refused
from ingestion.pool.memory.operators import MemoryOperators
from ingestion.pool.memory.verb import one_at_a_time
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.queue_place import DELAYED, READY, QueuePage, QueuePlace, parts_from
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import (
    CLOCKS_DIFFER_US,
    FORGET_WORKER_SECONDS,
    READ_PAGE,
    Admitted,
    Finished,
    Outcome,
    Reaped,
    old_places,
)
from ingestion.pool.task import TaskStatus, WorkerTask

# A place before every place of a ready task.
LOWEST = (-(2**63), 0)


class MemoryPoolStore(MemoryOperators):
    """See ``PoolStore``. ``clock`` gives aware datetimes in UTC."""

    # Life of a task

    @one_at_a_time
    def submit(self, task: WorkerTask, *, on_overlap: OnOverlap = OnOverlap.ALLOW) -> WorkerTask:
        return self._submit(task, on_overlap)

    @one_at_a_time
    def submit_many(
        self, tasks: Sequence[tuple[WorkerTask, OnOverlap]], *, are_placed: bool = False
    ) -> tuple[WorkerTask | Overlaps, ...]:
        return tuple(
            self._submitted(task, on_overlap, to_us(task.queued_at) if are_placed else None)
            for task, on_overlap in tasks
        )

    def _submitted(
        self, task: WorkerTask, on_overlap: OnOverlap, given_us: int | None
    ) -> WorkerTask | Overlaps:
        try:
            return self._submit(task, on_overlap, given_us)
        except Overlaps as refusal:
            return refusal

    def _submit(
        self, task: WorkerTask, on_overlap: OnOverlap, given_us: int | None = None
    ) -> WorkerTask:
        if task.id not in self._held:
            if on_overlap == OnOverlap.REJECT:
                self._refuse_overlap(task)
            elif on_overlap == OnOverlap.COALESCE and (other := self._coalescing(task)):
                return self._coalesce(other, task)
            self._last_order_us = self._next_place(given_us)
            stored = replace(
                deepcopy(task),
                status=TaskStatus.QUEUED,
                queued_at=from_us(self._last_order_us),
                revision=1,
            )
            stored.after = self._still_open(stored)
            self._keep(stored)
            self._counters["submitted"] += 1
        return self._held[task.id].task

    def _next_place(self, given_us: int | None) -> int:
        least, now_us = self._last_order_us + self._priority_aging.rule.unit_us, to_us(self._now)
        if given_us is None or given_us < least or abs(given_us - now_us) > CLOCKS_DIFFER_US:
            return max(now_us, least)
        return given_us

    @one_at_a_time
    def admit(self, task: WorkerTask, *, token: str) -> Admitted:
        self._submit(task, OnOverlap.ALLOW, given_us=to_us(task.queued_at))
        started = self._once(token, self._claim_free_slots)
        if not started:
            del self._answers[token]
        return Admitted(self._held[task.id].task, started)

    @one_at_a_time
    def claim(self, *, token: str) -> tuple[WorkerTask, ...]:
        return self._once(token, self._claim_free_slots)

    @one_at_a_time
    def confirm(self, task_id: str, *, attempt: int, worker: str, token: str) -> WorkerTask:
        held = self._known(task_id)
        if held.task.status != TaskStatus.RUNNING or held.task.attempt != attempt:
            raise refused(LeaseLost, task_id)
        if held.confirm_token is None:
            self._confirm(held, worker=worker, token=token)
        elif held.confirm_token != token:
            raise refused(AlreadyConfirmed, task_id)
        return held.task

    @one_at_a_time
    def heartbeat(self, task_id: str, *, attempt: int) -> WorkerTask:
        held = self._held_by(task_id, attempt)
        self._renew_lease(held.task)
        return held.task

    @one_at_a_time
    def report_progress(
        self, task_id: str, *, attempt: int, progress: dict[str, Any]
    ) -> WorkerTask:
        held = self._held_by(task_id, attempt)
        self._renew_lease(held.task)
        held.task.last_heartbeat = self._now
        held.task.progress = deepcopy(progress)
        self._active.put(task_id, to_us(self._now))
        return held.task

    @one_at_a_time
    def finish(self, task_id: str, *, attempt: int, outcome: Outcome, token: str) -> Finished:
        if token in self._answers:
            return self._once(token, lambda: Finished(self._known(task_id).task, ()))
        held = self._known(task_id)
        if held.task.attempt != attempt:
            raise refused(LeaseLost, task_id)
        if held.task.status.is_final:
            if held.finish_token != token:
                raise refused(AlreadyFinished, task_id)
            return Finished(held.task, ())
        if held.task.status != TaskStatus.RUNNING:
            raise refused(LeaseLost, task_id)
        self._end_attempt(held, outcome, token)
        return self._once(token, lambda: Finished(held.task, self._claim_free_slots()))

    @one_at_a_time
    def return_to_queue(self, task_id: str, *, attempt: int) -> WorkerTask:
        task = self._known(task_id).task
        if task.attempt != attempt:
            raise refused(LeaseLost, task_id)
        if task.status.is_final:
            raise refused(AlreadyFinished, task_id)
        if task.confirmed_at:
            raise refused(AlreadyConfirmed, task_id)
        if task.status == TaskStatus.RUNNING:
            task = self._requeue(self._held[task_id], message=None, wait_seconds=0)
            task.max_attempts += 1
            self._counters["released"] += 1
        return task

    @one_at_a_time
    def reap(self) -> Reaped:
        self._promote_due()
        lost = [self._end_lost(i) for i in self._leases.ids(up_to=to_us(self._now))]
        still = self._active.ids(up_to=self._before(self._policy.stale_seconds))
        stale = [self._end_stale(i) for i in still if i not in self._unconfirmed]
        overdue = self._overdue_unconfirmed()
        often = [held for held in overdue if held.resends >= self._policy.most_resends]
        unconfirmed = [self._resend(held) for held in overdue if held not in often]
        untaken = [self._return_untaken(held) for held in often]
        blocked = self._blocked()
        self._drop_finished(self._before(self._policy.retention_seconds))
        return Reaped(*map(tuple, (lost, stale, unconfirmed, untaken, blocked)))

    # Views

    @one_at_a_time
    def get(self, task_id: str) -> WorkerTask | None:
        held = self._held.get(task_id)
        return held.task if held else None

    @one_at_a_time
    def active(self) -> tuple[WorkerTask, ...]:
        return self._longest_first()

    @one_at_a_time
    def queued(self, *, offset: int = 0, limit: int | None = None) -> tuple[WorkerTask, ...]:
        ids = self._waiting_ids()
        first = max(0, offset)
        return self._tasks(ids[first:] if limit is None else ids[first : first + limit])

    @one_at_a_time
    def queue_page(self, *, after: QueuePlace | None = None, limit: int = READ_PAGE) -> QueuePage:
        behind = chain.from_iterable(self._behind(part, after) for part in parts_from(after))
        places = tuple(islice(behind, limit))
        tasks = self._tasks(place.task_id for place in places)
        return QueuePage(tasks, places, places[-1] if places and len(places) == limit else None)

    def _behind(self, part: str, after: QueuePlace | None) -> Iterator[QueuePlace]:
        """The places of one part behind another one."""
        behind = after if after and after.part == part else None
        if part == READY:
            place = behind.order(self._priority_aging.rule) if behind else LOWEST
            found = self._ready.behind(place, behind.task_id if behind else "")
            return (self._place_in(part, number, task_id) for (number, _), task_id in found)
        order = self._delayed if part == DELAYED else self._on_hold
        rest = order.behind(behind.number if behind else 0, behind.task_id if behind else "")
        return (self._place_in(part, number, task_id) for number, task_id in rest)

    def _place_in(self, part: str, number: int, task_id: str) -> QueuePlace:
        queued_at = self._held[task_id].task.queued_at
        return QueuePlace(part, number, to_us(queued_at), task_id)

    @one_at_a_time
    def ahead_of(self, task: WorkerTask) -> dict[str, int]:
        return self._ready.before(self._place_of(task), task.id)

    @one_at_a_time
    def snapshot(self, *, queue_limit: int = 100) -> PoolSnapshot:
        oldest = self._waiting.lowest()
        return PoolSnapshot(
            taken_at=self._now,
            limit=self._limit_in_force(),
            effective_limit=self._effective_limit(),
            active=self._longest_first(),
            queued=self._tasks(self._ready.ids()[:queue_limit]),
            delayed=self._tasks(self._delayed.ids()[:queue_limit]),
            queued_count=len(self._ready),
            delayed_count=len(self._delayed),
            oldest_queued_at=None if oldest is None else from_us(oldest),
            workers=self._worker_infos(),
            counters={n: k for n, k in sorted(self._counters.items()) if k},
            last_monitor_at=self._last_monitor_at,
            held=self._tasks(self._on_hold.ids()[:queue_limit]),
            held_count=len(self._on_hold),
            controls=self._controls_in_force(),
            queued_by_crm=self._ready.counts(),
        )

    # Whole-pool verbs

    @one_at_a_time
    def clear_queue(
        self, *, change: ChangeRequest = UNSIGNED, limit: int = 1000
    ) -> tuple[WorkerTask, ...]:
        ids = self._waiting_ids()[:limit]
        for task_id in ids:
            self._end(self._held[task_id], TaskStatus.CANCELLED, change.reason)
        return self._tasks(ids)

    @one_at_a_time
    def forget_finished(self, *, max_age_seconds: float) -> int:
        return self._drop_finished(self._before(max_age_seconds))

    @one_at_a_time
    def reset(self) -> int:
        known = len(self._held)
        self._forget_all()
        return known

    @one_at_a_time
    def restore(self, tasks: Sequence[WorkerTask]) -> int:
        missing = 0
        for order_us, task in old_places(tasks, now_us=to_us(self._now)):
            if task.id not in self._held:
                self._keep(deepcopy(task).restored(from_us(order_us)))
                self._last_order_us = max(self._last_order_us, order_us)
                missing += 1
        self._counters["restored"] += missing
        return missing

    @one_at_a_time
    def repair(self, task_id: str) -> WorkerTask:
        held = self._known(task_id)
        self._leave_queue(held.task)
        self._leave_slot(held.task)
        self._finished.drop(task_id)
        if held.task.status == TaskStatus.QUEUED:
            self._place(held)
        elif held.task.status == TaskStatus.RUNNING:
            self._hold(held.task)
        else:
            self._finished.put(task_id, to_us(held.task.completed_at or self._now))
        return held.task

    def drop_dead_letter(self, task_id: str) -> bool:
        """There are no dead letters: nothing here is stored in a form that could be unreadable."""
        return False

    @one_at_a_time
    def worker_seen(
        self,
        name: str,
        *,
        capacity: int,
        task_names: Collection[str] | None = None,
        release: str = "",
    ) -> None:
        self._workers[name] = (self._now, capacity)
        self._worker_tasks.pop(name, None)
        if task_names is not None:
            self._worker_tasks[name] = frozenset(task_names)
        self._worker_releases[name] = release
        oldest = self._now - timedelta(seconds=FORGET_WORKER_SECONDS)
        self._workers = {n: seen for n, seen in self._workers.items() if seen[0] > oldest}
        self._worker_tasks = {n: t for n, t in self._worker_tasks.items() if n in self._workers}
        known = self._worker_releases.items()
        self._worker_releases = {n: r for n, r in known if n in self._workers}

    @one_at_a_time
    def worker_gone(self, name: str) -> None:
        if name in self._workers:
            self._workers[name] = (self._now, 0)
            self._worker_tasks.pop(name, None)
            self._worker_releases.pop(name, None)

    @one_at_a_time
    def note_monitor_round(self) -> datetime:
        self._last_monitor_at = self._now
        return self._last_monitor_at

    @one_at_a_time
    def last_monitor_round(self) -> datetime | None:
        return self._last_monitor_at

    def ping(self) -> None:
        """Always succeeds."""
