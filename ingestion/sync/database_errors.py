"""What the error of a database means, for ledger and warehouse alike: decided here alone.

PostgreSQL is read by its SQLSTATE, SQLite by its result code. Where the driver tells neither, it did
not come so far as to ask the server.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from enum import Enum


class Trouble(Enum):
    """``AWAY``: the database cannot be asked at all. ``REFUSED``: it answers, but not now, and
    another try may succeed. ``FAULT``: a statement that is wrong, which no waiting mends."""

    AWAY = "away"
    REFUSED = "refused"
    FAULT = "fault"


# Classes of SQLSTATE (two characters) and single states, by
# https://www.postgresql.org/docs/current/errcodes-appendix.html
STATES = {
    "08": Trouble.AWAY,  # connection exceptions; pgbouncer's own refusals are 08P01
    "28": Trouble.AWAY,  # the login is refused
    "3D": Trouble.AWAY,  # no such database
    "57P": Trouble.AWAY,  # shut down, crashed, starting, database dropped
    "58": Trouble.AWAY,  # input and output of the server
    "F0": Trouble.AWAY,  # its configuration file
    "XX": Trouble.AWAY,  # its own fault, or damaged data
    "42P01": Trouble.AWAY,  # no such table: the database is not migrated
    "25006": Trouble.REFUSED,  # read-only: a standby, or after a failover
    "25P03": Trouble.REFUSED,  # idle in transaction for too long
    "25P04": Trouble.REFUSED,  # transaction took too long
    "26": Trouble.REFUSED,  # a prepared statement that another connection has
    "40": Trouble.REFUSED,  # serialization, deadlock, outcome unknown
    "53": Trouble.REFUSED,  # disk full, out of memory, too many connections
    "55006": Trouble.REFUSED,  # object in use
    "55P03": Trouble.REFUSED,  # a lock was not to be had in time
    "57014": Trouble.REFUSED,  # canceled, as by statement_timeout
}
# After these the connection is of no use, though it is open: it leads to a server that has been
# demoted, or nobody knows what it has done.
SPOILS_CONNECTION = frozenset({"25006", "25P03", "25P04", "26000", "40003", "57014"})

# Primary result codes of https://www.sqlite.org/rescode.html
CODES = {
    sqlite3.SQLITE_CANTOPEN: Trouble.AWAY,
    sqlite3.SQLITE_CORRUPT: Trouble.AWAY,
    sqlite3.SQLITE_IOERR: Trouble.AWAY,
    sqlite3.SQLITE_NOTADB: Trouble.AWAY,
    sqlite3.SQLITE_PERM: Trouble.AWAY,
    sqlite3.SQLITE_BUSY: Trouble.REFUSED,
    sqlite3.SQLITE_FULL: Trouble.REFUSED,
    sqlite3.SQLITE_INTERRUPT: Trouble.REFUSED,
    sqlite3.SQLITE_LOCKED: Trouble.REFUSED,
    sqlite3.SQLITE_NOMEM: Trouble.REFUSED,
    sqlite3.SQLITE_PROTOCOL: Trouble.REFUSED,
    sqlite3.SQLITE_READONLY: Trouble.REFUSED,
}
NOT_MIGRATED = "no such table"
# As PEP 249 names them, so that Django's and SQLAlchemy's own classes count as the drivers' do.
UNASKED = frozenset({"InterfaceError", "OperationalError"})


def trouble_of(error: BaseException) -> Trouble:
    """``error`` as a driver raised it, or as Django or SQLAlchemy wrapped it."""
    found = driver_error(error)
    if state := sqlstate_of(found):
        lengths = (5, 3, 2)
        kinds = (STATES.get(state[:length]) for length in lengths)
        return next((kind for kind in kinds if kind), Trouble.FAULT)
    if (code := getattr(found, "sqlite_errorcode", None)) is not None:
        if NOT_MIGRATED in str(found):
            return Trouble.AWAY
        return CODES.get(code & 0xFF, Trouble.FAULT)
    is_unasked = any(kind.__name__ in UNASKED for kind in type(found).__mro__)
    return Trouble.AWAY if is_unasked else Trouble.FAULT


def spoils_connection(error: BaseException) -> bool:
    return sqlstate_of(driver_error(error)) in SPOILS_CONNECTION


def sqlstate_of(error: BaseException) -> str:
    """'' where there is none."""
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def driver_error(error: BaseException) -> BaseException:
    """The error that tells most: the innermost with a code of its own, else ``error``."""
    for found in _within(error):
        if sqlstate_of(found) or getattr(found, "sqlite_errorcode", None) is not None:
            return found
    return getattr(error, "orig", None) or error


def _within(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = getattr(current, "orig", None) or current.__cause__
