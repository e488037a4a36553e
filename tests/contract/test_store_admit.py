"""A submission and the claim after it in one step, as every store must take them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ingestion.pool.clock import from_us, to_us
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from tests.contract.stores import Pool, a_task


def admit(pool: Pool, task: WorkerTask, token: str = "t") -> list[str]:
    """What was started with it."""
    return [started.id for started in pool.store.admit(task, token=token).started]


def test_it_starts_where_a_slot_is_free(pool: Pool) -> None:
    pool.store.set_limit(1)
    first, second = a_task(id="first"), a_task(id="second")
    assert admit(pool, first, "a") == ["first"]
    assert admit(pool, second, "b") == []
    assert pool.task("first").status == TaskStatus.RUNNING
    assert pool.queue() == ["second"]
    assert pool.counter("submitted") == 2


def test_another_one_starts_where_that_is_better(pool: Pool) -> None:
    pool.store.submit(a_task(id="better", priority=5))
    pool.store.set_limit(1)
    assert admit(pool, a_task(id="new")) == ["better"]
    assert pool.queue() == ["new"]


def test_whoever_lost_the_reply_is_told_again_what_was_started(pool: Pool) -> None:
    pool.store.set_limit(1)
    task = a_task(id="first")
    first = pool.store.admit(task, token="a")
    again = pool.store.admit(task, token="a")
    assert [one.id for one in again.started] == ["first"]
    assert again.started == first.started
    assert pool.counter("submitted") == pool.counter("started") == 1


def test_the_same_task_again_is_stored_once(pool: Pool) -> None:
    pool.store.pause(None)
    task = a_task(id="first")
    place = pool.store.admit(task, token="a").task.queued_at
    assert pool.store.admit(task, token="b").task.queued_at == place
    assert pool.queue() == ["first"]


def test_it_keeps_the_place_that_it_was_given(pool: Pool) -> None:
    pool.store.pause(None)
    given = from_us(to_us(utc_now()) + 5_000_000)
    assert pool.store.admit(a_task(id="first", queued_at=given), token="a").task.queued_at == given


@pytest.mark.parametrize("off", [timedelta(hours=2), timedelta(hours=-2)])
def test_a_place_by_a_clock_that_is_wrong_is_not_taken(pool: Pool, off: timedelta) -> None:
    pool.store.pause(None)
    given = utc_now() + off
    stored = pool.store.admit(a_task(id="first", queued_at=given), token="a").task
    assert abs(stored.queued_at - given) > timedelta(hours=1)


def test_who_comes_later_stands_behind(pool: Pool) -> None:
    """Whatever places were given: one that lies before another's is raised."""
    pool.store.pause(None)
    now = utc_now()
    for name, seconds in (("first", 20), ("second", 10), ("third", 30)):
        task = a_task(id=name, queued_at=now + timedelta(seconds=seconds))
        pool.store.admit(task, token=name)
    pool.store.submit(a_task(id="fourth"))
    assert pool.queue() == ["first", "second", "third", "fourth"]
