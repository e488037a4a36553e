"""The pool's promises, checked on what a store did. No store: it decides nothing, it only judges.

A deed is one call of a verb. Before and after it a picture of the whole store is taken; what may
lie between the two is written here, once, in terms of the contract alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingestion.pool.clock import to_us
from ingestion.pool.errors import LeaseLost, PoolError, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import EPOCH_US, STRICT_LEVEL, Outcome, PoolPolicy
from ingestion.pool.task import FINAL_STATUSES, TaskStatus, WorkerTask
from tests.contract.picture import Picture
from tests.contract.promised_controls import PromisedControls
from tests.contract.promised_order import (
    ORDER_VERBS,
    SEEN_VERBS,
    is_judged_by_what_was_seen,
    order_is_kept,
    revision_follows,
)

QUEUED, RUNNING = TaskStatus.QUEUED, TaskStatus.RUNNING
STARTING_VERBS = {"claim", "finish"}
# Verbs whose task is named in ``given``; every other task stays as it is, or is started.
ENDED_BY = {
    "finish": set(FINAL_STATUSES),
    "cancel": {TaskStatus.CANCELLED},
    "clear_queue": {TaskStatus.CANCELLED},
    "reap": {TaskStatus.FAILED, TaskStatus.CANCELLED},
}
REQUEUED_BY = {"finish", "release", "reap"}
HOLDERS_VERBS = {"heartbeat", "report_progress"}


@dataclass(frozen=True)
class Deed:
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
class Promises:
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
        self.controls = PromisedControls(self.policy.default_max_workers)

    @property
    def known(self) -> set[str]:
        return self.accepted - self.forgotten

    # What is asked after every deed

    def judge(self, before: Picture, deed: Deed, after: Picture) -> None:
        self.latest = max(self.latest or before.now, before.now, after.now)
        self.controls.expire(before.now)
        self._note(before, deed, after)
        started = started_between(before, after)
        every_task_is_in_one_place(after)
        self._nothing_is_lost(before, deed, after)
        self._changes_are_allowed(before, deed, after)
        self._starts_are_allowed(before, deed, after, started)
        self.sent_at |= dict.fromkeys(started, after.now)
        self._counters_agree(before, deed, after, started)
        if deed.was_refused:
            assert before.state() == after.state(), f"a refused {deed.verb} changed the state"
        if deed.verb in HOLDERS_VERBS | {"confirm", "finish"} and not deed.is_repeat:
            self._fencing_holds(before, deed)
        if deed.verb == "reap":
            self._reap_is_complete(before, deed, after)
        self._order_is_kept(before, deed, after)
        self.controls.expire(after.now)
        self.controls.agree_with(after.snapshot)

    def _order_is_kept(self, before: Picture, deed: Deed, after: Picture) -> None:
        was = before.tasks.get(deed.given.get("task_id", ""))
        if was is not None and deed.verb in SEEN_VERBS:
            is_judged_by_what_was_seen(was, deed.verb, deed.given, deed.answer)
        if deed.verb in ORDER_VERBS and not deed.was_refused:
            order_is_kept(deed.verb, deed.given, after)

    def _note(self, before: Picture, deed: Deed, after: Picture) -> None:
        if deed.was_refused:
            return
        if deed.verb == "submit":
            self._note_submission(before, deed, after)
        elif deed.verb in {"set_limit", "pause", "resume"}:
            self.controls.note(deed.verb, deed.given)
        elif deed.verb == "worker_seen":
            self.workers[deed.given["name"]] = (after.now, deed.given["capacity"])
        elif deed.verb == "worker_gone" and deed.given["name"] in self.workers:
            self.workers[deed.given["name"]] = (after.now, 0)

    def _note_submission(self, before: Picture, deed: Deed, after: Picture) -> None:
        """Its place is behind everything that was ever submitted."""
        task_id = deed.given["id"]
        if deed.answer.id != task_id:
            self._is_absorbed(before, deed, after)
            return
        if task_id not in self.accepted:
            mine = after.tasks[task_id].queued_at
            others = [task.queued_at for task in before.tasks.values()]
            assert all(mine > other for other in others), "submissions must be strictly in order"
            self.counted["submitted"] += 1
        self.accepted.add(task_id)

    @staticmethod
    def _is_absorbed(before: Picture, deed: Deed, after: Picture) -> None:
        """By one that waits and does all that was asked."""
        asked: WorkerTask = deed.given["task"]
        by = before.tasks[deed.answer.id]
        assert asked.id not in after.tasks
        assert by.status == QUEUED
        assert deed.given["on_overlap"] == OnOverlap.COALESCE
        assert by.crm_source == asked.crm_source
        assert by.sync_type in (asked.sync_type, "all")
        assert by.parameters == asked.parameters
        assert deed.answer.priority == max(by.priority, asked.priority)

    # Nothing lost, nothing twice

    def _nothing_is_lost(self, before: Picture, deed: Deed, after: Picture) -> None:
        gone = self.known - set(after.tasks)
        for task_id in gone:
            # A store may count what is over its retention as gone before anything drops it.
            is_gone_by_time = task_id not in before.tasks
            ended = self.last_seen[task_id]
            assert ended.status.is_final, f"{task_id} was lost by {deed.verb}"
            is_drop = deed.verb in {"reap", "forget_finished"}
            assert is_drop or is_gone_by_time, f"{deed.verb} dropped {task_id}"
            by_itself = self.policy.retention_seconds
            age = by_itself if is_gone_by_time else deed.given.get("max_age_seconds", by_itself)
            assert ended.completed_at is not None
            assert after.now - ended.completed_at >= timedelta(seconds=age)
        self.forgotten |= gone
        self.last_seen |= after.tasks

    # States

    def _changes_are_allowed(self, before: Picture, deed: Deed, after: Picture) -> None:
        for task_id, now in after.tasks.items():
            was = before.tasks.get(task_id)
            if was is None:
                assert deed.verb == "submit"
                assert (now.status, now.attempt) == (QUEUED, 0)
            elif was != now:
                revision_follows(was, now)
                self._change_is_allowed(was, deed, now, before)

    def _change_is_allowed(
        self, was: WorkerTask, deed: Deed, now: WorkerTask, before: Picture
    ) -> None:
        step = (was.status, now.status)
        assert not was.status.is_final, f"{deed.verb} changed {was.id}, which was {was.status}"
        if now.attempt != was.attempt:
            self._attempt_rises(was, deed, now)
        elif now.status.is_final:
            assert now.status in ENDED_BY.get(deed.verb, set()), (deed, step)
            assert now.completed_at is not None
            self._end_is_allowed(was, deed, before)
        elif step == (RUNNING, QUEUED):
            assert deed.verb in REQUEUED_BY, (deed, step)
            self._end_is_allowed(was, deed, before)
        elif step == (QUEUED, QUEUED):
            is_its_own = deed.verb in ORDER_VERBS and deed.given["task_id"] == was.id
            assert is_its_own or (deed.verb == "submit" and deed.answer.id == was.id), deed
        else:
            assert step == (RUNNING, RUNNING), (deed, step)
            assert deed.verb in HOLDERS_VERBS | {"confirm", "cancel"}, (deed, step)
            assert deed.given["task_id"] == was.id
        assert now.queued_at == was.queued_at, "a task keeps its place"

    def _attempt_rises(self, was: WorkerTask, deed: Deed, now: WorkerTask) -> None:
        assert deed.verb in STARTING_VERBS, f"{deed.verb} started {was.id}"
        assert now.status == RUNNING
        assert now.attempt == was.attempt + 1
        assert now.attempt > self.attempts.get(now.id, 0), "an attempt number came twice"
        assert now.celery_task_id == f"{now.id}.{now.attempt}"
        assert now.confirmed_at is None
        assert now.lease_expires_at is None
        self.attempts[now.id] = now.attempt

    def _end_is_allowed(self, was: WorkerTask, deed: Deed, before: Picture) -> None:
        if deed.verb in {"finish", "release", "cancel"}:
            assert deed.given["task_id"] == was.id, f"{deed.verb} ended another task"
        if deed.verb == "cancel":
            assert was.confirmed_at is None, "a worker holds it: it can only be asked to stop"
        if deed.verb == "release":
            assert was.confirmed_at is None
        if deed.verb == "clear_queue":
            assert was.status == QUEUED
        if deed.verb == "reap":
            assert self._is_overdue(was, before.now) or self._is_overdue(was, self.latest)

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
        self, before: Picture, deed: Deed, after: Picture, started: set[str]
    ) -> None:
        ready = self._in_order(before, deed)
        if started:
            assert len(after.active) <= self._slots(after.now), "over the limit"
        assert started == set(ready[: len(started)]), "out of order"
        if deed.verb in STARTING_VERBS and not deed.was_refused and not deed.is_repeat:
            told = deed.answer if deed.verb == "claim" else deed.answer.started
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

    def _in_order(self, before: Picture, deed: Deed) -> list[str]:
        """Those that may start now, the first first; a finish may put its own task among them."""
        due = [task_id for task_id in before.delayed if self._is_due(before.tasks[task_id], before)]
        waiting = [before.tasks[task_id] for task_id in [*before.ready, *due]]
        if deed.verb == "finish" and not deed.was_refused:
            waiting += self._queued_at_once(before.tasks[deed.given["task_id"]], deed)
        return self.controls.may_start(
            sorted(waiting, key=self._place), self._running_crms(before, deed)
        )

    @staticmethod
    def _running_crms(before: Picture, deed: Deed) -> list[str]:
        """Without that of the task whose slot is freed first."""
        is_freed = deed.verb == "finish" and not deed.was_refused
        freed = deed.given["task_id"] if is_freed else ""
        return [before.tasks[i].crm_source for i in before.active if i != freed]

    @staticmethod
    def _is_due(task: WorkerTask, before: Picture) -> bool:
        return task.not_before is not None and task.not_before <= before.now

    @staticmethod
    def _queued_at_once(task: WorkerTask, deed: Deed) -> Iterable[WorkerTask]:
        outcome: Outcome = deed.given["outcome"]
        is_held = task.status == RUNNING and not deed.is_repeat
        is_again = outcome.retry_in_seconds == 0 and task.attempt < task.max_attempts
        return [task] if is_held and is_again and not task.cancel_requested_at else []

    def _place(self, task: WorkerTask) -> tuple[int, str]:
        """What was moved to the front has a score of its own. For the others: first in, first out;
        a level of priority is worth so many seconds of waiting, or every second when there is no
        aging."""
        if task.front_score is not None:
            return (task.front_score, task.id)
        submitted_us, aging = to_us(task.queued_at) - EPOCH_US, self.policy.priority_aging_seconds
        if not aging:
            return (submitted_us // 1000 - task.priority * STRICT_LEVEL, task.id)
        return (submitted_us - round(aging * 1_000_000) * task.priority, task.id)

    # Fencing

    def _fencing_holds(self, before: Picture, deed: Deed) -> None:
        """Nobody but the holder of the current attempt is heard, and that one always is."""
        task = before.tasks.get(deed.given["task_id"])
        if task is None:
            assert isinstance(deed.answer, TaskNotFound)
            return
        is_current = task.status == RUNNING and task.attempt == deed.given["attempt"]
        if deed.verb in HOLDERS_VERBS:
            is_current = is_current and task.confirmed_at is not None
        if is_current and deed.verb != "confirm":
            assert not deed.was_refused, f"the holder was refused: {deed.answer!r}"
        if task.attempt != deed.given["attempt"]:
            assert isinstance(deed.answer, LeaseLost)
        if not is_current:
            assert deed.was_refused, f"{deed.verb} of an attempt that is not held was heard"

    # Repairs

    def _reap_is_complete(self, before: Picture, deed: Deed, after: Picture) -> None:
        overdue = {i for i, task in before.tasks.items() if self._is_overdue(task, before.now)}
        assert not overdue & set(after.active), "an overdue task still holds a slot"
        assert {task.id for task in deed.answer.ended} >= overdue
        self._every_lost_message_is_sent_again(before, deed, after)

    def _every_lost_message_is_sent_again(
        self, before: Picture, deed: Deed, after: Picture
    ) -> None:
        """Once per dispatch time, and only while somebody could read it."""
        wait = timedelta(seconds=self.policy.dispatch_seconds)
        waiting = [i for i in before.active if before.tasks[i].confirmed_at is None]
        overdue = {i for i in waiting if before.now - self.sent_at[i] >= wait}
        listed = {task.id for task in deed.answer.unconfirmed}
        assert listed == (overdue if self._slots(after.now) else set())
        self.sent_at |= dict.fromkeys(listed, after.now)

    # Counters

    def _counters_agree(
        self, before: Picture, deed: Deed, after: Picture, started: set[str]
    ) -> None:
        self.counted["started"] += len(started)
        for task_id, task in after.tasks.items():
            was = before.tasks.get(task_id)
            if task.status.is_final and was is not None and not was.status.is_final:
                self.counted[task.status.value] += 1
        if deed.verb == "release" and not deed.was_refused:
            was = before.tasks[deed.given["task_id"]]
            self.counted["released"] += int(was.status == RUNNING)
        if deed.verb == "reap" and not deed.was_refused:
            self.counted["lost"] += len(deed.answer.lost)
            self.counted["stale"] += len(deed.answer.stale)
            self.counted["resent"] += len(deed.answer.unconfirmed)
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


COUNTED = ("submitted", "started", "released", "lost", "stale", "resent")


def started_between(before: Picture, after: Picture) -> set[str]:
    """Those that were granted an attempt."""
    both = before.tasks.keys() & after.tasks.keys()
    return {i for i in both if after.tasks[i].attempt > before.tasks[i].attempt}


def every_task_is_in_one_place(picture: Picture) -> None:
    places = [*picture.active, *picture.ready, *picture.delayed, *picture.held]
    assert len(places) == len(set(places)), "a task stands in two places"
    assert set(picture.active) == picture.with_status(RUNNING)
    assert {*picture.ready, *picture.delayed, *picture.held} == picture.with_status(QUEUED)
    assert set(picture.held) == {i for i, task in picture.tasks.items() if task.is_held}
    assert picture.snapshot.held_count == len(picture.held)
    assert picture.snapshot.queued_count == len(picture.ready)
    assert picture.snapshot.delayed_count == len(picture.delayed)
    assert picture.snapshot.active_count == len(picture.active)
