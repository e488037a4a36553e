"""How the thread of a run ends the threads that read for it.

Only that thread asks the reporter: who asks may use a database, and each thread that does has a
connection of its own. The others look at a flag, and at what the reporter knows already.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol

from ingestion.sync.common.errors import SyncStopped
from ingestion.sync.common.progress import Reporter

# How long a thread waits for another one before it asks whether the run may go on.
ASK_EVERY_SECONDS = 0.2

_halt: ContextVar[Halt | None] = ContextVar("halt", default=None)


class ReadingEnded(SyncStopped):
    """Nobody wants any more what this thread reads."""


class Connection(Protocol):
    """What a thread waits at. ``halt``: of the thread that used it last; ``sock``: None where it
    is not open."""

    halt: Halt | None
    sock: socket.socket | None


class Halt:
    """Ends the threads that have it; they in turn end those that have theirs."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._outer = _halt.get()
        self._is_set = threading.Event()
        self._connections: set[Connection] = set()

    def set(self) -> None:
        self._is_set.set()

    def check(self) -> None:
        """Raises ReadingEnded, and what the reporter knows already."""
        if self._is_set.is_set():
            raise ReadingEnded
        if self._outer is None:
            self._reporter.check_known()
        else:
            self._outer.check()

    def enter(self) -> None:
        """The thread that calls it, in a context of its own, has this one from now on."""
        _halt.set(self)

    def uses(self, connection: Connection) -> None:
        connection.halt = self
        self._connections.add(connection)

    def break_off(self) -> None:
        """What the threads wait for at the moment fails at once. One that is about to wait is not
        reached: call it again until they have ended."""
        for connection in tuple(self._connections):
            sock = connection.sock
            if connection.halt is self and sock is not None:
                with suppress(OSError):  # it is closed already
                    # Not that of a TLS socket, which must not be closed under who reads it.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


def current_halt() -> Halt | None:
    """That of this thread; None in the thread of the run."""
    return _halt.get()


def check(reporter: Reporter) -> None:
    """Raises where the run must not go on. In the thread of the run the reporter is asked."""
    halt = _halt.get()
    if halt is None:
        reporter.check()
    else:
        halt.check()
