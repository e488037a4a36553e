"""One run per model at a time: dlt loses data when a pipeline runs twice at once.

A file lock holds between the processes of this machine; on PostgreSQL an advisory lock holds
between all machines that load into it. Both end with the process that holds them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import blake2b
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from ingestion.sync.common.errors import SyncBusy, TransientError
from ingestion.sync.common.warehouse import Warehouse

# How long to wait between two tries, in seconds.
TRY_EVERY_SECONDS = 0.2


class HeldLock:
    """A lock that is held; ``verify`` proves that it still is."""

    def __init__(self, name: str, connection: sa.Connection | None) -> None:
        self.name = name
        self._connection = connection

    def verify(self) -> None:
        """Raises TransientError when the connection that holds the advisory lock is gone."""
        if self._connection is None:
            return
        try:
            self._connection.execute(sa.text("SELECT 1"))
            self._connection.commit()
        except sa.exc.SQLAlchemyError as gone:
            raise TransientError(
                f"The warehouse closed the connection that held the lock of {self.name}; "
                "nothing was loaded, run the sync again."
            ) from gone


@contextmanager
def lock(
    name: str,
    *,
    warehouse: Warehouse,
    lock_dir: Path,
    wait_seconds: float,
    check: Callable[[], None],
) -> Iterator[HeldLock]:
    """Hold the lock ``name``. ``check`` is called between two tries and may raise.

    Raises SyncBusy after ``wait_seconds``.
    """
    lock_dir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as stack:
        file_lock = FileLock(lock_dir / f"{name}.lock", thread_local=False)
        _until(lambda: _take_file(file_lock), name, wait_seconds, deadline, check)
        stack.callback(file_lock.release)
        connection = None
        if warehouse.is_postgres:
            taken = stack.enter_context(warehouse.connection())
            _until(lambda: _take_advisory(taken, name), name, wait_seconds, deadline, check)
            stack.callback(_release_advisory, taken, name)
            connection = taken
        yield HeldLock(name, connection)


def _until(
    take: Callable[[], bool],
    name: str,
    wait_seconds: float,
    deadline: float,
    check: Callable[[], None],
) -> None:
    while not take():
        check()
        if time.monotonic() >= deadline:
            raise SyncBusy(
                f"Another run of {name} is loading; waited {wait_seconds:g} seconds for it."
            )
        time.sleep(TRY_EVERY_SECONDS)


def _take_file(file_lock: FileLock) -> bool:
    try:
        file_lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _take_advisory(connection: sa.Connection, name: str) -> bool:
    taken = connection.execute(sa.select(sa.func.pg_try_advisory_lock(_number(name)))).scalar_one()
    # The lock belongs to the session, not to the transaction: leave none open.
    connection.commit()
    return bool(taken)


def _release_advisory(connection: sa.Connection, name: str) -> None:
    """A connection that was cut has lost its lock already."""
    try:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_number(name))))
        connection.commit()
    except sa.exc.DBAPIError:
        connection.invalidate()


def _number(name: str) -> int:
    digest = blake2b(f"data_warehouse:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
