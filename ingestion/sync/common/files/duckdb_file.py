"""A DuckDB file, which one process may have open to write, or several to read: who wants it waits.

DuckDB's own lock of a file is the process's: when one part of it closes the file, another part has
lost the lock too. So those of this project agree among themselves by a lock file beside it first; what
other programs have open is waited for as well.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb

from ingestion import private_files

# How long a load waits for another one of the same CRM, and a reader for a load.
BUSY_SECONDS: Final = 120.0
READ_BUSY_SECONDS: Final = 10.0
TRY_EVERY_SECONDS: Final = 0.05
# As DuckDB says that a file is open elsewhere, in another process or in this one.
IS_OPEN: Final = ("Could not set lock on file", "Unique file handle conflict")

# Nothing is fetched from DuckDB's servers: what is needed is part of the package.
CONFIG: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}

_T = TypeVar("_T")


class FileBusy(Exception):
    """Somebody else has the file open; the message says who."""


@contextmanager
def opened(
    file: Path, open_it: Callable[[], _T], *, who: str, writes: bool, wait_seconds: float
) -> Iterator[_T]:
    """What ``open_it`` gives, while nobody else has the file open in a way that forbids it; whoever
    enters has to close it inside. ``who``: named to those that wait. Raises FileBusy."""
    deadline = time.monotonic() + wait_seconds
    with _agreed(file, who, writes, deadline, wait_seconds):
        yield _when_closed_elsewhere(file, open_it, deadline, wait_seconds)


@contextmanager
def _agreed(
    file: Path, who: str, writes: bool, deadline: float, wait_seconds: float
) -> Iterator[None]:
    lock = file.with_name(f"{file.name}.lock")
    private_files.make_file(lock)
    descriptor = os.open(lock, os.O_RDWR)
    try:
        while not _take(descriptor, fcntl.LOCK_EX if writes else fcntl.LOCK_SH):
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                raise _busy(file, f"{holder or 'somebody'} has it open", wait_seconds)
            time.sleep(TRY_EVERY_SECONDS)
        if writes:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{who} (process {os.getpid()})".encode(), 0)
        yield
    finally:
        os.close(descriptor)  # and with it the lock is given back


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _when_closed_elsewhere(
    file: Path, open_it: Callable[[], _T], deadline: float, wait_seconds: float
) -> _T:
    while True:
        try:
            return open_it()
        except duckdb.Error as problem:
            if not any(words in str(problem) for words in IS_OPEN):
                raise
            if time.monotonic() >= deadline:
                raise _busy(file, _holder(problem), wait_seconds) from problem
            time.sleep(TRY_EVERY_SECONDS)


def _holder(problem: duckdb.Error) -> str:
    """DuckDB names the program and the process that have it open."""
    _, found, told = str(problem).partition("Conflicting lock is held in ")
    return f"{told.partition(')')[0]}) has it open" if found else "it is open elsewhere"


def _busy(file: Path, why: str, wait_seconds: float) -> FileBusy:
    return FileBusy(f"The DuckDB file {file.name} is busy: {why}; waited {wait_seconds:g} seconds.")


def make(file: Path) -> None:
    """An empty database that is its owner's alone, unless there is one. DuckDB itself would let
    everybody read it, and takes no empty file."""
    if file.exists():
        return
    fresh = file.with_name(f".{uuid.uuid4().hex}")
    try:
        duckdb.connect(str(fresh)).close()
        fresh.chmod(private_files.FILE_MODE)
        with suppress(FileExistsError):
            os.link(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


class Readers:
    """Opens a file to read it, for SQLAlchemy: ``connect`` and ``close`` are its events."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._held: dict[int, ExitStack] = {}

    def connect(self, dialect: Any, record: Any, arguments: Any, named: Any) -> Any:
        """Raises FileBusy."""
        holding = opened(
            self._file,
            lambda: dialect.connect(*arguments, **named),
            who="a reader",
            writes=False,
            wait_seconds=READ_BUSY_SECONDS,
        )
        with ExitStack() as stack:
            connection = stack.enter_context(holding)
            connection.execute("SET TimeZone = 'UTC'")
            self._held[id(connection)] = stack.pop_all()
        return connection

    def close(self, connection: Any, record: Any) -> None:
        """Before it is closed: who tries in that moment finds the file open, and waits."""
        holding = self._held.pop(id(connection), None)
        if holding is not None:
            holding.close()
