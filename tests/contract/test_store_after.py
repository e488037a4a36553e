"""A task that waits for others: every store lets it start when they have completed, not before."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from ingestion.pool.errors import NotQueued, Overlaps
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import MOST_FOLLOWERS, TaskStatus
from tests.contract.stores import AGAIN, ANN, DONE, FAILED, OpenPool, Pool, a_task

POLICY = PoolPolicy(default_max_workers=3, retry_backoff_seconds=10)


@pytest.fixture
def pool(open_pool: OpenPool) -> Pool:
    return open_pool(POLICY)


def after(pool: Pool, *task_ids: str, **fields: Any) -> str:
    return pool.submit("genius", after={i: pool.task(i).route for i in task_ids}, **fields)


def forgotten(pool: Pool) -> None:
    pool.let_pass(5000)
    pool.store.reap()


def test_it_waits_whatever_slots_are_free(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    assert pool.claim() == []
    assert pool.status(follower) == TaskStatus.QUEUED
    assert pool.task(follower).after == {first: "hubspot.contacts"}
    assert pool.task(first).followers == {follower: "genius.contacts"}
    snapshot = pool.store.snapshot()
    assert [task.id for task in snapshot.held] == [follower]
    assert (snapshot.queued_count, snapshot.held_count) == (0, 1)


def test_the_finish_of_the_last_predecessor_starts_it(pool: Pool) -> None:
    first, second = pool.held(), pool.held()
    follower = after(pool, first, second)
    pool.finish(first)
    assert pool.task(follower).after == {second: "hubspot.contacts"}
    finished = pool.store.finish(second, attempt=1, outcome=DONE, token="t")
    assert [task.id for task in finished.started] == [follower]
    assert pool.task(follower).after == {}


def test_a_completed_predecessor_counts_as_met(pool: Pool) -> None:
    follower = after(pool, pool.finished())
    assert pool.task(follower).after == {}
    assert pool.claim() == [follower]


def test_another_attempt_of_the_predecessor_ends_nothing(pool: Pool) -> None:
    first = pool.held(max_attempts=2)
    follower = after(pool, first)
    pool.finish(first, AGAIN)
    pool.let_pass(30)
    assert pool.claim() == [first]
    pool.confirm(first)
    pool.finish(first)
    assert pool.status(follower) == TaskStatus.RUNNING


@pytest.mark.parametrize("outcome", [FAILED])
def test_a_failed_predecessor_leaves_it_waiting_and_names_it(pool: Pool, outcome: Any) -> None:
    first = pool.held()
    follower = after(pool, first)
    assert pool.finish(first, outcome).followers == {follower: "genius.contacts"}
    assert pool.claim() == []
    assert [task.id for task in pool.store.reap().blocked] == [follower]
    assert pool.status(follower) == TaskStatus.QUEUED


def test_a_cancelled_predecessor_names_it_too(pool: Pool) -> None:
    pool.held(), pool.held(), pool.held()
    first = pool.submit()
    follower = after(pool, first)
    assert pool.store.cancel(first, change=ANN).followers == {follower: "genius.contacts"}
    assert [task.id for task in pool.store.reap().blocked] == [follower]


def test_what_is_open_or_has_completed_blocks_nobody(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    last = after(pool, follower)
    assert pool.store.reap().blocked == ()
    pool.finish(first)
    assert pool.store.reap().blocked == ()
    assert pool.status(follower) == TaskStatus.RUNNING
    assert pool.status(last) == TaskStatus.QUEUED


def test_a_predecessor_that_is_not_known_blocks_it_until_the_ledger_has_it(pool: Pool) -> None:
    gone = str(uuid.uuid4())
    follower = pool.submit(after={gone: "hubspot.contacts"})
    assert pool.claim() == []
    assert [task.id for task in pool.store.reap().blocked] == [follower]
    met = pool.store.meet(follower, predecessors=[gone])
    assert (met.after, met.revision) == ({}, 2)
    assert pool.claim() == [follower]
    with pytest.raises(NotQueued):
        pool.store.meet(follower, predecessors=[gone])


def test_a_round_of_repairs_lets_those_go_that_nobody_has_noted(pool: Pool) -> None:
    """More wait for one task than are kept with it."""
    first = pool.held()
    followers = [after(pool, first) for _ in range(MOST_FOLLOWERS + 3)]
    assert len(pool.task(first).followers) == MOST_FOLLOWERS
    pool.finish(first)
    left = [i for i in followers if pool.task(i).after]
    assert len(left) == 3
    # In a store that looks at a part of them in each round, those left stand first by now.
    assert pool.store.reap().blocked == ()
    assert not any(pool.task(i).after for i in followers)


def test_what_was_restored_in_any_order_finds_its_predecessor_again(pool: Pool) -> None:
    first = pool.submit()
    follower = after(pool, first)
    tasks = [pool.task(follower), pool.task(first)]
    tasks[1].followers.clear()
    pool.store.reset()
    pool.store.restore(tasks)
    assert pool.claim() == [first]
    assert pool.store.reap().blocked == ()
    assert pool.task(first).followers == {follower: "genius.contacts"}
    pool.confirm(first)
    assert pool.finish(first).status == TaskStatus.COMPLETED
    assert pool.status(follower) == TaskStatus.RUNNING


def test_a_hold_holds_beyond_the_last_predecessor(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    pool.store.hold(follower, change=ANN)
    pool.finish(first)
    assert pool.task(follower).after == {}
    assert pool.claim() == []
    pool.store.release(follower, change=ANN)
    assert pool.claim() == [follower]


def test_one_that_an_operator_holds_blocks_nobody_before_its_release(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    pool.store.hold(follower, change=ANN)
    pool.finish(first, FAILED)
    assert pool.store.reap().blocked == ()
    pool.store.release(follower, change=ANN)
    assert [task.id for task in pool.store.reap().blocked] == [follower]


def test_a_release_does_not_let_it_go(pool: Pool) -> None:
    follower = after(pool, pool.held())
    pool.store.hold(follower, change=ANN)
    released = pool.store.release(follower, change=ANN)
    assert released.held_at is None
    assert pool.claim() == []
    assert pool.queue() == [follower]


def test_it_keeps_its_place_and_its_not_before_time(pool: Pool) -> None:
    pool.store.set_limit(1, change=ANN)
    first = pool.held()
    early = after(pool, first, priority=0)
    pool.submit("hubspot")
    later = pool.store.snapshot().taken_at.replace(year=2300)
    delayed = after(pool, first, not_before=later)
    assert pool.store.move_to_front(early, change=ANN).after
    pool.finish(first)
    assert pool.active() == {early}
    assert [task.id for task in pool.store.snapshot().delayed] == [delayed]


def test_nothing_is_coalesced_with_it_and_it_overlaps_nothing(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    same = a_task("genius")
    assert pool.store.submit(same, on_overlap=OnOverlap.COALESCE).id == same.id
    pool.store.cancel(same.id, change=ANN)
    other = a_task("genius")
    assert pool.store.submit(other, on_overlap=OnOverlap.REJECT).id == other.id
    pool.store.cancel(other.id, change=ANN)
    pool.store.set_limit(1, change=ANN)
    pool.submit("arrivy", priority=5)
    pool.store.meet(follower, predecessors=[first])
    with pytest.raises(Overlaps):
        pool.store.submit(a_task("genius"), on_overlap=OnOverlap.REJECT)


def test_it_can_be_cancelled_and_cleared(pool: Pool) -> None:
    first = pool.held()
    one, other = after(pool, first), after(pool, first)
    assert pool.store.cancel(one, change=ANN).status == TaskStatus.CANCELLED
    assert [task.id for task in pool.store.clear_queue(change=ANN)] == [other]
    pool.finish(first)
    assert pool.queue() == []
    assert pool.active() == set()


def test_many_are_submitted_at_once(pool: Pool) -> None:
    first, done = pool.held(), pool.finished()
    tasks = [a_task("genius", after={i: "hubspot.contacts"}) for i in (first, done)]
    pool.store.submit_many([(task, OnOverlap.ALLOW) for task in tasks])
    assert [bool(pool.task(task.id).after) for task in tasks] == [True, False]
    assert pool.claim() == [tasks[1].id]


def test_it_is_admitted_without_a_start(pool: Pool) -> None:
    first = pool.held()
    task = a_task("genius", after={first: "hubspot.contacts"})
    admitted = pool.store.admit(task, token="a")
    assert admitted.started == ()
    assert admitted.task.after == task.after


def test_a_predecessor_long_gone_still_blocks(pool: Pool) -> None:
    first = pool.held()
    follower = after(pool, first)
    pool.finish(first, FAILED)
    forgotten(pool)
    assert pool.store.get(first) is None
    assert [task.id for task in pool.store.reap().blocked] == [follower]
