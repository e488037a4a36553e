"""Ends what a test run has started and left running, however the run ended.

Started as ``python -m tests.guard PID`` with a pipe as standard input: the run closes it at its
end, and a run that is killed ends without. Its processes are found by ``RUN``, a variable that they
inherit. Some write over it, leave their process group and, when their parent dies, their family;
those are noted while they are still descendants of the run.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

from ingestion.runfile import ProcessMark
from tests.process_tree import command_of, descendants, having

RUN = "TEST_RUN_PID"
LOOK_EVERY_SECONDS = 1.0


class Guard:
    """Knows every process that descends from the run, itself excepted."""

    def __init__(self, run: ProcessMark) -> None:
        self._run = run
        self._known: dict[int, ProcessMark] = {}

    def watch(self) -> None:
        """Until the run is over."""
        while self._run.is_alive and not _is_closed():
            self.look()

    def look(self) -> None:
        """Forgets those that are gone, notes those that are new."""
        self._known = {pid: mark for pid, mark in self._known.items() if mark.is_alive}
        found = descendants({self._run.pid, *self._known}) - {os.getpid(), *self._known}
        self._known |= {pid: ProcessMark.of(pid) for pid in found}

    def end_what_is_left(self) -> list[str]:
        """Their commands. They had their chance to end in order."""
        self.look()
        own = {os.getpid(), self._run.pid}
        left = sorted((having(f"{RUN}={self._run.pid}") | set(self._known)) - own)
        commands = [f"{pid} {command_of(pid)[:100]}" for pid in left]
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return commands


def _is_closed() -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY_SECONDS)
    return bool(readable)


def main(pid: int) -> None:
    # What ends the run must not end its guard.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    guard = Guard(ProcessMark.of(pid))
    guard.watch()
    for command in guard.end_what_is_left():
        sys.stderr.write(f"left running by the tests, now killed: {command}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
