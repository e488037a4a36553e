"""One ``up`` per clone: a lock that the kernel gives back whatever becomes of its holder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ingestion import private_files, runfile

# A killed system's guard holds the lock until everything is ended.
GUARD_SECONDS = 45.0


class RunsAlready(Exception):
    """Another ``up`` runs in this clone."""


def take_lock(var_dir: Path) -> int:
    """The file descriptor that holds the lock until it is closed, here and in whoever inherits
    it. Raises RunsAlready."""
    path = runfile.path_in(var_dir).with_name("up.lock")
    private_files.make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + GUARD_SECONDS
    while not _is_taken_now(descriptor):
        if (running := runfile.read_running(var_dir)) or time.monotonic() > deadline:
            os.close(descriptor)
            where = f" on {running.url}" if running and running.url else ""
            raise RunsAlready(
                f"The system runs already{where}; 'manage.py up --status' tells more, Ctrl-C in "
                "its terminal stops it."
            )
        time.sleep(0.1)
    return descriptor


def _is_taken_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
