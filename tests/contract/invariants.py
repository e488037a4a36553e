"""The pool's promises, checked on what a store did. No store: it decides nothing, it only judges.

An action is one call of a verb. Before and after it a picture of the whole store is taken; what may
lie between the two is written here, once, in terms of the contract alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ingestion.pool.clock import to_us
from ingestion.pool.errors import LeaseLost, PoolError, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import FINAL_STATUSES, TaskStatus, WorkerTask
from tests.contract.invariants_after import (
    blocked_are_listed,
    may_go_on,
    noted_by_followers,
    waits_for_less,
)
from tests.contract.invariants_controls import ControlInvariants
from tests.contract.invariants_order import (
    ORDER_VERBS,
    SEEN_VERBS,
    is_judged_by_what_was_seen,
    order_is_kept,
    revision_follows,
)
from tests.contract.state_dump import StateDump, every_task_is_in_one_place, started_between

QUEUED, RUNNING = TaskStatus.QUEUED, TaskStatus.RUNNING
STARTING_VERBS = {"claim", "finish"}
# Verbs whose task is named in ``given``; every other task stays as it is, or is started.
ENDED_BY = {
    "finish": set(FINAL_STATUSES),
    "cancel": {TaskStatus.CANCELLED},
    "clear_queue": {TaskStatus.CANCELLED},
    "reap": {TaskStatus.FAILED, TaskStatus.CANCELLED},
}
OWN_VERBS = {*ORDER_VERBS, "meet"}
REQUEUED_BY = {"finish", "return_to_queue", "reap"}
HOLDERS_VERBS = {"heartbeat", "report_progress"}


@dataclass(frozen=True)
class PoolAction:
    """``answer`` is what the verb gave, or the PoolError by which it refused. ``is_repeat``: it
    was called before with the same token, and that answer got lost."""

    verb: str
    given: dict[str, Any]
    answer: Any
    is_repeat: bool = False

    @property
    def was_refused(self) -> bool:
        return isinstance(self.answer, PoolError)


@dataclass
class Invariants:
    """What is known from the outside: who was accepted, which limit was set, who gave a sign."""

    policy: PoolPolicy
    accepted: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=dict)
    workers: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    latest: datetime | None = None
    sent_at: dict[str, datetime] = field(default_factory=dict)
    last_seen: dict[str, WorkerTask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.controls = ControlInvariants(self.policy.default_max_workers)
        self.aging_seconds = self.policy.priority_aging_seconds

    @property
    def known(self) -> set[str]:
        return self.accepted - self.forgotten

    # What is asked after every action

    def judge(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        self.latest = max(self.latest or before.now, before.now, after.now)
        self.controls.expire(before.now)
        self._note(before, action, after)
        started = started_between(before, after)
        every_task_is_in_one_place(after)
        self._nothing_is_lost(before, action, after)
        self._changes_are_allowed(before, action, after)
        self._starts_are_allowed(before, action, after, started)
        self.sent_at |= dict.fromkeys(started, after.now)
        self._counters_agree(before, action, after, started)
        if action.was_refused:
            assert before.state() == after.state(), f"a refused {action.verb} changed the state"
        if action.verb in HOLDERS_VERBS | {"confirm", "finish"} and not action.is_repeat:
            self._fencing_holds(before, action)
        if action.verb == "reap":
            self._reap_is_complete(before, action, after)
        self._order_is_kept(before, action, after)
        self.controls.expire(after.now)
        self.controls.agree_with(after.snapshot)

    def _order_is_kept(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        was = before.tasks.get(action.given.get("task_id", ""))
        if was is not None and action.verb in SEEN_VERBS:
            is_judged_by_what_was_seen(was, action.verb, action.given, action.answer)
        if action.verb in ORDER_VERBS and not action.was_refused:
            order_is_kept(action.verb, action.given, after)

    def _note(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        if action.was_refused:
            return
        if action.verb == "submit":
            self._note_submission(before, action, after)
        elif action.verb == "set_priority_aging":
            self.aging_seconds = action.given["seconds"]
        elif action.verb in {"set_limit", "pause", "resume"}:
            self.controls.note(action.verb, action.given)
        elif action.verb == "worker_seen":
            self.workers[action.given["name"]] = (after.now, action.given["capacity"])
        elif action.verb == "worker_gone" and action.given["name"] in self.workers:
            self.workers[action.given["name"]] = (after.now, 0)

    def _note_submission(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        """Its place is behind everything that was ever submitted."""
        task_id = action.given["id"]
        if action.answer.id != task_id:
            self._is_coalesced(before, action, after)
            return
        if task_id not in self.accepted:
            mine = after.tasks[task_id].queued_at
            others = [task.queued_at for task in before.tasks.values()]
            assert all(mine > other for other in others), "submissions must be strictly in order"
            self.counted["submitted"] += 1
        self.accepted.add(task_id)

    @staticmethod
    def _is_coalesced(before: StateDump, action: PoolAction, after: StateDump) -> None:
        """By one that waits and does all that was asked."""
        asked: WorkerTask = action.given["task"]
        by = before.tasks[action.answer.id]
        assert asked.id not in after.tasks
        assert by.status == QUEUED
        assert not by.after
        assert action.given["on_overlap"] == OnOverlap.COALESCE
        assert by.crm_source == asked.crm_source
        assert by.sync_type in (asked.sync_type, "all")
        assert by.parameters == asked.parameters
        assert action.answer.priority == max(by.priority, asked.priority)

    # Nothing lost, nothing twice

    def _nothing_is_lost(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        gone = self.known - set(after.tasks)
        for task_id in gone:
            # A store may count what is over its retention as gone before anything drops it.
            is_gone_by_time = task_id not in before.tasks
            ended = self.last_seen[task_id]
            assert ended.status.is_final, f"{task_id} was lost by {action.verb}"
            is_drop = action.verb in {"reap", "forget_finished"}
            assert is_drop or is_gone_by_time, f"{action.verb} dropped {task_id}"
            by_itself = self.policy.retention_seconds
            age = by_itself if is_gone_by_time else action.given.get("max_age_seconds", by_itself)
            assert ended.completed_at is not None
            assert after.now - ended.completed_at >= timedelta(seconds=age)
        self.forgotten |= gone
        self.last_seen |= after.tasks

    # States

    def _changes_are_allowed(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        for task_id, now in after.tasks.items():
            was = before.tasks.get(task_id)
            if was is None:
                assert action.verb == "submit"
                assert (now.status, now.attempt) == (QUEUED, 0)
                continue
            if was.followers != now.followers:
                noted_by_followers(was, now, after)
                was = replace(was, followers=now.followers)
            if was != now:
                revision_follows(was, now)
                self._change_is_allowed(was, action, now, before, after)

    def _change_is_allowed(
        self,
        was: WorkerTask,
        action: PoolAction,
        now: WorkerTask,
        before: StateDump,
        after: StateDump,
    ) -> None:
        step = (was.status, now.status)
        assert not was.status.is_final, f"{action.verb} changed {was.id}, which was {was.status}"
        if now.attempt != was.attempt:
            self._attempt_rises(was, action, now)
            waits_for_less(was, now, after)
            assert not now.after, "it started before its predecessors have completed"
        elif now.status.is_final:
            assert now.status in ENDED_BY.get(action.verb, set()), (action, step)
            assert now.completed_at is not None
            self._end_is_allowed(was, action, before)
        elif step == (RUNNING, QUEUED):
            assert action.verb in REQUEUED_BY, (action, step)
            self._end_is_allowed(was, action, before)
        elif step == (QUEUED, QUEUED):
            is_its_own = action.verb in OWN_VERBS and action.given["task_id"] == was.id
            if was.after != now.after and action.verb in {"finish", "reap"}:
                waits_for_less(was, now, after)
            else:
                is_coalescing = action.verb == "submit" and action.answer.id == was.id
                assert is_its_own or is_coalescing, action
        else:
            assert step == (RUNNING, RUNNING), (action, step)
            assert action.verb in HOLDERS_VERBS | {"confirm", "cancel"}, (action, step)
            assert action.given["task_id"] == was.id
        assert now.queued_at == was.queued_at, "a task keeps its place"

    def _attempt_rises(self, was: WorkerTask, action: PoolAction, now: WorkerTask) -> None:
        assert action.verb in STARTING_VERBS, f"{action.verb} started {was.id}"
        assert now.status == RUNNING
        assert now.attempt == was.attempt + 1
        assert now.attempt > self.attempts.get(now.id, 0), "an attempt number came twice"
        assert now.celery_task_id == f"{now.id}.{now.attempt}"
        assert now.confirmed_at is None
        assert now.lease_expires_at is None
        self.attempts[now.id] = now.attempt

    def _end_is_allowed(self, was: WorkerTask, action: PoolAction, before: StateDump) -> None:
        if action.verb in {"finish", "return_to_queue", "cancel"}:
            assert action.given["task_id"] == was.id, f"{action.verb} ended another task"
        if action.verb == "cancel":
            assert was.confirmed_at is None, "a worker holds it: it can only be asked to stop"
        if action.verb == "return_to_queue":
            assert was.confirmed_at is None
        if action.verb == "clear_queue":
            assert was.status == QUEUED
        if action.verb == "reap":
            is_given_back = was.id in {task.id for task in action.answer.untaken}
            is_overdue = self._is_overdue(was, before.now) or self._is_overdue(was, self.latest)
            assert is_given_back != is_overdue

    def _is_overdue(self, task: WorkerTask, now: datetime | None) -> bool:
        """Held by a worker, and either clock has run out."""
        if now is None or task.status != RUNNING or task.confirmed_at is None:
            return False
        assert task.lease_expires_at is not None
        assert task.last_heartbeat is not None
        stale_at = task.last_heartbeat + timedelta(seconds=self.policy.stale_seconds)
        return now >= task.lease_expires_at or now >= stale_at

    # Who may start

    def _starts_are_allowed(
        self, before: StateDump, action: PoolAction, after: StateDump, started: set[str]
    ) -> None:
        ready = self._in_order(before, action)
        if started:
            assert len(after.active) <= self._slots(after.now), "over the limit"
        assert started == set(ready[: len(started)]), "out of order"
        if action.verb in STARTING_VERBS and not action.was_refused and not action.is_repeat:
            told = action.answer if action.verb == "claim" else action.answer.started
            assert [task.id for task in told] == ready[: len(started)], "told out of order"
            room = self._slots(after.now) - len(after.active)
            assert room <= 0 or len(started) == len(ready), "a slot stayed free while tasks waited"

    def _slots(self, now: datetime) -> int:
        """The limit, and what the workers online can carry of it."""
        limit = self.controls.limit() or 0
        if not self.workers:
            return limit
        ttl = timedelta(seconds=self.policy.worker_ttl_seconds)
        online = (capacity for seen, capacity in self.workers.values() if now - seen <= ttl)
        return min(limit, sum(online))

    def _in_order(self, before: StateDump, action: PoolAction) -> list[str]:
        """Those that may start now, the first first; a finish may put its own task among them."""
        due = [task_id for task_id in before.delayed if self._is_due(before.tasks[task_id], before)]
        waiting = [before.tasks[task_id] for task_id in [*before.ready, *due]]
        if action.verb == "finish" and not action.was_refused:
            waiting += self._queued_at_once(before.tasks[action.given["task_id"]], action)
            waiting += may_go_on(before, action.given["task_id"], action.given["outcome"])
        return self.controls.may_start(
            sorted(waiting, key=self._place), self._running_crms(before, action)
        )

    @staticmethod
    def _running_crms(before: StateDump, action: PoolAction) -> list[str]:
        """Without that of the task whose slot is freed first."""
        is_freed = action.verb == "finish" and not action.was_refused
        freed = action.given["task_id"] if is_freed else ""
        return [before.tasks[i].crm_source for i in before.active if i != freed]

    @staticmethod
    def _is_due(task: WorkerTask, before: StateDump) -> bool:
        return task.not_before is not None and task.not_before <= before.now

    @staticmethod
    def _queued_at_once(task: WorkerTask, action: PoolAction) -> Iterable[WorkerTask]:
        outcome: Outcome = action.given["outcome"]
        is_held = task.status == RUNNING and not action.is_repeat
        is_again = outcome.retry_in_seconds == 0 and task.attempt < task.max_attempts
        return [task] if is_held and is_again and not task.cancel_requested_at else []

    def _place(self, task: WorkerTask) -> tuple[int, int, int, str]:
        """First what was moved to the front, the latest such move first. Then first in, first out; a
        level of priority is worth so many seconds of waiting, or every second when there is no
        aging."""
        if task.front_score is not None:
            return (0, task.front_score, 0, task.id)
        submitted_us, aging = to_us(task.queued_at), self.aging_seconds
        if not aging:
            return (1, -task.priority, submitted_us, task.id)
        return (1, submitted_us - round(aging * 1_000_000) * task.priority, 0, task.id)

    # Fencing

    def _fencing_holds(self, before: StateDump, action: PoolAction) -> None:
        """Nobody but the holder of the current attempt is heard, and that one always is."""
        task = before.tasks.get(action.given["task_id"])
        if task is None:
            assert isinstance(action.answer, TaskNotFound)
            return
        is_current = task.status == RUNNING and task.attempt == action.given["attempt"]
        if action.verb in HOLDERS_VERBS:
            is_current = is_current and task.confirmed_at is not None
        if is_current and action.verb != "confirm":
            assert not action.was_refused, f"the holder was refused: {action.answer!r}"
        if task.attempt != action.given["attempt"]:
            assert isinstance(action.answer, LeaseLost)
        if not is_current:
            assert action.was_refused, f"{action.verb} of an attempt that is not held was heard"

    # Repairs

    def _reap_is_complete(self, before: StateDump, action: PoolAction, after: StateDump) -> None:
        overdue = {i for i, task in before.tasks.items() if self._is_overdue(task, before.now)}
        assert not overdue & set(after.active), "an overdue task still holds a slot"
        assert {task.id for task in action.answer.ended} >= overdue
        self._every_lost_message_is_sent_again(before, action, after)
        blocked_are_listed({task.id for task in action.answer.blocked}, after)

    def _every_lost_message_is_sent_again(
        self, before: StateDump, action: PoolAction, after: StateDump
    ) -> None:
        """Once per dispatch time, and only while somebody could read it; often sent, it is given
        back instead."""
        wait = timedelta(seconds=self.policy.dispatch_seconds)
        waiting = [i for i in before.active if before.tasks[i].confirmed_at is None]
        overdue = {i for i in waiting if before.now - self.sent_at[i] >= wait}
        listed = {task.id for task in (*action.answer.unconfirmed, *action.answer.untaken)}
        assert listed == (overdue if self._slots(after.now) else set())
        self.sent_at |= dict.fromkeys(listed, after.now)

    # Counters

    def _counters_agree(
        self, before: StateDump, action: PoolAction, after: StateDump, started: set[str]
    ) -> None:
        self.counted["started"] += len(started)
        for task_id, task in after.tasks.items():
            was = before.tasks.get(task_id)
            if task.status.is_final and was is not None and not was.status.is_final:
                self.counted[task.status.value] += 1
        if action.verb == "return_to_queue" and not action.was_refused:
            was = before.tasks[action.given["task_id"]]
            self.counted["released"] += int(was.status == RUNNING)
        if action.verb == "reap" and not action.was_refused:
            self.counted["lost"] += len(action.answer.lost)
            self.counted["stale"] += len(action.answer.stale)
            self.counted["resent"] += len(action.answer.unconfirmed)
            self.counted["untaken"] += len(action.answer.untaken)
        for name in (*COUNTED, *(status.value for status in FINAL_STATUSES)):
            assert after.snapshot.counters.get(name, 0) == self.counted[name], name

    # After the store has lost everything

    def state_was_lost(self, restored: Iterable[WorkerTask]) -> None:
        """Only ``restored`` are known to the store now; workers tell of themselves again."""
        known = {task.id for task in restored}
        self.forgotten |= self.accepted - known
        self.counted.clear()
        self.workers.clear()
        self.controls.kept.clear()
        self.aging_seconds = self.policy.priority_aging_seconds


COUNTED = ("submitted", "started", "released", "lost", "stale", "resent", "untaken")
