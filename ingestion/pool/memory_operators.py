"""What operators change of a pool in memory: limits and pauses, and the order of what waits."""

from __future__ import annotations

from datetime import datetime

from ingestion.pool import controls
from ingestion.pool.clock import to_us
from ingestion.pool.controls import Change, Named, PoolControls
from ingestion.pool.errors import AlreadyFinished, Conflict, NotQueued, Overlaps, refused
from ingestion.pool.memory_state import Held, MemoryState
from ingestion.pool.memory_verb import one_at_a_time
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
        by: str,
        reason: str = "",
        crm_source: str | None = None,
        expires_at: datetime | None = None,
    ) -> PoolControls:
        return self._change(
            controls.limit_change(
                max_workers, by=by, reason=reason, crm_source=crm_source, expires_at=expires_at
            )
        )

    @one_at_a_time
    def pause(
        self, crm_source: str | None, *, by: str, reason: str, expires_at: datetime | None = None
    ) -> PoolControls:
        return self._change(
            controls.pause_change(crm_source, by=by, reason=reason, expires_at=expires_at)
        )

    @one_at_a_time
    def resume(self, crm_source: str | None, *, by: str, reason: str = "") -> PoolControls:
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
    def hold(
        self, task_id: str, *, by: str, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        held = self._waiting_one(task_id, expected_revision)
        if not held.task.held_at:
            self._leave_queue(held.task)
            held.task.held_at, held.task.held_by, held.task.held_reason = self._now, by, reason
            self._put_again(held)
        return held.task

    @one_at_a_time
    def unhold(self, task_id: str, *, by: str, expected_revision: int | None = None) -> WorkerTask:
        held = self._waiting_one(task_id, expected_revision)
        if held.task.held_at:
            self._leave_queue(held.task)
            held.task.held_at, held.task.held_by, held.task.held_reason = None, "", ""
            self._put_again(held)
        return held.task

    @one_at_a_time
    def reprioritise(
        self, task_id: str, *, priority: int, expected_revision: int | None = None
    ) -> WorkerTask:
        held = self._waiting_one(task_id, expected_revision)
        if held.task.front_score is not None or held.task.priority != priority:
            self._leave_queue(held.task)
            self._move(held, priority)
            self._put_again(held)
        return held.task

    @one_at_a_time
    def move_to_front(self, task_id: str, *, expected_revision: int | None = None) -> WorkerTask:
        held = self._waiting_one(task_id, expected_revision)
        first = self._ready.first()
        if first is not None and first < (held.score, task_id):
            self._leave_queue(held.task)
            held.score = held.task.front_score = first[0] - 1
            self._put_again(held)
        return held.task

    @one_at_a_time
    def cancel(
        self, task_id: str, *, reason: str, expected_revision: int | None = None
    ) -> WorkerTask:
        held = self._as_seen(task_id, expected_revision)
        if held.task.status.is_final:
            raise refused(AlreadyFinished, task_id)
        if not held.task.confirmed_at:
            self._end(held, TaskStatus.CANCELLED, reason)
        elif not held.task.cancel_requested_at:
            held.task.cancel_requested_at = self._now
            held.task.error_message = reason or None
            held.task.revision += 1
        return held.task

    def _move(self, held: Held, priority: int) -> None:
        held.task.priority, held.task.front_score = priority, None
        held.score = self._policy.place_of(held.task, to_us(held.task.queued_at))

    def _put_again(self, held: Held) -> None:
        held.task.revision += 1
        self._place(held)

    def _as_seen(self, task_id: str, expected_revision: int | None) -> Held:
        held = self._known(task_id)
        task = held.task
        if expected_revision is not None and task.revision != expected_revision:
            raise Conflict.of(task_id, status=task.status.value, revision=task.revision)
        return held

    def _waiting_one(self, task_id: str, expected_revision: int | None) -> Held:
        held = self._as_seen(task_id, expected_revision)
        if held.task.status != TaskStatus.QUEUED:
            raise refused(NotQueued, task_id)
        return held

    # What would be done twice

    def _refuse_overlap(self, new: WorkerTask) -> None:
        running = (t for t in self._tasks(self._active.ids()) if do_overlap(t, new))
        other = next((task.id for task in running), None) or self._first_queued_like(new)
        if other is not None:
            raise Overlaps.told(other, new.id)

    def _first_queued_like(self, new: WorkerTask) -> str | None:
        crm = f"{new.crm_source}|"
        wide = [crm] if new.sync_type == ALL else [f"{crm}{new.sync_type}|", f"{crm}{ALL}|"]
        return self._first_queued(*wide)

    def _absorbing(self, new: WorkerTask) -> Held | None:
        """A QUEUED task with the same parameters that does all that is asked."""
        own = overlap_key(new)
        found = self._first_queued(own, own.replace(f"|{new.sync_type}|", f"|{ALL}|", 1))
        return self._held[found] if found else None

    def _first_queued(self, *beginnings: str) -> str | None:
        found = (self._overlaps.first(beginning) for beginning in beginnings)
        return next((text.rpartition("|")[2] for text in found if text), None)

    def _absorb(self, held: Held, new: WorkerTask) -> WorkerTask:
        """The higher priority of the two counts, and the earlier time."""
        task, earliest = held.task, max(new.not_before or self._now, self._now)
        is_raised = new.priority > task.priority
        is_sooner = task.not_before is not None and earliest < task.not_before
        if not (is_raised or is_sooner):
            return task
        self._leave_queue(task)
        if is_sooner:
            task.not_before = earliest
        if is_raised and task.front_score is None:
            self._move(held, new.priority)
        task.priority = max(task.priority, new.priority)
        self._put_again(held)
        return task
