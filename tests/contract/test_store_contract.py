"""The life of a task, verb by verb, as every store must keep it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    AlreadyConfirmed,
    AlreadyFinished,
    LeaseLost,
    TaskNotFound,
)
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from tests.contract.stores import AGAIN, DONE, FAILED, Pool, a_task

UNKNOWN = "no-such-task"


class TestSubmit:
    def test_a_task_is_queued_with_all_that_was_given(self, pool: Pool) -> None:
        task = a_task(
            "genius",
            "leads",
            parameters={"since": "2026-01-01", "models": ["a", "ß"], "n": 1.5, "full": None},
            priority=7,
            max_attempts=3,
            requested_by="alice",
            sync_history_id=42,
        )
        stored = pool.store.submit(task)
        assert stored.status == TaskStatus.QUEUED
        assert stored == pool.store.get(task.id)
        for name in ("parameters", "priority", "max_attempts", "requested_by", "sync_history_id"):
            assert getattr(stored, name) == getattr(task, name)

    def test_its_time_is_the_stores_own(self, pool: Pool) -> None:
        stored = pool.store.submit(a_task(queued_at=datetime(2001, 1, 1, tzinfo=UTC)))
        assert stored.queued_at > datetime(2025, 1, 1, tzinfo=UTC)

    def test_the_same_id_again_changes_nothing(self, pool: Pool) -> None:
        task = a_task()
        first = pool.store.submit(task)
        assert pool.store.submit(task) == first
        assert pool.queue() == [task.id]
        assert pool.counter("submitted") == 1

    def test_the_same_id_again_gives_the_task_as_it_stands(self, pool: Pool) -> None:
        task_id = pool.finished()
        assert pool.store.submit(a_task(id=task_id)).status == TaskStatus.COMPLETED
        assert pool.queue() == []

    def test_a_task_in_the_callers_hands_is_a_copy(self, pool: Pool) -> None:
        task = a_task(parameters={"models": ["contacts"]})
        stored = pool.store.submit(task)
        task.parameters["models"].append("deals")
        stored.parameters["models"].append("owners")
        assert pool.task(task.id).parameters == {"models": ["contacts"]}

    def test_any_text_survives(self, pool: Pool) -> None:
        task_id = pool.submit(requested_by="Zoë \U0001f600 'quoted' \"twice\" \\ \n {worker} %s")
        assert pool.task(task_id).requested_by.startswith("Zoë \U0001f600 'quoted' \"twice\" \\ \n")


class TestClaim:
    def test_no_more_are_started_than_slots_are_free(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(5)]
        assert pool.claim() == ids[:2]
        assert pool.claim() == []
        assert pool.queue() == ids[2:]

    def test_a_started_task_runs_in_its_first_attempt(self, pool: Pool) -> None:
        task_id = pool.submit()
        (task,) = pool.store.claim(token="t")
        assert task.status == TaskStatus.RUNNING
        assert task.attempt == 1
        assert task.celery_task_id == f"{task_id}.1"
        assert task.started_at == task.last_heartbeat
        assert task.started_at is not None
        assert task.lease_expires_at is None
        assert task == pool.store.get(task_id)

    def test_the_same_token_gives_the_same_answer(self, pool: Pool) -> None:
        pool.submit()
        first = pool.store.claim(token="t")
        pool.submit()
        assert pool.store.claim(token="t") == first
        assert pool.counter("started") == 1

    def test_an_empty_answer_is_remembered_too(self, pool: Pool) -> None:
        assert pool.store.claim(token="t") == ()
        pool.submit()
        assert pool.store.claim(token="t") == ()

    def test_an_empty_queue_starts_nothing(self, pool: Pool) -> None:
        assert pool.claim() == []


class TestConfirm:
    def test_a_worker_takes_the_attempt_and_gets_a_lease(self, pool: Pool) -> None:
        task_id = pool.running()
        task = pool.store.confirm(task_id, attempt=1, worker="w1", token="t")
        assert task.worker == "w1"
        assert task.confirmed_at is not None
        assert task.lease_expires_at == task.confirmed_at + timedelta(seconds=90)
        assert task.last_heartbeat == task.confirmed_at

    def test_the_same_token_again_changes_nothing(self, pool: Pool) -> None:
        task_id = pool.running()
        first = pool.store.confirm(task_id, attempt=1, worker="w1", token="t")
        pool.let_pass(10)
        assert pool.store.confirm(task_id, attempt=1, worker="w1", token="t") == first

    def test_a_second_delivery_is_refused(self, pool: Pool) -> None:
        task_id = pool.held()
        with pytest.raises(AlreadyConfirmed):
            pool.store.confirm(task_id, attempt=1, worker="w2", token="other")
        assert pool.task(task_id).worker == "w1@host"

    @pytest.mark.parametrize("attempt", [0, 2])
    def test_another_attempt_is_refused(self, pool: Pool, attempt: int) -> None:
        task_id = pool.running()
        with pytest.raises(LeaseLost):
            pool.store.confirm(task_id, attempt=attempt, worker="w1", token="t")

    def test_a_queued_or_ended_task_is_refused(self, pool: Pool) -> None:
        ended = pool.finished()
        queued = pool.submit()
        with pytest.raises(LeaseLost):
            pool.store.confirm(ended, attempt=1, worker="w1", token="t")
        with pytest.raises(LeaseLost):
            pool.store.confirm(queued, attempt=0, worker="w1", token="t")

    def test_a_message_of_an_older_attempt_is_refused(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        pool.finish(task_id, AGAIN)
        pool.let_pass(30)
        pool.claim()
        with pytest.raises(LeaseLost):
            pool.store.confirm(task_id, attempt=1, worker="w1", token="late")
        assert pool.store.confirm(task_id, attempt=2, worker="w2", token="t").worker == "w2"

    def test_a_repeated_confirm_shows_the_request_to_cancel(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.confirm(task_id, token="t")
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert pool.confirm(task_id, token="t").cancel_requested_at is not None

    def test_an_unknown_task_is_named(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.confirm(UNKNOWN, attempt=1, worker="w1", token="t")


class TestHeartbeatAndProgress:
    def test_a_heartbeat_renews_the_lease_alone(self, pool: Pool) -> None:
        task_id = pool.held()
        before = pool.task(task_id)
        pool.let_pass(30)
        after = pool.store.heartbeat(task_id, attempt=1)
        assert after.lease_expires_at is not None
        assert before.lease_expires_at is not None
        assert after.lease_expires_at >= before.lease_expires_at + timedelta(seconds=30)
        assert after.last_heartbeat == before.last_heartbeat

    def test_progress_renews_the_lease_and_moves(self, pool: Pool) -> None:
        task_id = pool.held()
        before = pool.task(task_id)
        pool.let_pass(30)
        after = pool.store.report_progress(task_id, attempt=1, progress={"rows": 500})
        assert after.progress == {"rows": 500}
        assert after.last_heartbeat is not None
        assert before.last_heartbeat is not None
        assert after.last_heartbeat >= before.last_heartbeat + timedelta(seconds=30)
        assert after.lease_expires_at == after.last_heartbeat + timedelta(seconds=90)

    def test_an_old_holder_is_told_that_it_lost_the_task(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.finish(task_id, FAILED)
        with pytest.raises(LeaseLost):
            pool.store.heartbeat(task_id, attempt=1)
        with pytest.raises(LeaseLost):
            pool.store.report_progress(task_id, attempt=1, progress={})

    def test_nobody_holds_an_unconfirmed_task(self, pool: Pool) -> None:
        task_id = pool.running()
        with pytest.raises(LeaseLost):
            pool.store.heartbeat(task_id, attempt=1)

    def test_an_unknown_task_is_named(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.heartbeat(UNKNOWN, attempt=1)
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.report_progress(UNKNOWN, attempt=1, progress={})

    def test_a_request_to_cancel_comes_with_the_next_renewal(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert pool.store.heartbeat(task_id, attempt=1).cancel_requested_at is not None


class TestFinish:
    @pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
    def test_the_task_ends_as_it_was_told(self, pool: Pool, status: str) -> None:
        task_id = pool.held()
        task = pool.finish(task_id, Outcome(TaskStatus(status), "why", {"rows": 3}))
        assert task.status == status
        assert task.error_message == "why"
        assert task.result == {"rows": 3}
        assert task.completed_at is not None
        assert task.lease_expires_at is None
        assert task == pool.store.get(task_id)
        assert pool.counter(status) == 1

    def test_the_next_task_starts_in_the_same_step(self, pool: Pool) -> None:
        first, _, third, fourth = [pool.submit() for _ in range(4)]
        pool.claim()
        finished = pool.store.finish(first, attempt=1, outcome=DONE, token="f")
        assert [task.id for task in finished.started] == [third]
        assert finished.started[0].status == TaskStatus.RUNNING
        assert pool.queue() == [fourth]

    def test_an_unconfirmed_attempt_can_end_too(self, pool: Pool) -> None:
        assert pool.finish(pool.running(), FAILED).status == TaskStatus.FAILED

    def test_the_same_token_gives_the_same_answer(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.submit()
        pool.submit()
        first = pool.store.finish(task_id, attempt=1, outcome=DONE, token="f")
        assert pool.store.finish(task_id, attempt=1, outcome=DONE, token="f") == first
        assert pool.counter("completed") == 1

    def test_the_same_token_is_known_long_after(self, pool: Pool) -> None:
        task_id = pool.held()
        first = pool.store.finish(task_id, attempt=1, outcome=DONE, token="f")
        pool.let_pass(1000)
        again = pool.store.finish(task_id, attempt=1, outcome=DONE, token="f")
        assert again.task == first.task

    def test_the_same_token_after_a_retry_gives_the_same_answer(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        first = pool.store.finish(task_id, attempt=1, outcome=AGAIN, token="f")
        assert pool.store.finish(task_id, attempt=1, outcome=AGAIN, token="f") == first
        assert pool.counter("requeued") == 1

    def test_another_token_comes_too_late(self, pool: Pool) -> None:
        task_id = pool.finished()
        with pytest.raises(AlreadyFinished, match=task_id):
            pool.store.finish(task_id, attempt=1, outcome=FAILED, token="other")
        assert pool.status(task_id) == TaskStatus.COMPLETED

    def test_another_attempt_may_not_end_the_task(self, pool: Pool) -> None:
        task_id = pool.held()
        with pytest.raises(LeaseLost):
            pool.store.finish(task_id, attempt=2, outcome=DONE, token="f")
        assert pool.status(task_id) == TaskStatus.RUNNING

    def test_a_queued_task_cannot_be_ended(self, pool: Pool) -> None:
        task_id = pool.submit()
        with pytest.raises(LeaseLost):
            pool.store.finish(task_id, attempt=0, outcome=DONE, token="f")

    def test_an_unknown_task_is_named(self, pool: Pool) -> None:
        with pytest.raises(TaskNotFound, match=UNKNOWN):
            pool.store.finish(UNKNOWN, attempt=1, outcome=DONE, token="f")

    def test_text_that_cannot_be_encoded_ends_the_task_all_the_same(self, pool: Pool) -> None:
        task_id = pool.held()
        task = pool.finish(task_id, Outcome(TaskStatus.FAILED, "no file \udcff.csv"))
        assert task.status == TaskStatus.FAILED
        assert (task.error_message or "").startswith("no file ")


class TestAnotherAttempt:
    def test_it_is_granted_while_attempts_are_left(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=2)
        task = pool.finish(task_id, AGAIN)
        assert task.status == TaskStatus.QUEUED
        assert task.error_message == AGAIN.error_message
        assert task.not_before is not None
        assert task.worker is task.started_at is task.celery_task_id is task.confirmed_at is None
        assert pool.claim() == []
        pool.let_pass(21)
        assert pool.claim() == [task_id]
        assert pool.task(task_id).attempt == 2
        assert pool.task(task_id).error_message is None
        assert pool.task(task_id).celery_task_id == f"{task_id}.2"

    def test_it_is_refused_after_the_last_one(self, pool: Pool) -> None:
        task = pool.finish(pool.held(max_attempts=1), AGAIN)
        assert task.status == TaskStatus.FAILED
        assert task.error_message == AGAIN.error_message

    def test_it_is_refused_after_a_request_to_cancel(self, pool: Pool) -> None:
        task_id = pool.held(max_attempts=5)
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        assert pool.finish(task_id, AGAIN).status == TaskStatus.CANCELLED

    def test_one_that_is_canceled_instead_keeps_what_it_had_done(self, pool: Pool) -> None:
        task_id = pool.held()
        pool.store.cancel(task_id, change=ChangeRequest(reason="by alice"))
        result = {"counts": {"processed": 3}}
        pool.finish(task_id, Outcome(TaskStatus.FAILED, "stopped", result=result))
        assert pool.task(task_id).result == result

    def test_without_a_wait_the_task_takes_its_old_place_at_once(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        task_id = pool.held(max_attempts=2)
        pool.submit()
        at_once = Outcome(TaskStatus.FAILED, "again", retry_in_seconds=0)
        finished = pool.store.finish(task_id, attempt=1, outcome=at_once, token="f")
        assert [task.id for task in finished.started] == [task_id]

    def test_it_keeps_its_order_and_priority(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        task_id = pool.held(max_attempts=2)
        later, higher = pool.submit(), pool.submit(priority=1)
        pool.finish(task_id, AGAIN)
        pool.let_pass(21)
        pool.store.reap()
        assert pool.queue() == [task_id, later]
        assert pool.active() == {higher}
