"""How a task ends without its worker's word, and how long it is kept, in every store."""

from __future__ import annotations

import uuid

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    AlreadyConfirmed,
    AlreadyFinished,
    LeaseLost,
    TaskNotFound,
)
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus
from tests.contract.stores import AGAIN, EARNED, FAILED, INTERRUPTED, OpenPool, Pool

UNKNOWN = "no-such-task"


class TestCancel:
    def test_a_queued_task_leaves_the_queue(self, pool: Pool) -> None:
        task_id = pool.submit()
        task = pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert task.status == TaskStatus.CANCELLED
        assert task.error_message == "by alice"
        assert task.completed_at is not None
        assert pool.queue() == []
        assert pool.claim() == []

    def test_a_delayed_task_leaves_too(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        pool.finish(task_id, AGAIN)
        assert pool.store.cancel(task_id).status == TaskStatus.CANCELLED
        pool.let_pass(60)
        assert pool.claim() == []

    def test_an_unconfirmed_task_frees_its_slot(self, pool: Pool) -> None:
        task_id = pool.running()
        assert pool.store.cancel(task_id).status == TaskStatus.CANCELLED
        assert pool.active() == set()
        with pytest.raises(LeaseLost):
            pool.store.confirm(task_id, attempt=1, worker="w1", token="t")

    def test_a_held_task_is_asked_to_stop_once(self, pool: Pool) -> None:
        task_id = pool.held()
        first = pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert first.status == TaskStatus.RUNNING
        assert first.cancel_requested_at is not None
        pool.let_pass(5)
        assert pool.store.cancel(task_id, change=ChangeRequest(reason="by bob")) == first

    @pytest.mark.parametrize("outcome", [FAILED, Outcome(TaskStatus.CANCELLED)])
    def test_whatever_then_fails_counts_as_cancelled(self, pool: Pool, outcome: Outcome) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        task = pool.finish(task_id, outcome)
        assert task.status == TaskStatus.CANCELLED
        assert task.error_message == (outcome.error_message or "by alice")

    def test_what_was_completed_meanwhile_stays_completed(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        task = pool.finish(task_id)
        assert task.status == TaskStatus.COMPLETED
        assert task.error_message is None

    def test_an_ended_task_cannot_be_cancelled(self, pool: Pool) -> None:
        with pytest.raises(AlreadyFinished):
            pool.store.cancel(pool.finished())

    def test_an_unknown_task_is_named(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.cancel(UNKNOWN)


class TestRelease:
    def test_the_task_takes_its_old_place(self, pool: Pool) -> None:
        first = pool.running()
        pool.claim()
        second = pool.submit()
        task = pool.store.return_to_queue(first, attempt=1)
        assert task.status == TaskStatus.QUEUED
        assert task.celery_task_id is task.started_at is None
        assert pool.queue() == [first, second]

    def test_a_time_to_wait_for_that_has_passed_is_dropped(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        pool.finish(task_id, AGAIN)
        pool.let_pass(21)
        pool.claim()
        assert pool.store.return_to_queue(task_id, attempt=2).not_before is None

    def test_it_costs_no_attempt_and_no_number_is_used_twice(self, pool: Pool) -> None:
        task_id = pool.running(max_attempts=1)
        pool.store.return_to_queue(task_id, attempt=1)
        pool.claim()
        task = pool.task(task_id)
        assert (task.attempt, task.max_attempts) == (2, 2)
        with pytest.raises(LeaseLost):
            pool.store.confirm(task_id, attempt=1, worker="w1", token="sent after all")
        assert pool.finish(task_id, AGAIN).status == TaskStatus.FAILED

    def test_releasing_twice_is_fine(self, pool: Pool) -> None:
        task_id = pool.running()
        first = pool.store.return_to_queue(task_id, attempt=1)
        assert pool.store.return_to_queue(task_id, attempt=1) == first
        assert pool.counter("released") == 1

    def test_a_held_task_is_not_released(self, pool: Pool) -> None:
        task_id = pool.held()
        with pytest.raises(AlreadyConfirmed):
            pool.store.return_to_queue(task_id, attempt=1)

    def test_an_ended_task_is_not_released(self, pool: Pool) -> None:
        with pytest.raises(AlreadyFinished):
            pool.store.return_to_queue(pool.finished(), attempt=1)

    def test_another_attempt_is_refused(self, pool: Pool) -> None:
        with pytest.raises(LeaseLost):
            pool.store.return_to_queue(pool.running(), attempt=2)

    def test_an_unknown_task_is_named(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.return_to_queue(UNKNOWN, attempt=1)


class TestInterruption:
    def test_the_task_takes_its_old_place_and_no_attempt_counts(self, pool: Pool) -> None:
        first, second = pool.held(max_attempts=1), pool.held()
        later = pool.submit()
        pool.store.worker_seen("w1@host", capacity=2)
        pool.store.worker_gone("w1@host")
        task = pool.finish(first, INTERRUPTED)
        assert (task.status, task.attempt, task.max_attempts) == (TaskStatus.QUEUED, 1, 2)
        assert task.not_before is task.worker is task.completed_at is None
        assert task.error_message == INTERRUPTED.error_message
        pool.finish(second, INTERRUPTED)
        assert pool.queue() == [first, second, later]
        assert pool.counter("interrupted") == 2

    def test_a_late_report_of_it_is_refused(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.finish(task_id, INTERRUPTED)
        assert pool.task(task_id).attempt == 2
        with pytest.raises(LeaseLost):
            pool.store.finish(task_id, attempt=1, outcome=INTERRUPTED, token="the parent's")

    def test_nobody_need_have_confirmed_it(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.finish(task_id, INTERRUPTED)
        assert (pool.task(task_id).status, pool.task(task_id).attempt) == (TaskStatus.RUNNING, 2)

    def test_after_a_cancel_request_it_is_the_end(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        task = pool.finish(task_id, INTERRUPTED)
        assert (task.status, task.error_message) == (TaskStatus.CANCELLED, "by alice")

    @pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.CANCELLED])
    def test_only_a_failed_attempt_can_be_one(self, status: TaskStatus) -> None:
        with pytest.raises(ValueError, match="only a failed attempt"):
            Outcome(status, is_interruption=True)


class TestEarned:
    def test_an_attempt_that_loaded_something_earns_the_next_one(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=1)
        for attempt in (1, 2):
            pool.finish(task_id, EARNED)
            task = pool.task(task_id)  # which has got its slot again at once
            assert (task.attempt, task.max_attempts) == (attempt + 1, attempt + 1)
            pool.confirm(task_id)
        last = Outcome(TaskStatus.FAILED, "HTTP 503", retry_in_seconds=0)
        assert pool.finish(task_id, last).status == TaskStatus.FAILED
        assert pool.counter("requeued") == 2

    def test_after_a_cancel_request_it_earns_none(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=3)
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert pool.finish(task_id, EARNED).status == TaskStatus.CANCELLED


class TestKept:
    def test_a_finished_task_is_kept_for_the_retention_time(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(retention_seconds=600_000))
        task_id = pool.finished()
        pool.let_pass(599_990)
        pool.store.reap()
        assert pool.status(task_id) == TaskStatus.COMPLETED
        pool.let_pass(20)
        pool.store.reap()
        assert pool.store.get(task_id) is None

    def test_forgetting_drops_the_older_ones_alone(self, pool: Pool) -> None:
        old = [pool.finished() for _ in range(3)]
        pool.let_pass(100)
        young, waiting = pool.finished(), pool.submit()
        assert pool.store.forget_finished(max_age_seconds=50) == len(old)
        assert [pool.store.get(task_id) for task_id in old] == [None] * 3
        assert pool.store.get(young) is not None
        assert pool.store.get(waiting) is not None

    def test_an_unknown_task_is_none(self, pool: Pool) -> None:
        assert pool.store.get(uuid.uuid4().hex) is None


def test_one_that_was_held_is_held_no_more(pool: Pool) -> None:
    task_id = pool.submit()
    pool.store.hold(task_id, change=ChangeRequest(by="ann", reason="later"))
    pool.store.cancel(task_id, change=ChangeRequest(by="bob"))
    task = pool.task(task_id)
    assert (task.held_at, task.held_by, task.held_reason) == (None, "", "")
