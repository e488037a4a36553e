"""Makes several requests at once, where the API takes them, and gives their answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from itertools import islice
from typing import Final, Generic, TypeVar

from ingestion.sync.common.source import SourceContext
from ingestion.sync.common.threads.halt import ASK_EVERY_SECONDS, Halt, check

# A vendor asks for no more than three; others tell no number.
AT_ONCE: Final = 3
T = TypeVar("T")


def in_order(
    calls: Iterable[Callable[[], T]], context: SourceContext, *, at_once: int = AT_ONCE
) -> Generator[T, None, None]:
    """What each call gives, in the order of the calls; the error of one behind what came before it.

    The first is made by itself: who wants no more has asked for no more, and what is wrong with all
    of them is found by one request. ``calls`` is gone through in the thread of the caller. When the
    generator is closed all calls have ended.
    """
    left = iter(calls)
    for first in islice(left, 1):
        yield first()
    with closing(_Calls[T](context, at_once)) as under_way:
        for call in left:
            under_way.add(call)
            if under_way.count == at_once:
                yield under_way.first()
        while under_way.count:
            yield under_way.first()


class _Calls(Generic[T]):
    """Calls under way, each in a thread, in the order in which they were added."""

    def __init__(self, context: SourceContext, at_once: int) -> None:
        self._reporter = context.reporter
        self._halt = Halt(context.reporter)
        self._pending = deque[Future[T]]()
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="several")

    @property
    def count(self) -> int:
        return len(self._pending)

    def add(self, call: Callable[[], T]) -> None:
        self._pending.append(self._pool.submit(copy_context().run, self._halted, call))

    def first(self) -> T:
        """What the first of them gives, when it has ended."""
        while not self._pending[0].done():
            wait([self._pending[0]], ASK_EVERY_SECONDS)
            check(self._reporter)
        return self._pending.popleft().result()

    def close(self) -> None:
        """They have ended when this returns."""
        self._halt.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        while running := [call for call in self._pending if call.running()]:
            self._halt.break_off()
            wait(running, ASK_EVERY_SECONDS)
        self._pool.shutdown()

    def _halted(self, call: Callable[[], T]) -> T:
        self._halt.enter()
        return call()
