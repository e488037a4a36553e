"""Says what a database error means for a sync."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SQLAlchemyError

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    PermanentError,
    SyncError,
    TimedOut,
    TransientError,
)
from ingestion.sync.genius.settings import DATABASE_URL

Code = int | str | None

# MySQL's error numbers (errmsg-utf8.txt; 2000 and up are the client's own), PostgreSQL's states.
REFUSED: frozenset[Code] = frozenset({1044, 1045, 1049, 1698, "28000", "28P01", "3D000"})
FORBIDDEN: frozenset[Code] = frozenset({1142, 1143, "42501"})
NO_TABLE: frozenset[Code] = frozenset({1146, "42P01"})
# Too many connections, shutting down, lock wait, deadlock, interrupted, too slow.
BUSY: frozenset[Code] = frozenset({1040, 1053, 1077, 1203, 1205, 1213, 1226, 1317, 1969, 3024})
# MySQL's and MariaDB's limits of a statement's time, and PostgreSQL's.
TOO_SLOW: frozenset[Code] = frozenset({3024, 1969, "57014"})
BUSY_STATES = ("08", "40", "53", "55", "57")
CLIENT_ERRORS = range(2000, 3000)

# PostgreSQL tells no state before a connection stands, SQLite none at all.
_REFUSAL = re.compile(
    r'password authentication failed|no pg_hba\.conf entry|(role|database) ".*" does not exist'
)
_BUSY_WORDS = ("database is locked", "database table is locked", "database schema has changed")


@contextmanager
def explained(url: URL, table: str) -> Iterator[None]:
    """Turns what SQLAlchemy raises while ``table`` is read into a SyncError."""
    try:
        yield
    except SQLAlchemyError as problem:
        raise explain(problem, url=url, table=table) from problem


def explain(problem: SQLAlchemyError, *, url: URL, table: str) -> SyncError:
    """The SyncError that says what happened and what to do, without a password."""
    if isinstance(problem, NoSuchTableError):
        return _no_table(table)
    if not isinstance(problem, DBAPIError):
        return PermanentError(
            f"Genius: table {table} cannot be read: {_words(problem, url)}; check {DATABASE_URL}."
        )
    code, words = code_of(problem), _words(problem.orig or problem, url)
    if code in REFUSED or (code is None and _REFUSAL.search(words)):
        return CredentialsError(f"Genius refused the connection: {words}; correct {DATABASE_URL}.")
    if code in FORBIDDEN:
        return NotAllowed(
            f"Genius: the user of {DATABASE_URL} may not read table {table}; grant it SELECT."
        )
    if code in NO_TABLE or "no such table" in words:
        return _no_table(table)
    if problem.connection_invalidated or _is_busy(code, words, url):
        kind = TimedOut if code in TOO_SLOW else TransientError
        return kind(f"Genius: table {table} cannot be read now: {words}; try again later.")
    return PermanentError(f"Genius: table {table} cannot be read: {words}; check {DATABASE_URL}.")


def code_of(problem: DBAPIError) -> Code:
    """MySQL's error number or PostgreSQL's state; None where the driver tells none."""
    driver_error = problem.orig
    first = driver_error.args[0] if driver_error is not None and driver_error.args else None
    # MySQL's drivers tell a state, too, but it says less than the number.
    if isinstance(first, int):
        return first
    states = (getattr(driver_error, name, None) for name in ("sqlstate", "pgcode"))
    return next((state for state in states if isinstance(state, str)), None)


def _no_table(table: str) -> PermanentError:
    return PermanentError(
        f"Genius has no table {table}: check the database in {DATABASE_URL}, or the table's name "
        "in ingestion/sync/genius/settings.py."
    )


def _is_busy(code: Code, words: str, url: URL) -> bool:
    if isinstance(code, int):
        return code in BUSY or code in CLIENT_ERRORS
    if isinstance(code, str):
        return code.startswith(BUSY_STATES)
    if url.get_backend_name() == "sqlite":
        return any(part in words for part in _BUSY_WORDS)
    return True  # a driver without a code could not speak to the server


def _words(problem: BaseException, url: URL) -> str:
    """The driver's words in one line, without the password that it may quote."""
    text = " ".join(str(part) for part in problem.args if part != "") or type(problem).__name__
    for secret in filter(None, (url.password, quote(url.password or "", safe=""))):
        text = text.replace(str(secret), "***")
    return " ".join(text.split()).rstrip(".")
