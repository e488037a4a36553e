"""How a worker's main process stops the sync in one of its children: the child's side of it.

A signal names no task. ``children.py`` says why it can reach no other sync than the one meant.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from billiard.process import current_process

from ingestion.services.worker.lease import Lease
from ingestion.sync.common.errors import SyncCancelled, SyncInterrupted

# The task was cancelled, or is no longer held: stop at once.
CANCEL_NOW = signal.SIGUSR2
# The worker shuts down: stop between two pages. After CANCEL_NOW it ends the process, if it can.
# Also what a supervisor sends that signals every process of a worker.
SHUT_DOWN = signal.SIGTERM
# The worker shuts down: stop at once.
SHUT_DOWN_NOW = signal.SIGQUIT

# The file that the frames of an import name.
IMPORT = "<frozen importlib._bootstrap>"
INTERRUPTED = "The worker was shut down while the sync ran."


class StopSignals:
    """Takes the signals while the ``with`` block runs, in a child's main thread; elsewhere (another
    kind of pool, a test) it does nothing."""

    def __init__(self) -> None:
        self.is_shutting_down = False
        self.is_cancelled = False
        self._lease: Lease | None = None  # set while a signal may interrupt
        self._is_inside = False
        self._is_own_signal = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if _is_child():
            self._take(CANCEL_NOW, self._cancel_now)
            self._take(SHUT_DOWN, self._shut_down)
            self._take(SHUT_DOWN_NOW, self._shut_down_now)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop_lost_run(self) -> None:
        """From any thread: interrupt the sync of this process as its worker's main process would,
        but for one that has noticed by itself: its cleanup is not interrupted at once."""
        if self._before:
            self._is_own_signal = True
            os.kill(os.getpid(), CANCEL_NOW)

    @contextmanager
    def interrupting(self, lease: Lease) -> Iterator[None]:
        """Within the block a signal to stop at once raises: SyncLeaseLost, SyncCancelled,
        SyncInterrupted, once. What is swallowed, or comes during an import, is raised by
        ``check``."""
        self._lease, self._is_inside = lease, True
        try:
            self.check()
            yield
        finally:
            self._lease, self._is_inside = None, False

    def check(self) -> None:
        """Raises SyncCancelled, SyncInterrupted when the run must end; called between pages."""
        if self.is_cancelled:
            raise SyncCancelled
        if self.is_shutting_down:
            raise SyncInterrupted(INTERRUPTED)

    def _take(self, number: int, handler: Callable[[int, FrameType | None], None]) -> None:
        self._before[number] = signal.signal(number, handler)

    def _cancel_now(self, number: int, frame: FrameType | None) -> None:
        is_own, self._is_own_signal = self._is_own_signal, False
        self.is_cancelled = True
        if is_own and self._lease is not None and self._lease.has_stopped_sync:
            return
        self._interrupt(frame)

    def _shut_down(self, number: int, frame: FrameType | None) -> None:
        self.is_shutting_down = True
        if self.is_cancelled and self._is_inside:
            self._leave(number, frame)

    def _shut_down_now(self, number: int, frame: FrameType | None) -> None:
        self.is_shutting_down = True
        self._interrupt(frame)

    def _interrupt(self, frame: FrameType | None) -> None:
        """Not in the middle of an import: what is left of that breaks every later sync of the process.
        ``check`` raises soon enough."""
        if _is_importing(frame):
            return
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.check()
            self.check()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """By the handler of the pool, which knows then that its process is on the way out."""
        before = self._before[number]
        if callable(before):
            before(number, frame)
        sys.exit(number - 256)


def ignore_late_signals(**_: Any) -> None:
    """CANCEL_NOW would end a child whose sync has just ended; the others end it in order."""
    signal.signal(CANCEL_NOW, signal.SIG_IGN)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == IMPORT:
            return True
        frame = frame.f_back
    return False


def _is_child() -> bool:
    is_forked = current_process().name != "MainProcess"
    return is_forked and threading.current_thread() is threading.main_thread()
