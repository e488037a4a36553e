"""The data of a pool in memory and the moves of a task in it. Callers must hold its lock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ingestion.pool.clock import to_us
from ingestion.pool.controls import Control, PoolControls, in_force
from ingestion.pool.errors import LeaseLost, TaskNotFound, refused
from ingestion.pool.memory.order import Beginnings, Order, Queues
from ingestion.pool.overlap import overlap_member
from ingestion.pool.snapshot import LimitInfo, WorkerInfo, knows, limit_info
from ingestion.pool.store import ANSWER_SECONDS, Outcome, PoolPolicy
from ingestion.pool.task import MOST_FOLLOWERS, TaskStatus, WorkerTask, utc_now

T = TypeVar("T")


@dataclass
class Held:
    """A task with its score and tokens, which callers do not see."""

    task: WorkerTask
    confirm_token: str | None = None
    finish_token: str | None = None
    resends: int = 0


class MemoryState:
    """``_now`` is the time at which the current verb happens. While ``is_quiet``, nothing starts."""

    epoch: int | None = None
    is_quiet = False

    def __init__(self, policy: PoolPolicy, clock: Callable[[], datetime] = utc_now) -> None:
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._now = clock()
        self._forget_all()

    def _forget_all(self) -> None:
        self._held: dict[str, Held] = {}
        self._ready, self._waiting = Queues(), Order()
        self._delayed, self._on_hold, self._finished = Order(), Order(), Order()
        self._overlaps = Beginnings()
        self._active, self._leases, self._unconfirmed = Order(), Order(), Order()
        self._answers: dict[str, tuple[datetime, Any]] = {}
        self._counters: Counter[str] = Counter()
        self._controls: dict[str, Control] = {}
        self._controls_changed_at: datetime | None = None
        self._priority_aging = self._policy.default_aging
        self._last_order_us = 0
        self._last_monitor_at: datetime | None = None
        self._workers: dict[str, tuple[datetime, int]] = {}
        self._worker_tasks: dict[str, frozenset[str]] = {}
        self._worker_releases: dict[str, str] = {}

    # Time and operations

    def _before(self, seconds: float) -> int:
        return to_us(self._now - timedelta(seconds=seconds))

    def _once(self, token: str, operation: Callable[[], T]) -> T:
        """Run ``operation``, unless that was done under the same token: then its answer of then."""
        oldest = self._now - timedelta(seconds=ANSWER_SECONDS)
        self._answers = {t: record for t, record in self._answers.items() if record[0] > oldest}
        if token not in self._answers:
            self._answers[token] = (self._now, deepcopy(operation()))
        answer: T = self._answers[token][1]
        return answer

    # Places

    def _keep(self, task: WorkerTask) -> None:
        self._held[task.id] = Held(task)
        self._place(self._held[task.id])

    def _place_of(self, task: WorkerTask) -> tuple[int, int]:
        return self._priority_aging.rule.place_of(task)

    def _place(self, held: Held) -> None:
        task = held.task
        self._overlaps.put(overlap_member(task))
        if task.held_place:
            self._on_hold.put(task.id, to_us(task.held_place))
        elif task.not_before and task.not_before > self._now:
            self._delayed.put(task.id, to_us(task.not_before))
        else:
            self._enqueue(held)

    def _enqueue(self, held: Held) -> None:
        task = held.task
        self._ready.put(task.id, self._place_of(task), crm_source=task.crm_source)
        self._waiting.put(task.id, to_us(task.queued_at))

    def _leave_queue(self, task: WorkerTask) -> None:
        self._overlaps.drop(overlap_member(task))
        for order in (self._ready, self._waiting, self._delayed, self._on_hold):
            order.drop(task.id)

    def _leave_slot(self, task: WorkerTask) -> None:
        for order in (self._active, self._leases, self._unconfirmed):
            order.drop(task.id)
        task.lease_expires_at = None

    def _promote_due(self) -> None:
        for task_id in self._delayed.ids(up_to=to_us(self._now)):
            self._delayed.drop(task_id)
            self._place(self._held[task_id])

    # Waiting for others

    def _still_open(self, task: WorkerTask) -> dict[str, str]:
        """What it waits for without what has completed; each that is open notes its follower."""
        left = {}
        for task_id, route in task.after.items():
            found = self._held[task_id].task if task_id in self._held else None
            if found and found.status == TaskStatus.COMPLETED:
                continue
            left[task_id] = route
            if found and not found.status.is_final and len(found.followers) < MOST_FOLLOWERS:
                found.followers[task.id] = task.route
        return left

    def _wait_for(self, held: Held, left: dict[str, str]) -> None:
        """A QUEUED task waits for these alone, or takes its place in the queue."""
        if held.task.after == left:
            return
        self._leave_queue(held.task)
        held.task.after = left
        held.task.revision += 1
        self._place(held)

    def _release_followers(self, task: WorkerTask) -> None:
        for follower_id in task.followers:
            held = self._held.get(follower_id)
            if held and held.task.status == TaskStatus.QUEUED:
                self._wait_for(held, {i: r for i, r in held.task.after.items() if i != task.id})

    def _blocked(self) -> list[WorkerTask]:
        """Those that wait for what will not complete here, after the others were let go."""
        found = []
        for task_id in self._on_hold.ids():
            held = self._held[task_id]
            if held.task.held_at or not held.task.after:
                continue
            self._wait_for(held, self._still_open(held.task))
            if any(not self._is_open(other) for other in held.task.after):
                found.append(held.task)
        return found

    def _is_open(self, task_id: str) -> bool:
        return task_id in self._held and not self._held[task_id].task.status.is_final

    # Starting

    def _claim_free_slots(self) -> tuple[WorkerTask, ...]:
        self._promote_due()
        started = []
        while self._has_free_slot() and (first := self._ready.first(self._has_room)):
            held = self._held[first[1]]
            if self.knows(held.task):
                started.append(self._start(held))
            else:
                self._park(held)
        return tuple(started)

    def _park(self, held: Held) -> None:
        """No worker online knows it: it takes no slot, and is looked at again after a while."""
        self._leave_queue(held.task)
        held.task.not_before = self._now + timedelta(seconds=self._policy.dispatch_seconds)
        self._place(held)

    def _has_free_slot(self) -> bool:
        is_paused = self._controls_in_force().pause is not None
        return not is_paused and len(self._active) < self._effective_limit()

    def _has_room(self, crm_source: str) -> bool:
        controls = self._controls_in_force()
        if controls.pause_of(crm_source):
            return False
        limit = controls.crm_limits.get(crm_source)
        return limit is None or self._running(crm_source) < limit.value

    def _running(self, crm_source: str) -> int:
        return sum(task.crm_source == crm_source for task in self._tasks(self._active.ids()))

    def _start(self, held: Held) -> WorkerTask:
        task, held.resends = held.task, 0
        self._leave_queue(task)
        task.status = TaskStatus.RUNNING
        task.attempt += 1
        task.revision += 1
        task.started_at = task.last_heartbeat = self._now
        task.celery_task_id = f"{task.id}.{task.attempt}"
        task.error_message = None
        self._active.put(task.id, to_us(task.started_at))
        self._unconfirmed.put(task.id, to_us(task.started_at))
        self._counters["started"] += 1
        return task

    def _confirm(self, held: Held, *, worker: str, token: str) -> None:
        task = held.task
        held.confirm_token = token
        task.worker = worker
        task.confirmed_at = task.last_heartbeat = self._now
        self._unconfirmed.drop(task.id)
        self._active.put(task.id, to_us(self._now))
        self._renew_lease(task)

    def _renew_lease(self, task: WorkerTask) -> None:
        task.lease_expires_at = self._now + timedelta(seconds=self._policy.lease_seconds)
        self._leases.put(task.id, to_us(task.lease_expires_at))

    def _hold(self, task: WorkerTask) -> None:
        """Give a running task its slot. If a worker has it, lease and progress count from now; else
        it is sent again at once."""
        task.last_heartbeat = self._now
        self._active.put(task.id, to_us(self._now))
        if task.confirmed_at:
            self._renew_lease(task)
        else:
            self._unconfirmed.put(task.id, 0)

    # Ending

    def _end_attempt(self, held: Held, outcome: Outcome, token: str) -> None:
        task = held.task
        if task.cancel_requested_at and outcome.status != TaskStatus.COMPLETED:
            own = None if outcome.is_interruption else outcome.error_message
            reason = own or task.error_message
            self._end(held, TaskStatus.CANCELLED, reason, result=outcome.result, token=token)
        elif outcome.is_interruption:
            task = self._requeue(held, message=outcome.error_message, wait_seconds=0)
            task.max_attempts += 1
            self._counters["interrupted"] += 1
        elif outcome.retry_in_seconds is not None and (
            outcome.is_earned or task.attempt < task.max_attempts
        ):
            task = self._requeue(
                held, message=outcome.error_message, wait_seconds=outcome.retry_in_seconds
            )
            task.max_attempts += outcome.is_earned
            self._counters["requeued"] += 1
        else:
            self._end(
                held, outcome.status, outcome.error_message, result=outcome.result, token=token
            )

    def _end(
        self,
        held: Held,
        status: TaskStatus,
        message: str | None,
        *,
        result: dict[str, Any] | None = None,
        token: str | None = None,
    ) -> WorkerTask:
        task = held.task
        self._leave_queue(task)
        self._leave_slot(task)
        task.status, task.completed_at = status, self._now
        task.revision += 1
        task.held_at, task.held_by, task.held_reason = None, "", ""
        task.error_message = message or None
        task.result = deepcopy(result or task.result)
        held.finish_token = token
        self._finished.put(task.id, to_us(self._now))
        self._counters[status.value] += 1
        if status == TaskStatus.COMPLETED:
            self._release_followers(task)
        return task

    def _requeue(self, held: Held, *, message: str | None, wait_seconds: float) -> WorkerTask:
        self._leave_slot(held.task)
        task = held.task.queued_again(held.task.queued_at)
        task.error_message = message or None
        task.revision += 1
        wait = timedelta(seconds=wait_seconds)
        task.not_before = self._now + wait if wait > timedelta() else None
        held.task, held.confirm_token = task, None
        self._place(held)
        return task

    def _end_lost(self, task_id: str) -> WorkerTask:
        held = self._held[task_id]
        task = held.task
        self._counters["lost"] += 1
        message = self._policy.lost_message.format(worker=task.worker)
        if task.cancel_requested_at:
            return self._end(held, TaskStatus.CANCELLED, task.error_message)
        if task.attempt >= task.max_attempts:
            return self._end(held, TaskStatus.FAILED, message)
        self._counters["requeued"] += 1
        wait = self._policy.backoff_seconds(task.attempt)
        return self._requeue(held, message=message, wait_seconds=wait)

    def _end_stale(self, task_id: str) -> WorkerTask:
        held = self._held[task_id]
        self._counters["stale"] += 1
        if held.task.cancel_requested_at:
            return self._end(held, TaskStatus.CANCELLED, held.task.error_message)
        return self._end(held, TaskStatus.FAILED, self._policy.stale_message)

    def _overdue_unconfirmed(self) -> list[Held]:
        """Nothing while all workers are offline: nobody would read it."""
        if not self._effective_limit():
            return []
        ids = self._unconfirmed.ids(up_to=self._before(self._policy.dispatch_seconds))
        return [self._held[task_id] for task_id in ids]

    def _resend(self, held: Held) -> WorkerTask:
        self._unconfirmed.put(held.task.id, to_us(self._now))
        held.resends += 1
        self._counters["resent"] += 1
        return held.task

    def _return_untaken(self, held: Held) -> WorkerTask:
        """As little an attempt as one that was never sent: nothing has run."""
        message = self._policy.not_taken_message.format(task=held.task.task_name)
        wait = self._policy.untaken_seconds(held.task.attempt)
        task = self._requeue(held, message=message, wait_seconds=wait)
        task.max_attempts += 1
        self._counters["untaken"] += 1
        return task

    def _drop_finished(self, until_us: int) -> int:
        ids = self._finished.ids(up_to=until_us)
        for task_id in ids:
            self._finished.drop(task_id)
            del self._held[task_id]
        return len(ids)

    # Reading

    def _known(self, task_id: str) -> Held:
        if task_id not in self._held:
            raise refused(TaskNotFound, task_id)
        return self._held[task_id]

    def _held_by(self, task_id: str, attempt: int) -> Held:
        """A task that a worker holds in this attempt."""
        held = self._known(task_id)
        task = held.task
        if task.status != TaskStatus.RUNNING or task.attempt != attempt or not task.confirmed_at:
            raise refused(LeaseLost, task_id)
        return held

    def _waiting_ids(self) -> list[str]:
        return self._ready.ids() + self._delayed.ids() + self._on_hold.ids()

    def _tasks(self, ids: Iterable[str]) -> tuple[WorkerTask, ...]:
        return tuple(self._held[task_id].task for task_id in ids)

    def _longest_first(self) -> tuple[WorkerTask, ...]:
        tasks = self._tasks(self._active.ids())
        return tuple(sorted(tasks, key=lambda t: (t.started_at or t.queued_at, t.id)))

    def _controls_in_force(self) -> PoolControls:
        self._controls = in_force(self._controls, now=self._now)
        return PoolControls.of(
            self._controls,
            changed_at=self._controls_changed_at,
            priority_aging=self._priority_aging,
        )

    def _limit_in_force(self) -> LimitInfo:
        controls = self._controls_in_force()
        return limit_info(controls, default_max_workers=self._policy.default_max_workers)

    def _effective_limit(self) -> int:
        """The limit, and no more than the processes of the workers online; the limit alone until a
        worker was ever seen."""
        limit = 0 if self.is_quiet else self._limit_in_force().max_workers
        if not self._workers:
            return limit
        return min(limit, sum(w.capacity for w in self._worker_infos() if w.is_online))

    def knows(self, task: WorkerTask) -> bool:
        """Whether a worker online knows it, or may."""
        return knows(self._worker_infos(), task.task_name)

    def _worker_infos(self) -> tuple[WorkerInfo, ...]:
        ttl = timedelta(seconds=self._policy.worker_ttl_seconds)
        return tuple(
            WorkerInfo.seen(
                *(name, seen, capacity),
                is_recent=self._now - seen <= ttl,
                task_names=self._worker_tasks.get(name),
                release=self._worker_releases.get(name, ""),
            )
            for name, (seen, capacity) in sorted(self._workers.items())
        )
