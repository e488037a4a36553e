"""Ends the system when the ``up`` that owns it was killed.

Started as ``python -m ingestion.services.system.guard VAR_DIR`` with a pipe as standard input:
the pipe ends when ``up`` does, however it does. It also inherits the lock of ``up``, so that the
next one begins only when everything of the last one is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from ingestion import runfile
from ingestion.services.system.leftovers import stop_leftovers


def main(var_dir: Path) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while sys.stdin.buffer.read(1):
        pass
    found = runfile.read(var_dir)
    if found and _has_died(found.main):
        stop_leftovers(each for each in found.processes if each.mark.pid != os.getpid())
        runfile.remove(var_dir)


def _has_died(main: runfile.ProcessMark) -> bool:
    """A dying process closes its pipes a moment before it is gone."""
    deadline = time.monotonic() + 10
    while main.is_alive and time.monotonic() < deadline:
        time.sleep(0.02)
    return not main.is_alive


if __name__ == "__main__":
    main(Path(sys.argv[1]))
