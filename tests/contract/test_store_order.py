"""What operators do to tasks that wait, as every store must keep it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import AlreadyFinished, Conflict, NotQueued, TaskNotFound
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from tests.contract.stores import (
    AGAIN,
    ANN,
    BOB,
    ORDER_VERBS,
    OpenPool,
    OrderVerb,
    Pool,
    a_task,
)

STRICT = PoolPolicy(priority_aging_seconds=0)

EACH = pytest.mark.parametrize("verb", ORDER_VERBS.values(), ids=ORDER_VERBS)
SEEN_AT_FIRST = ChangeRequest(by="ann", expected_revision=1)
POLICIES = pytest.mark.parametrize("policy", [PoolPolicy(), STRICT], ids=["aging", "strict"])


class TestHold:
    def test_a_held_task_does_not_start(self, pool: Pool) -> None:
        first, second = pool.submit(), pool.submit()
        task = pool.store.hold(first, change=ChangeRequest(by="ann", reason="wrong dates"))
        assert (task.held_by, task.held_reason, task.is_held) == ("ann", "wrong dates", True)
        assert pool.claim() == [second]
        assert pool.queue() == [first]

    def test_it_comes_back_to_its_old_place(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(3)]
        pool.store.hold(ids[0], change=ANN)
        assert pool.queue() == [ids[1], ids[2], ids[0]]
        task = pool.store.release(ids[0], change=BOB)
        assert (task.held_at, task.held_by, task.held_reason) == (None, "", "")
        assert pool.queue() == ids

    def test_the_snapshot_shows_it_apart(self, pool: Pool) -> None:
        held, waiting = pool.submit(), pool.submit()
        pool.store.hold(held, change=ANN)
        snapshot = pool.store.snapshot()
        assert [t.id for t in snapshot.held] == [held]
        assert [t.id for t in snapshot.queued] == [waiting]
        assert (snapshot.queued_count, snapshot.held_count, snapshot.waiting_count) == (1, 1, 2)
        assert snapshot.to_dict()["held"][0]["id"] == held

    def test_a_delayed_task_that_was_held_waits_for_its_time_again(self, pool: Pool) -> None:
        task_id = pool.submit(not_before=utc_now() + timedelta(seconds=100))
        pool.store.hold(task_id, change=ANN)
        assert pool.store.snapshot().delayed_count == 0
        pool.store.release(task_id, change=ANN)
        assert pool.store.snapshot().delayed_count == 1
        pool.store.hold(task_id, change=ANN)
        pool.let_pass(101)
        assert pool.claim() == []
        pool.store.release(task_id, change=ANN)
        assert pool.claim() == [task_id]

    def test_twice_changes_nothing(self, pool: Pool) -> None:
        task_id = pool.submit()
        first = pool.store.hold(task_id, change=ChangeRequest(by="ann", reason="a"))
        assert pool.store.hold(task_id, change=ChangeRequest(by="bob", reason="b")) == first
        assert pool.store.release(pool.submit(), change=ANN).revision == 1

    def test_a_held_task_can_be_cancelled_and_cleared(self, pool: Pool) -> None:
        one, other = pool.submit(), pool.submit()
        for task_id in (one, other):
            pool.store.hold(task_id, change=ANN)
        assert pool.store.cancel(one).held_at is None
        assert [t.id for t in pool.store.clear_queue()] == [other]
        assert pool.store.snapshot().waiting_count == 0

    def test_many_are_listed_by_when_they_were_held(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(4)]
        for task_id in reversed(ids):
            pool.let_pass(1)
            pool.store.hold(task_id, change=ANN)
        assert pool.queue() == ids[::-1]
        assert [t.id for t in pool.store.queued(offset=1, limit=2)] == ids[::-1][1:3]

    def test_it_stays_held_when_the_ledger_puts_it_back(self, pool: Pool) -> None:
        task = a_task(held_at=utc_now(), held_by="ann", queued_at=utc_now(), revision=4)
        pool.store.restore([task])
        assert pool.claim() == []
        assert (pool.task(task.id).held_by, pool.task(task.id).revision) == ("ann", 5)


class TestPriority:
    @POLICIES
    def test_it_stands_where_its_new_priority_puts_it(
        self, open_pool: OpenPool, policy: PoolPolicy
    ) -> None:
        pool = open_pool(policy)
        low, mid, high = (pool.submit(("a", "b")[p % 2], priority=p) for p in (0, 5, 9))
        assert pool.store.prioritize(low, priority=6).priority == 6
        assert pool.queue() == [high, low, mid]
        pool.store.prioritize(low, priority=-1000)
        assert pool.queue() == [high, mid, low]

    def test_the_same_priority_changes_nothing(self, pool: Pool) -> None:
        task_id = pool.submit(priority=3)
        assert pool.store.prioritize(task_id, priority=3).revision == 1

    def test_its_submission_counts_within_the_level(self, pool: Pool) -> None:
        first, second, third = pool.submit(), pool.submit(priority=1), pool.submit(priority=1)
        pool.store.prioritize(first, priority=1)
        assert pool.queue() == [first, second, third]


class TestFront:
    @POLICIES
    def test_it_stands_before_all_that_wait(self, open_pool: OpenPool, policy: PoolPolicy) -> None:
        pool = open_pool(policy)
        pool.store.set_limit(1)
        running = pool.held()
        high = pool.submit("genius", priority=1000)
        low, last = pool.submit("hubspot", priority=-1000), pool.submit("arrivy")
        pool.store.move_to_front(low)
        pool.store.move_to_front(last)
        assert pool.queue() == [last, low, high]
        assert pool.task(low).priority == -1000
        pool.finish(running)
        assert pool.active() == {last}

    @POLICIES
    def test_until_its_priority_is_changed(self, open_pool: OpenPool, policy: PoolPolicy) -> None:
        pool = open_pool(policy)
        first, second, third = (pool.submit() for _ in range(3))
        pool.store.move_to_front(third)
        assert pool.queue() == [third, first, second]
        assert pool.store.prioritize(third, priority=0).front_score is None
        assert pool.queue() == [first, second, third]

    def test_the_first_one_stays_as_it_is(self, pool: Pool) -> None:
        first, _ = pool.submit(), pool.submit()
        assert pool.store.move_to_front(first).revision == 1

    def test_a_held_one_comes_first_when_it_is_let_go(self, pool: Pool) -> None:
        first, second = pool.submit(), pool.submit()
        pool.store.hold(second, change=ANN)
        pool.store.move_to_front(second)
        assert pool.queue() == [first, second]
        pool.store.release(second, change=ANN)
        assert pool.queue() == [second, first]

    def test_it_is_put_back_there_after_a_loss(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(3)]
        pool.store.move_to_front(ids[2])
        tasks = pool.store.queued()
        pool.store.reset()
        pool.store.restore(tasks)
        assert pool.queue() == [ids[2], ids[0], ids[1]]

    def test_one_that_was_not_sent_goes_back_there(self, pool: Pool) -> None:
        pool.store.set_limit(1)
        ids = [pool.submit() for _ in range(2)]
        pool.store.move_to_front(ids[1])
        assert pool.claim() == [ids[1]]
        pool.store.return_to_queue(ids[1], attempt=1)
        assert pool.queue() == ids[::-1]


class TestRevision:
    def test_it_rises_with_what_an_operator_can_see(self, pool: Pool) -> None:
        task_id = pool.submit(max_attempts=2)
        seen = [pool.task(task_id).revision]

        def note() -> None:
            seen.append(pool.task(task_id).revision)

        pool.store.hold(task_id, change=ANN)
        note()
        pool.store.release(task_id, change=ANN)
        note()
        pool.store.prioritize(task_id, priority=2)
        note()
        pool.claim()
        note()
        pool.confirm(task_id)
        pool.store.heartbeat(task_id, attempt=1)
        pool.store.report_progress(task_id, attempt=1, progress={"rows": 1})
        note()
        pool.finish(task_id, AGAIN)
        note()
        pool.let_pass(25)
        pool.claim()
        pool.confirm(task_id)
        pool.store.cancel(task_id, change=ChangeRequest(reason="enough"))
        pool.store.cancel(task_id, change=ChangeRequest(reason="really"))
        note()
        pool.finish(task_id)
        note()
        assert seen == [1, 2, 3, 4, 5, 5, 6, 8, 9]

    def test_a_release_and_a_loss_raise_it(self, pool: Pool) -> None:
        task_id = pool.running(max_attempts=3)
        assert pool.store.return_to_queue(task_id, attempt=1).revision == 3
        pool.claim()
        pool.confirm(task_id)
        pool.let_pass(91)
        assert pool.store.reap().lost[0].revision == 5


class TestConflict:
    @EACH
    def test_who_saw_an_older_state_is_refused_and_told(self, pool: Pool, verb: OrderVerb) -> None:
        first, task_id = pool.submit(), pool.submit()
        pool.store.prioritize(task_id, priority=-3, change=ChangeRequest(expected_revision=1))
        before = pool.store.snapshot()
        with pytest.raises(Conflict, match="queued now, at revision 2") as caught:
            verb(pool.store, task_id, SEEN_AT_FIRST, 7)
        assert (caught.value.status, caught.value.revision) == ("queued", 2)
        after = pool.store.snapshot()
        assert (after.queued, after.held) == (before.queued, before.held)
        assert [t.id for t in after.queued] == [first, task_id]

    @EACH
    def test_who_saw_the_present_state_is_heard(self, pool: Pool, verb: OrderVerb) -> None:
        task_id = pool.submit()
        assert verb(pool.store, task_id, SEEN_AT_FIRST, 7).id == task_id

    @EACH
    def test_a_running_task_has_no_place(self, pool: Pool, verb: OrderVerb) -> None:
        task_id = pool.running()
        with pytest.raises(NotQueued):
            verb(pool.store, task_id, ANN, 7)
        with pytest.raises(Conflict, match="running now"):
            verb(pool.store, task_id, SEEN_AT_FIRST, 7)

    @EACH
    def test_an_ended_task_has_none_and_an_unknown_one_is_unknown(
        self, pool: Pool, verb: OrderVerb
    ) -> None:
        with pytest.raises(NotQueued):
            verb(pool.store, pool.finished(), ANN, 7)
        with pytest.raises(TaskNotFound):
            verb(pool.store, "nobody", ANN, 7)

    def test_a_cancel_of_what_was_seen_queued_spares_what_runs(self, pool: Pool) -> None:
        task_id = pool.submit()
        pool.claim()
        with pytest.raises(Conflict, match="running now, at revision 2"):
            pool.store.cancel(task_id, change=ChangeRequest(expected_revision=1))
        assert pool.active() == {task_id}
        assert (
            pool.store.cancel(task_id, change=ChangeRequest(expected_revision=2)).status
            == "cancelled"
        )
        with pytest.raises(AlreadyFinished):
            pool.store.cancel(task_id, change=ChangeRequest(expected_revision=3))
