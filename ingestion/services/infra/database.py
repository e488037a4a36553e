"""Database connections of processes that live long. Django's own helpers would also cut a
connection whose transaction is open, and a caller's transaction must stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import (
    DatabaseError,
    InterfaceError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.infra.bounds import set_busy_timeout
from ingestion.sync.database_errors import Trouble, spoils_connection, trouble_of

# All that a database raises; Django's InterfaceError (a connection that is already closed) is no
# DatabaseError.
DATABASE_ERRORS = (DatabaseError, InterfaceError)
LOCK_WAIT_MS = 1500
# A process that stops in the middle of a transaction must not hold its locks for ever.
LONGEST_PAUSE_MS = 30_000
SENTENCES = {
    Trouble.AWAY: "The ledger's database cannot be used",
    Trouble.REFUSED: "The ledger's database refuses for now",
}

_losses = 0


def times_lost() -> int:
    """How often this process has found its database away; it only rises."""
    return _losses


def ledger_now() -> datetime:
    """The time of the ledger's database, one clock for all hosts: that of one host may be wrong, or
    jump. All processes that share a file are on one host, whose time it is then."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def refresh_connections() -> None:
    """Drop what died, or grew too old, during a long run."""
    for found in _free_connections():
        found.close_if_unusable_or_obsolete()


def close_connections() -> None:
    """Before the process forks, as a child must not inherit one; or since they are of no use."""
    for found in _free_connections():
        found.close()


def _free_connections() -> Iterator[BaseDatabaseWrapper]:
    for found in connections.all(initialized_only=True):
        if not found.in_atomic_block:
            yield found


@contextmanager
def as_unavailable() -> Iterator[None]:
    """A database that is away, or refuses for now, becomes LedgerUnavailable; the next call opens a
    new connection where the old one is of no use. A fault of ours is raised as it is."""
    global _losses
    try:
        yield
    except DATABASE_ERRORS as problem:
        trouble = trouble_of(problem)
        if trouble is Trouble.FAULT:
            raise
        _losses += 1
        if spoils_connection(problem):
            close_connections()
        refresh_connections()
        raise LedgerUnavailable(f"{SENTENCES[trouble]}: {_first(problem)}") from problem


def _first(problem: BaseException) -> BaseException:
    """What went wrong before Django tried to connect again to end its transaction."""
    earlier = problem.__context__
    return _first(earlier) if isinstance(earlier, DATABASE_ERRORS) else problem


@contextmanager
def bounded_transaction() -> Iterator[None]:
    """A transaction that waits for no lock longer than a second and a half; then, and when the
    database is away, it raises LedgerUnavailable."""
    with as_unavailable(), _bounded_begin(), transaction.atomic():
        if connection.vendor == "postgresql":
            _bound_locks(is_outermost=len(connection.atomic_blocks) == 1)
        yield


def _bound_locks(*, is_outermost: bool) -> None:
    bounds = f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"
    if is_outermost:
        bounds += f"; SET LOCAL idle_in_transaction_session_timeout = {LONGEST_PAUSE_MS}"
    with connection.cursor() as cursor:
        cursor.execute(bounds)


@contextmanager
def _bounded_begin() -> Iterator[None]:
    """SQLite waits for its one write lock when a transaction begins."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    set_busy_timeout(connection, at_most_ms=LOCK_WAIT_MS)
    try:
        yield
    finally:
        set_busy_timeout(connection)
