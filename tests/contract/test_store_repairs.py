"""What a round of repairs does, as every store must do it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyFinished, LeaseLost
from ingestion.pool.store import PoolPolicy, Reaped
from ingestion.pool.task import TaskStatus, utc_now
from tests.contract.stores import DONE, OpenPool, Pool

LOST = "Worker w1@host stopped renewing its lease of 90 s; it was lost."


class TestLost:
    def test_a_task_without_renewal_fails(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.let_pass(91)
        (task,) = pool.store.reap().lost
        assert (task.id, task.status, task.error_message) == (task_id, TaskStatus.FAILED, LOST)
        assert task == pool.store.get(task_id)
        assert pool.active() == set()
        assert (pool.counter("lost"), pool.counter("failed")) == (1, 1)

    def test_before_the_lease_has_run_out_nobody_ends_it(self, pool: Pool) -> None:
        pool.held()
        pool.let_pass(86)
        assert pool.store.reap() == Reaped()

    def test_a_renewed_lease_holds(self, pool: Pool) -> None:
        task_id = pool.held()
        for _ in range(5):
            pool.let_pass(60)
            pool.store.heartbeat(task_id, attempt=1)
        assert pool.store.reap() == Reaped()

    def test_a_holder_whose_lease_nobody_took_may_still_renew(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.let_pass(91)
        pool.store.heartbeat(task_id, attempt=1)
        assert pool.store.reap() == Reaped()

    def test_with_attempts_left_it_waits_for_the_next_one(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(retry_backoff_seconds=30))
        task_id = pool.held(max_attempts=3)
        pool.let_pass(91)
        (task,) = pool.store.reap().lost
        assert (task.status, task.error_message) == (TaskStatus.QUEUED, LOST)
        assert task.worker is task.lease_expires_at is task.confirmed_at is None
        assert (pool.counter("lost"), pool.counter("requeued")) == (1, 1)
        pool.let_pass(29)
        assert pool.claim() == []
        pool.let_pass(2)
        assert pool.claim() == [task_id]
        assert pool.task(task_id).attempt == 2

    def test_the_wait_doubles_up_to_its_greatest(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(retry_backoff_seconds=30, retry_backoff_max_seconds=100))
        task_id = pool.submit(max_attempts=9)
        waits = []
        for _ in range(4):
            assert pool.claim() == [task_id]
            pool.confirm(task_id)
            pool.let_pass(91)
            before = pool.store.snapshot().taken_at
            (task,) = pool.store.reap().lost
            assert task.not_before is not None
            waits.append((task.not_before - before).total_seconds())
            pool.let_pass(101)
        assert waits == pytest.approx([30, 60, 100, 100], abs=5)

    def test_a_late_holder_is_fenced_off(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        pool.let_pass(91)
        pool.store.reap()
        with pytest.raises(LeaseLost):
            pool.store.heartbeat(task_id, attempt=1)
        with pytest.raises(LeaseLost):
            pool.store.finish(task_id, attempt=1, outcome=DONE, token="late")

    def test_a_late_holder_cannot_change_the_end(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.let_pass(91)
        pool.store.reap()
        with pytest.raises(AlreadyFinished):
            pool.store.finish(task_id, attempt=1, outcome=DONE, token="late")

    def test_after_a_request_to_cancel_it_is_cancelled(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=5)
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        pool.let_pass(91)
        (task,) = pool.store.reap().lost
        assert (task.status, task.error_message) == (TaskStatus.CANCELLED, "by alice")

    def test_its_name_is_taken_as_it_is(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.confirm(task_id, worker="%1 {worker} w@h")
        pool.let_pass(91)
        (task,) = pool.store.reap().lost
        assert task.error_message == LOST.replace("w1@host", "%1 {worker} w@h")

    def test_its_slot_is_for_the_next_claim(self, pool: Pool) -> None:
        pool.held()
        pool.held()
        waiting = pool.submit()
        pool.let_pass(91)
        assert len(pool.store.reap().lost) == 2
        assert pool.queue() == [waiting]
        assert pool.claim() == [waiting]


class TestStale:
    def renew_without_progress(self, pool: Pool, task_id: str, seconds: float) -> None:
        for _ in range(int(seconds // 60)):
            pool.let_pass(60)
            pool.store.heartbeat(task_id, attempt=1)

    def test_a_task_that_does_not_move_fails_though_its_worker_lives(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=5)
        self.renew_without_progress(pool, task_id, 1860)
        reaped = pool.store.reap()
        assert reaped.lost == ()
        assert [(t.id, t.status, t.error_message) for t in reaped.stale] == [
            (task_id, TaskStatus.FAILED, "No progress for 30 minutes.")
        ]
        assert reaped.ended == reaped.stale
        assert (pool.counter("stale"), pool.counter("lost"), pool.counter("failed")) == (1, 0, 1)
        with pytest.raises(LeaseLost):
            pool.store.heartbeat(task_id, attempt=1)

    def test_progress_keeps_it(self, pool: Pool) -> None:
        task_id = pool.held()
        self.renew_without_progress(pool, task_id, 1740)
        pool.store.report_progress(task_id, attempt=1, progress={})
        self.renew_without_progress(pool, task_id, 1740)
        assert pool.store.reap() == Reaped()

    def test_after_a_request_to_cancel_it_is_cancelled(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        self.renew_without_progress(pool, task_id, 1860)
        (task,) = pool.store.reap().stale
        assert (task.status, task.error_message) == (TaskStatus.CANCELLED, "by alice")

    def test_one_that_waits_for_its_worker_is_not_stale(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.let_pass(7200)
        reaped = pool.store.reap()
        assert reaped.ended == ()
        assert [t.id for t in reaped.unconfirmed] == [task_id]
        assert pool.status(task_id) == TaskStatus.RUNNING

    def test_its_time_begins_when_a_worker_takes_it(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.let_pass(1790)
        pool.confirm(task_id)
        pool.let_pass(60)
        assert pool.store.reap() == Reaped()

    def test_one_that_is_lost_and_stale_is_ended_once(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.let_pass(7200)
        reaped = pool.store.reap()
        assert [t.id for t in reaped.ended] == [task_id]
        assert pool.counter("failed") == 1


class TestUnconfirmed:
    def test_it_is_listed_once_per_dispatch_time(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60))
        task_id = pool.running()
        assert pool.store.reap().unconfirmed == ()
        for _ in range(3):
            pool.let_pass(61)
            (task,) = pool.store.reap().unconfirmed
            assert (task.id, task.attempt, task.status) == (task_id, 1, TaskStatus.RUNNING)
            assert pool.store.reap().unconfirmed == ()
        assert pool.counter("resent") == 3

    def test_one_that_no_worker_takes_gives_its_slot_back(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60, most_resends=2, default_max_workers=1))
        task_id, other = pool.running(), pool.submit()
        for _ in range(2):
            pool.let_pass(61)
            assert [t.id for t in pool.store.reap().unconfirmed] == [task_id]
        pool.let_pass(61)
        reaped = pool.store.reap()
        assert (reaped.unconfirmed, [t.id for t in reaped.untaken]) == ((), [task_id])
        task = pool.task(task_id)
        assert (task.status, task.attempt, task.max_attempts) == (TaskStatus.QUEUED, 1, 2)
        assert task.error_message == (
            "No worker knows this task, none is free for it, or the broker does not deliver: "
            "ingestion.tasks.sync_hubspot_contacts was sent 3 times. Restart Celery workers that are "
            "older than this task."
        )
        assert pool.claim() == [other]
        assert (pool.counter("resent"), pool.counter("untaken")) == (2, 1)

    def test_one_that_was_given_back_is_tried_again_after_a_while(
        self, open_pool: OpenPool
    ) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60, most_resends=0))
        task_id = pool.running()
        for attempt, wait in ((2, 30), (3, 60), (4, 120), (5, 240), (6, 300), (7, 300)):
            pool.let_pass(61)
            assert [t.id for t in pool.store.reap().untaken] == [task_id]
            pool.let_pass(wait - 1)
            assert pool.claim() == []
            pool.let_pass(2)
            assert pool.claim() == [task_id]
            assert (pool.task(task_id).attempt, pool.task(task_id).error_message) == (attempt, None)

    def test_sends_are_counted_anew_in_the_next_attempt(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60, most_resends=1))
        task_id = pool.running()
        pool.let_pass(61)
        assert pool.store.reap().unconfirmed
        pool.store.return_to_queue(task_id, attempt=1)
        assert pool.claim() == [task_id]
        pool.let_pass(61)
        assert [t.id for t in pool.store.reap().unconfirmed] == [task_id]

    def test_the_message_of_one_that_was_given_back_is_dropped(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60, most_resends=0))
        task_id = pool.running()
        pool.let_pass(61)
        pool.store.reap()
        with pytest.raises(LeaseLost):
            pool.store.confirm(task_id, attempt=1, worker="w1@host", token="t")

    def test_a_confirmed_one_is_not_listed(self, pool: Pool) -> None:
        pool.held()
        pool.let_pass(61)
        assert pool.store.reap().unconfirmed == ()

    @pytest.mark.parametrize("way", ["cancel", "finish", "return_to_queue"])
    def test_one_that_left_its_slot_is_not_listed(self, pool: Pool, way: str) -> None:
        task_id = pool.running()
        if way == "cancel":
            pool.store.cancel(task_id)
        elif way == "finish":
            pool.finish(task_id)
        else:
            pool.store.return_to_queue(task_id, attempt=1)
        before = pool.task(task_id)
        pool.let_pass(61)
        assert pool.store.reap() == Reaped()
        assert pool.store.get(task_id) == before

    def test_none_is_listed_while_all_workers_are_offline(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.store.worker_seen("w1", capacity=1)
        pool.let_pass(61)
        assert pool.store.reap().unconfirmed == ()
        pool.store.worker_seen("w1", capacity=1)
        assert [t.id for t in pool.store.reap().unconfirmed] == [task_id]


class TestTheRest:
    def test_due_tasks_are_promoted(self, pool: Pool) -> None:
        pool.submit(not_before=utc_now() + timedelta(seconds=100))
        pool.let_pass(101)
        assert pool.store.snapshot().delayed_count == 1
        pool.store.reap()
        snapshot = pool.store.snapshot()
        assert (snapshot.queued_count, snapshot.delayed_count) == (1, 0)

    def test_a_round_over_a_healthy_pool_changes_nothing(self, pool: Pool) -> None:
        pool.held()
        pool.running()
        pool.submit()
        before = pool.store.snapshot()
        assert pool.store.reap() == Reaped()
        after = pool.store.snapshot()
        assert (after.active, after.queued, after.counters) == (
            before.active,
            before.queued,
            before.counters,
        )

    def test_it_starts_nothing(self, pool: Pool) -> None:
        pool.submit()
        pool.store.reap()
        assert pool.active() == set()
