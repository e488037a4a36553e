"""One run per model at a time: two would stage into the same tables.

A file lock holds between the processes of this machine; on PostgreSQL an advisory lock holds
between all machines that load into it. Both end with the process that holds them.

A lock of a session stands on the connection that loads. It would be of no use behind a pooler: each
statement may meet another session, and what one took stays with it for whoever comes next. There it
is that of an open transaction, which keeps its session, and it has a lease. The lease is the
server's: it ends a transaction from which nothing came for so long, and with it the lock. So a
machine that was switched off blocks a model no longer than that; the kernel of one whose process was
killed closes the connection at once. A process that was paused past its lease finds its transaction
ended, and writes nothing: whoever loads proves in the transaction of the load that the lock's is
still open (``fence``).

Both kinds have one number, that of earlier releases: all wait for each other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from filelock import FileLock, Timeout

from ingestion import private_files
from ingestion.private_files import FILE_MODE
from ingestion.sync.common.errors import SyncBusy, TransientError
from ingestion.sync.common.warehouse import Warehouse

logger = logging.getLogger(__name__)

# How long to wait between two tries, in seconds.
TRY_EVERY_SECONDS = 0.2
LEASE_SECONDS = 120.0
RENEWALS_PER_LEASE = 4

# Sends a statement with ``?`` for its parameters; the rows that it answers.
Ask = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

HOLDER = (
    "SELECT virtualtransaction, pid FROM pg_locks"
    " WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1"
)
IS_HELD = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND virtualtransaction = ? AND pid = ?"
)


class AdvisoryLock:
    """On a connection of its own, which a thread keeps alive while the lock is held."""

    def __init__(self, name: str, connection: sa.Connection) -> None:
        self._name = name
        self._connection = connection
        self._holder: tuple[str, int] | None = None
        self._one_at_a_time = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lock-{name}", daemon=True)

    def take(self) -> bool:
        """False where another one has it, or loads under it although it has lost it."""
        lease_ms = round(LEASE_SECONDS * 1000)
        self._ask(f"SET LOCAL idle_in_transaction_session_timeout = {lease_ms}")
        if not self._tries(number_of(self._name)) or not self._nobody_loads():
            self._connection.rollback()
            return False
        virtual, pid = self._connection.execute(sa.text(HOLDER)).one()
        self._holder = (str(virtual), int(pid))
        self._thread.start()
        return True

    def renew(self) -> bool:
        """False where it was lost."""
        with self._one_at_a_time:
            try:
                self._ask("SELECT 1")
            except sa.exc.SQLAlchemyError:
                return False
        return True

    def fence(self, ask: Ask) -> bool:
        """False where it was lost; else nobody else takes it before the transaction of ``ask`` has
        ended."""
        ask("SELECT pg_advisory_xact_lock_shared(?)", (number_of(f"{self._name}:load"),))
        return bool(self._holder and ask(IS_HELD, self._holder))

    def release(self) -> None:
        """With its transaction. A connection that was cut has lost it already."""
        self._stop.set()
        self._thread.join(timeout=LEASE_SECONDS / RENEWALS_PER_LEASE)
        try:
            self._connection.rollback()
        except sa.exc.SQLAlchemyError:
            self._connection.invalidate()

    def _keep(self) -> None:
        while not self._stop.wait(LEASE_SECONDS / RENEWALS_PER_LEASE):
            if not self.renew():
                logger.warning("the lock of %s was lost", self._name)
                return

    def _nobody_loads(self) -> bool:
        """Asked for and given back: who loads has it shared, see ``fence``."""
        attempt = self._connection.begin_nested()
        try:
            return self._tries(number_of(f"{self._name}:load"))
        finally:
            attempt.rollback()

    def _tries(self, number: int) -> bool:
        tried = sa.select(sa.func.pg_try_advisory_xact_lock(number))
        return bool(self._connection.execute(tried).scalar_one())

    def _ask(self, statement: str) -> None:
        self._connection.execute(sa.text(statement))


def number_of(name: str) -> int:
    digest = blake2b(f"data_warehouse:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


class HeldLock:
    """A lock that is held; ``verify`` proves that it still is."""

    def __init__(self, name: str, advisory: AdvisoryLock | None) -> None:
        self.name = name
        self._advisory = advisory

    def verify(self) -> None:
        """Raises TransientError where the lock was lost."""
        if self._advisory is not None and not self._advisory.renew():
            raise self._lost()

    def fence(self, ask: Ask) -> None:
        """In a transaction that writes: from here to its end nobody else has the lock. ``ask`` sends
        a statement in that transaction. Raises TransientError where the lock was lost."""
        if self._advisory is not None and not self._advisory.fence(ask):
            raise self._lost()

    def _lost(self) -> TransientError:
        return TransientError(
            f"The warehouse closed the connection that held the lock of {self.name}; "
            "nothing was loaded, run the sync again."
        )


class LockConnection(Protocol):
    """A connection that holds advisory locks until it ends."""

    def take_lock(self, number: int) -> bool:
        """False where another connection holds it."""

    def release_lock(self, number: int) -> None:
        """Raises nothing: a connection that is cut has lost its locks already."""


@dataclass
class Waiting:
    """For the lock ``name``, so long for all of its parts. ``check`` is called between two tries
    and may raise."""

    name: str
    seconds: float
    check: Callable[[], None]
    _began: float = field(default_factory=time.monotonic)

    def until(self, take: Callable[[], bool]) -> None:
        """Raises SyncBusy when the time is over."""
        while not take():
            self.check()
            if time.monotonic() >= self._began + self.seconds:
                raise SyncBusy(
                    f"Another run of {self.name} is loading; waited {self.seconds:g} seconds for it."
                )
            time.sleep(TRY_EVERY_SECONDS)


@contextmanager
def lock(
    name: str,
    *,
    warehouse: Warehouse,
    lock_dir: Path,
    wait_seconds: float,
    check: Callable[[], None],
) -> Iterator[HeldLock]:
    """Hold the lock ``name``, with a connection of its own. ``check`` is called between two tries
    and may raise.

    Raises SyncBusy after ``wait_seconds``.
    """
    waiting = Waiting(name, wait_seconds, check)
    with ExitStack() as stack:
        stack.enter_context(local_lock(waiting, lock_dir))
        if warehouse.is_postgres:
            yield stack.enter_context(transaction_lock(waiting, warehouse))
        else:
            yield HeldLock(name, None)


@contextmanager
def transaction_lock(waiting: Waiting, warehouse: Warehouse) -> Iterator[HeldLock]:
    """Between all who use the server, behind a pooler too: that of a transaction on a connection of
    its own."""
    with warehouse.connection() as connection:
        advisory = AdvisoryLock(waiting.name, connection)
        waiting.until(advisory.take)
        try:
            yield HeldLock(waiting.name, advisory)
        finally:
            advisory.release()


@contextmanager
def local_lock(waiting: Waiting, lock_dir: Path) -> Iterator[None]:
    """Between the processes of this machine."""
    private_files.make_folder(lock_dir)
    held = FileLock(lock_dir / f"{waiting.name}.lock", mode=FILE_MODE, thread_local=False)
    waiting.until(lambda: _take_file(held))
    try:
        yield
    finally:
        held.release()


@contextmanager
def advisory_lock(waiting: Waiting, connection: LockConnection) -> Iterator[None]:
    """Between all who use the server; it ends with the connection at the latest."""
    number = number_of(waiting.name)
    waiting.until(lambda: connection.take_lock(number))
    try:
        yield
    finally:
        connection.release_lock(number)


def _take_file(file_lock: FileLock) -> bool:
    try:
        file_lock.acquire(blocking=False)
    except Timeout:
        return False
    return True
