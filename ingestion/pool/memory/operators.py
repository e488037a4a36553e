"""What operators change in the memory store: limits and pauses, and the order of the queue."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from ingestion.pool import controls
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.controls import Change, Named, PoolControls
from ingestion.pool.errors import AlreadyFinished, Conflict, NotQueued, Overlaps, refused
from ingestion.pool.memory.state import Held, MemoryState
from ingestion.pool.memory.verb import one_at_a_time
from ingestion.pool.order_rule import PriorityAging, front_before
from ingestion.pool.overlap import ALL, do_overlap, overlap_key
from ingestion.pool.snapshot import LimitInfo
from ingestion.pool.task import TaskStatus, WorkerTask


class MemoryOperators(MemoryState):
    """See ``PoolStore``."""

    # Limits and pauses

    @one_at_a_time
    def controls(self) -> PoolControls:
        return self._controls_in_force()

    @one_at_a_time
    def limit(self) -> LimitInfo:
        return self._limit_in_force()

    @one_at_a_time
    def set_limit(
        self,
        max_workers: int | None,
        *,
        change: ChangeRequest = UNSIGNED,
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(
            controls.limit_change(
                max_workers, change=change, crm_source=crm_source, expires_at=expires_at
            )
        )

    @one_at_a_time
    def pause(
        self,
        crm_source: str | None,
        *,
        change: ChangeRequest = UNSIGNED,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(controls.pause_change(crm_source, change=change, expires_at=expires_at))

    @one_at_a_time
    def resume(self, crm_source: str | None, *, change: ChangeRequest = UNSIGNED) -> PoolControls:
        return self._change(controls.resume_change(crm_source))

    @one_at_a_time
    def restore_controls(self, named: Named) -> PoolControls:
        if self._controls_changed_at is not None:
            return self._controls_in_force()
        return self._change(Change(named))

    def _change(self, change: Change) -> PoolControls:
        self._controls = change.applied_to(self._controls, now=self._now)
        self._controls_changed_at = self._now
        return self._controls_in_force()

    # The order of what waits

    @one_at_a_time
    def set_priority_aging(self, aging: PriorityAging) -> PoolControls:
        if aging.revision > self._priority_aging.revision:
            self._priority_aging = replace(aging, is_rescoring=False)
            for task_id in self._ready.ids():
                self._enqueue(self._held[task_id])
        return self._controls_in_force()

    def rescore(self, *, at_most: int = 500) -> bool:
        """A change of the rule moves all that waits at once."""
        return False

    @one_at_a_time
    def hold(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        held = self._waiting_one(task_id, change)
        if not held.task.held_at:
            self._leave_queue(held.task)
            held.task.held_at = self._now
            held.task.held_by, held.task.held_reason = change.by, change.reason
            self._put_again(held)
        return held.task

    @one_at_a_time
    def release(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        held = self._waiting_one(task_id, change)
        if held.task.held_at:
            self._leave_queue(held.task)
            held.task.held_at, held.task.held_by, held.task.held_reason = None, "", ""
            self._put_again(held)
        return held.task

    @one_at_a_time
    def prioritize(
        self, task_id: str, *, priority: int, change: ChangeRequest = UNSIGNED
    ) -> WorkerTask:
        held = self._waiting_one(task_id, change)
        if held.task.front_score is not None or held.task.priority != priority:
            self._leave_queue(held.task)
            held.task.priority, held.task.front_score = priority, None
            self._put_again(held)
        return held.task

    @one_at_a_time
    def move_to_front(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        held = self._waiting_one(task_id, change)
        first = self._ready.first()
        if first is not None and first < (self._place_of(held.task), task_id):
            self._leave_queue(held.task)
            held.task.front_score = front_before(first[0][0])
            self._put_again(held)
        return held.task

    @one_at_a_time
    def cancel(self, task_id: str, *, change: ChangeRequest = UNSIGNED) -> WorkerTask:
        held = self._as_seen(task_id, change)
        if held.task.status.is_final:
            raise refused(AlreadyFinished, task_id)
        if not held.task.confirmed_at:
            self._end(held, TaskStatus.CANCELLED, change.reason)
        elif not held.task.cancel_requested_at:
            held.task.cancel_requested_at = self._now
            held.task.error_message = change.reason or None
            held.task.revision += 1
        return held.task

    @one_at_a_time
    def meet(self, task_id: str, *, predecessors: Collection[str]) -> WorkerTask:
        held = self._waiting_one(task_id, UNSIGNED)
        self._wait_for(held, {i: r for i, r in held.task.after.items() if i not in predecessors})
        return held.task

    def _put_again(self, held: Held) -> None:
        held.task.revision += 1
        self._place(held)

    def _as_seen(self, task_id: str, change: ChangeRequest) -> Held:
        held = self._known(task_id)
        task = held.task
        if change.expected_revision not in (None, task.revision):
            raise Conflict.of(task_id, status=task.status.value, revision=task.revision)
        return held

    def _waiting_one(self, task_id: str, change: ChangeRequest) -> Held:
        held = self._as_seen(task_id, change)
        if held.task.status != TaskStatus.QUEUED:
            raise refused(NotQueued, task_id)
        return held

    # Overlaps

    def _refuse_overlap(self, new: WorkerTask) -> None:
        running = (t for t in self._tasks(self._active.ids()) if do_overlap(t, new))
        other = next((task.id for task in running), None) or self._first_queued_like(new)
        if other is not None:
            raise Overlaps.told(other, new.id)

    def _first_queued_like(self, new: WorkerTask) -> str | None:
        crm = f"{new.crm_source}|"
        wide = [crm] if new.sync_type == ALL else [f"{crm}{new.sync_type}|", f"{crm}{ALL}|"]
        return self._first_queued(*wide)

    def _coalescing(self, new: WorkerTask) -> Held | None:
        """The QUEUED task with equal parameters that covers this one."""
        own = overlap_key(new)
        found = self._first_queued(own, own.replace(f"|{new.sync_type}|", f"|{ALL}|", 1))
        return self._held[found] if found else None

    def _first_queued(self, *beginnings: str) -> str | None:
        found = (self._overlaps.first(beginning) for beginning in beginnings)
        return next((text.rpartition("|")[2] for text in found if text), None)

    def _coalesce(self, held: Held, new: WorkerTask) -> WorkerTask:
        """Give the queued task the higher priority and the earlier not-before time of the two."""
        task, earliest = held.task, max(new.not_before or self._now, self._now)
        is_raised = new.priority > task.priority
        is_sooner = task.not_before is not None and earliest < task.not_before
        if not (is_raised or is_sooner):
            return task
        self._leave_queue(task)
        if is_sooner:
            task.not_before = earliest
        task.priority = max(task.priority, new.priority)
        self._put_again(held)
        return task
