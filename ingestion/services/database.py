"""Database connections of processes that live long. Django's own helpers would also cut a
connection whose transaction is open, and a caller's transaction must stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ingestion.pool.errors import LedgerUnavailable

# What a database raises that is away, refuses, or cannot give a lock in time.
GONE = (OperationalError, InterfaceError)
LOCK_WAIT_MS = 1500
# A process that stops in the middle of a transaction must not hold its locks for ever.
LONGEST_PAUSE_MS = 30_000

_losses = 0


def times_lost() -> int:
    """How often this process has found its database away; it only rises."""
    return _losses


def refresh_connections() -> None:
    """Drop what died, or grew too old, during a long run."""
    for found in _free_connections():
        found.close_if_unusable_or_obsolete()


def close_connections() -> None:
    """Before the process forks: a child must not inherit one."""
    for found in _free_connections():
        found.close()


def _free_connections() -> Iterator[BaseDatabaseWrapper]:
    for found in connections.all(initialized_only=True):
        if not found.in_atomic_block:
            yield found


@contextmanager
def told_as_unavailable() -> Iterator[None]:
    """A database that is away becomes LedgerUnavailable; the next call opens a new connection."""
    global _losses
    try:
        yield
    except GONE as problem:
        _losses += 1
        refresh_connections()
        raise LedgerUnavailable(f"The ledger's database cannot be used: {problem}") from problem


@contextmanager
def bounded_transaction() -> Iterator[None]:
    """A transaction that waits for no lock longer than a second and a half; then, and when the
    database is away, it raises LedgerUnavailable."""
    with told_as_unavailable(), _bounded_begin(), transaction.atomic():
        if connection.vendor == "postgresql":
            _bound_locks(is_outermost=len(connection.atomic_blocks) == 1)
        yield


def _bound_locks(*, is_outermost: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
        if is_outermost:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {LONGEST_PAUSE_MS}")


@contextmanager
def _bounded_begin() -> Iterator[None]:
    """SQLite waits for its one write lock when a transaction begins."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    usual_ms = round(1000 * float(connection.settings_dict["OPTIONS"].get("timeout", 5)))
    _wait_at_most(LOCK_WAIT_MS)
    try:
        yield
    finally:
        _wait_at_most(usual_ms)


def _wait_at_most(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
