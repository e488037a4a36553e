"""The children of a Celery worker that are busy, as its main process knows them.

The prefork pool hands a child its next task only after the main process has read the outcome of the
last one (``-O fair``, the default). So a child that stands here as busy with a sync either runs it
or waits for more work, and a signal sent in the same turn of the event loop cannot reach another
sync. ``-O fast`` breaks that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from billiard.process import active_children
from celery.worker import state


@dataclass(frozen=True)
class Held:
    """An attempt of a pool task that a child has taken."""

    task_id: str
    attempt: int
    pid: int


@dataclass(frozen=True)
class Busy:
    """A child and what it was given; ``held`` None: something else than a sync."""

    pid: int
    held: Held | None
    job: Any

    @property
    def is_done(self) -> bool:
        """The main process has its outcome, or the news of its death."""
        return bool(self.job.ready())

    @property
    def has_answered(self) -> bool:
        """It ran to its end, so it has told the pool itself how that was."""
        return self.is_done and bool(self.job.successful())


def busy_children() -> list[Busy]:
    """Without a task that runs in this process itself, as in a pool of threads."""
    found = [_busy(request) for request in _active_requests()]
    return [busy for busy in found if busy.pid != os.getpid() and busy.job is not None]


def running_syncs() -> list[Held]:
    return [busy.held for busy in busy_children() if busy.held]


def are_shut_down() -> bool:
    """Whether Celery is shutting this worker down, in whatever way."""
    codes = (state.should_stop, state.should_terminate)
    return any(code is not None and code is not False for code in codes)  # 0 is a code, too


def held_by(kwargs: Any, pid: int) -> Held | None:
    """What the arguments of a Celery task say, if it is a pool task."""
    if isinstance(kwargs, Mapping) and {"task_id", "attempt"} <= kwargs.keys():
        return Held(str(kwargs["task_id"]), int(kwargs["attempt"]), pid)
    return None


def is_alive(pid: int) -> bool:
    """Whether this is a child of this process that has not died."""
    return any(child.pid == pid for child in active_children())


def tell(pid: int, number: signal.Signals) -> None:
    """Send a signal to a child; nothing when it has died."""
    with suppress(ProcessLookupError):
        if is_alive(pid):
            os.kill(pid, number)


def _busy(request: Any) -> Busy:
    job = request._apply_result and request._apply_result()
    return Busy(request.worker_pid, held_by(request.kwargs, request.worker_pid), job)


def _active_requests() -> tuple[Any, ...]:
    while True:
        # Another thread may read while the event loop writes.
        with suppress(RuntimeError):
            return tuple(state.active_requests)
