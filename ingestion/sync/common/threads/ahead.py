"""Reads pages in a thread while others are converted and loaded: bounded, and in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Generic, TypeVar

from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.threads.halt import ASK_EVERY_SECONDS, Halt

T = TypeVar("T")


@dataclass(frozen=True)
class Size:
    """Of what waits to be taken."""

    pages: int = 0
    records: int = 0
    bytes_read: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.pages + other.pages,
            self.records + other.records,
            self.bytes_read + other.bytes_read,
        )

    def __sub__(self, other: Size) -> Size:
        return self + Size(-other.pages, -other.records, -other.bytes_read)

    def reaches(self, most: Size) -> bool:
        return (
            self.pages >= most.pages
            or self.records >= most.records
            or self.bytes_read >= most.bytes_read
        )


class _End:
    """Nothing comes any more."""


_END: Final = _End()


class ReadAhead(Generic[T]):
    """Takes from an iterator, in a thread of its own, what the thread of the run will ask for; from
    the beginning on, before that has asked.

    The next one is read while what waits does not reach ``most``. ``size`` measures one. What the
    iterator raises is raised, as it is, behind what came before it. ``close`` ends the thread: it
    has ended when the call returns.
    """

    def __init__(
        self,
        iterate: Callable[[], Generator[T, None, None]],
        *,
        size: Callable[[T], Size],
        most: Size,
        reporter: Reporter,
        name: str,
    ) -> None:
        self._iterate = iterate
        self._size = size
        self._most = most
        self._reporter = reporter
        self._halt = Halt(reporter)
        # None wakes the thread up.
        self._taken: SimpleQueue[Size | None] = SimpleQueue()
        self._read: SimpleQueue[T | BaseException | _End] = SimpleQueue()
        self._thread = threading.Thread(
            # Log lines have the ids of the run there too.
            target=copy_context().run,
            args=(self._run,),
            name=f"read ahead: {name}",
            daemon=True,
        )
        self._began = time.monotonic()
        self._thread.start()

    def has_waited(self, seconds: float) -> bool:
        """Whether so long after the beginning there is still something to read."""
        return self._thread.is_alive() and time.monotonic() - self._began > seconds

    def __iter__(self) -> Generator[T, None, None]:
        """Once. While it waits the reporter is asked whether the run may go on."""
        with closing(self):
            while not isinstance(found := self._next(), _End):
                if isinstance(found, BaseException):
                    raise found
                self._taken.put(self._size(found))
                yield found

    def close(self) -> None:
        self._halt.set()
        self._taken.put(None)
        while self._thread.is_alive():
            self._halt.break_off()
            self._thread.join(ASK_EVERY_SECONDS)

    def _next(self) -> T | BaseException | _End:
        while True:
            self._reporter.check()
            with suppress(Empty):
                return self._read.get(timeout=ASK_EVERY_SECONDS)

    def _run(self) -> None:
        self._halt.enter()
        try:
            self._read_all()
        except BaseException as problem:  # noqa: BLE001 - raised again where somebody waits
            self._read.put(problem)
        else:
            self._read.put(_END)

    def _read_all(self) -> None:
        waiting = Size()
        with closing(self._iterate()) as found:
            for one in found:
                waiting += self._size(one)
                self._read.put(one)
                while waiting.reaches(self._most):
                    waiting -= self._taken.get() or Size()
                    self._halt.check()
