"""How a worker is shut down: its syncs stop between two pages and are queued again.

Celery's warm shutdown waits for what runs, however long; its cold one cuts it off and leaves it
lost. Both begin here: the worker says goodbye, so that nothing more is sent to it, and its syncs
are told, then interrupted, then killed. What was killed is queued again from here.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from ingestion.services.worker import children
from ingestion.services.worker.children import Busy, Held
from ingestion.services.worker.stop_signals import SHUT_DOWN, SHUT_DOWN_NOW

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
# What a hurried shutdown leaves a sync, to unwind and to report.
HURRIED_SECONDS = 2.0


class Shutdown:
    """Belongs to the main process of a worker with child processes.

    It works in a thread, because Celery's own shutdown blocks the main one, partly inside a signal
    handler. No child is forked any more by then, so none inherits a lock that the thread holds.
    """

    def __init__(
        self,
        *,
        seconds: float,
        say_goodbye: Callable[[], object],
        queue_again: Callable[[Held], bool],
        begins_politely: bool = False,
        is_over: Callable[[], bool] = lambda: not threading.main_thread().is_alive(),
    ) -> None:
        """``seconds``: until what still runs is killed. ``queue_again`` is called until it says
        True. ``begins_politely``: of the signals that are heard, the first does not interrupt."""
        self._seconds = seconds
        self._say_goodbye = say_goodbye
        self._queue_again = queue_again
        self._begins_politely = begins_politely
        self._is_over = is_over
        self._thread: threading.Thread | None = None
        self._hurried_at: float | None = None
        self._seen: set[Busy] = set()
        self._told: set[tuple[Busy, int]] = set()
        self._reported: set[Busy] = set()

    @property
    def has_begun(self) -> bool:
        return self._thread is not None

    def hear(self, number: signal.Signals) -> None:
        """Learn of Celery's cold shutdown before Celery does: it sends this signal."""
        before: Any = signal.getsignal(number)

        def heard(number: int, frame: Any) -> None:
            self.begin(at_once=self.has_begun or not self._begins_politely)
            if callable(before):
                before(number, frame)

        signal.signal(number, heard)

    def begin(self, *, at_once: bool = False) -> None:
        """Safe in a signal handler; may be called again."""
        if at_once and self._hurried_at is None:
            self._hurried_at = time.monotonic()
        if self._thread is None:
            self._notice()
            # Not a daemon: the process must not end before what was killed is queued again.
            self._thread = threading.Thread(target=self._run, name="pool-shutdown", daemon=False)
            self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        self._say_goodbye()
        while not self._is_over():
            self._notice()
            self._press(began)
            self._report_dead()
            time.sleep(POLL_SECONDS)
        # A third signal may have ended the main thread while children were busy.
        self._kill_rest()
        self._report_dead()

    def _notice(self) -> None:
        """Celery forgets whom it has cut off, so they are remembered here."""
        self._seen.update(children.busy_children())

    def _press(self, began: float) -> None:
        now = time.monotonic()
        is_hurried = self._hurried_at is not None
        until = began + self._seconds
        if self._hurried_at is not None:
            until = min(until, self._hurried_at + HURRIED_SECONDS)
        if now >= until:
            self._kill_rest()
        elif is_hurried or now >= began + self._seconds / 2:
            self._signal_syncs(SHUT_DOWN_NOW)
        else:
            self._signal_syncs(SHUT_DOWN)

    def _rest(self) -> list[Busy]:
        return [busy for busy in self._seen if not busy.is_done]

    def _signal_syncs(self, number: signal.Signals) -> None:
        for busy in self._rest():
            if busy.held and (busy, number) not in self._told:
                self._told.add((busy, number))
                logger.info("task %s is told to stop by %s", busy.held.task_id, number.name)
                children.tell(busy.pid, number)

    def _kill_rest(self) -> None:
        for busy in self._rest():
            if children.is_alive(busy.pid):
                logger.warning("process %d did not stop and is killed", busy.pid)
                children.tell(busy.pid, signal.SIGKILL)

    def _report_dead(self) -> None:
        for busy in self._seen - self._reported:
            has_died = not busy.has_answered and not children.is_alive(busy.pid)
            if busy.held and has_died and self._queue_again(busy.held):
                self._reported.add(busy)
