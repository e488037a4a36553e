"""Threads that ask at the same time: one of them does it for all, and each gets its own answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from ingestion import deadline
from ingestion.services.tasks.groups import Groups

SECONDS = 30


class Doubling:
    """Doubles numbers; one that is at fault spoils its group."""

    def __init__(self, *, largest: int = 500, at_fault: int | None = None) -> None:
        self.groups = Groups[int, int](self._do, largest=largest)
        self.done: list[list[int]] = []
        self._at_fault = at_fault

    def _do(self, asked: Sequence[int]) -> list[int | None]:
        self.done.append(list(asked))
        if self._at_fault in asked:
            return [None] * len(asked)
        return [2 * number for number in asked]

    def ask(self, number: int) -> int | None:
        mine = self.groups.begin(number)
        assert mine is not None
        return self.groups.wait(mine)

    def until_waiting(self, count: int) -> None:
        deadline = time.monotonic() + SECONDS
        while len(self.groups._waiting) < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as made:
        yield made


def begun(
    doubling: Doubling, numbers: Sequence[int], threads: ThreadPoolExecutor
) -> list[Future[int | None]]:
    """They wait, in this order, for the one that has begun before them."""
    assert doubling.groups.begin(0) is None
    found = []
    for count, number in enumerate(numbers, 1):
        found.append(threads.submit(doubling.ask, number))
        doubling.until_waiting(count)
    return found


def test_somebody_alone_waits_for_nobody() -> None:
    doubling = Doubling()
    for _ in range(2):
        assert doubling.groups.begin(1) is None
        doubling.groups.end()
    assert doubling.done == []


def test_one_does_it_for_all_that_came_meanwhile(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling()
    found = begun(doubling, [1, 2, 3], threads)
    doubling.groups.end()
    assert [one.result(SECONDS) for one in found] == [2, 4, 6]
    assert doubling.done == [[1, 2, 3]]
    assert doubling.groups.begin(4) is None


def test_no_group_is_larger_than_allowed(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling(largest=2)
    found = begun(doubling, [1, 2, 3], threads)
    doubling.groups.end()
    assert [one.result(SECONDS) for one in found] == [2, 4, 6]
    assert doubling.done == [[1, 2], [3]]


def test_where_nobody_knows_each_is_on_its_own(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling(at_fault=2)
    found = begun(doubling, [1, 2, 3], threads)
    doubling.groups.end()
    assert [one.result(SECONDS) for one in found] == [None, None, None]
    assert doubling.groups.begin(4) is None


def test_an_error_is_that_of_its_thread_alone(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling()

    def fail(asked: Sequence[int]) -> list[int | None]:
        raise ZeroDivisionError

    doubling.groups._do = fail
    first, second = begun(doubling, [1, 2], threads)
    doubling.groups.end()
    with pytest.raises(ZeroDivisionError):
        first.result(SECONDS)
    assert second.result(SECONDS) is None
    assert doubling.groups.begin(3) is None


def test_nothing_is_done_for_one_whose_time_is_up(threads: ThreadPoolExecutor) -> None:
    doubling = Doubling()
    assert doubling.groups.begin(0) is None
    mine = doubling.groups.begin(1)
    assert mine is not None
    with deadline.within(0, each_seconds=0), pytest.raises(TimeoutError):
        doubling.groups.wait(mine)
    doubling.groups.end()
    assert doubling.done == []
    assert doubling.groups.begin(2) is None


def test_one_that_is_interrupted_leaves_its_group_to_the_next(
    threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the news that it is its turn and the work."""
    doubling = Doubling()
    assert doubling.groups.begin(0) is None
    interrupted = doubling.groups.begin(1)
    assert interrupted is not None
    others = [threads.submit(doubling.ask, 2)]
    doubling.until_waiting(2)

    class Interrupt(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            doubling.groups.end()
            raise KeyboardInterrupt

    interrupted.is_told = Interrupt()
    with pytest.raises(KeyboardInterrupt):
        doubling.groups.wait(interrupted)
    assert [one.result(SECONDS) for one in others] == [4]
    assert doubling.done == [[2]]
