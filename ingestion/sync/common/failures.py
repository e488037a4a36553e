"""Finds the error that ended a run inside what was wrapped around it, and classes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    StoredStateInvalid,
    SyncError,
    SyncStopped,
    TransientError,
)
from ingestion.sync.database_errors import Trouble, trouble_of

# By the names of DuckDB's classes: only the warehouses that need them import them.
CONNECTION_NAMES = frozenset({"IOException", "OutOfMemoryException"})
# As SQLite, PostgreSQL, DuckDB and MariaDB say it.
UNDEFINED = re.compile(
    r"no such (table|column)|has no column|(column|relation|Table with name) .* does not exist"
    r"|Referenced column|Table '.*' doesn't exist|Unknown column"
)
REFUSED = ("password authentication failed", "no password supplied", "access denied for user")
LONGEST_CAUSE = 300
# As PostgreSQL quotes a value of a row: invalid input syntax for type bigint: "…".
QUOTED_VALUE = re.compile(r': "[^"]*("|$)')


def cause_of(error: BaseException) -> BaseException:
    """What has to be raised instead of ``error``.

    A stop, a SyncError and the end of the process come out as themselves; a trouble with the
    warehouse's connection becomes a TransientError, what does not fit its tables a StoredStateInvalid,
    everything else a PermanentError.
    """
    chain = list(_chain(error))
    for found in chain:
        if isinstance(found, SyncError | SyncStopped | KeyboardInterrupt | SystemExit):
            return found
        # Celery's soft time limit; the pool has its own answer to it.
        if type(found).__name__ == "SoftTimeLimitExceeded":
            return found
    return _classed(chain)


def _classed(chain: list[BaseException]) -> SyncError:
    root = chain[-1]
    told = _one_line(root)
    if any(word in str(e).lower() for e in chain for word in REFUSED):
        return CredentialsError(f"The warehouse refused the login of WAREHOUSE_URL: {told}")
    if UNDEFINED.search(told):
        return StoredStateInvalid(
            f"The warehouse's tables or schema do not fit the run: {told}; run the sync again,"
            " a run makes again what somebody has dropped."
        )
    if any(_is_passing(e) for e in chain):
        return TransientError(f"The warehouse could not be reached or was busy: {told}")
    return PermanentError(f"The run failed: {type(root).__name__}: {told}")


def _is_passing(error: BaseException) -> bool:
    """Trouble with a connection, or a lock: another attempt may help."""
    if isinstance(error, ConnectionError) or _is_one_of(error, CONNECTION_NAMES):
        return True
    return trouble_of(error) is not Trouble.FAULT


def _is_one_of(error: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _one_line(error: BaseException) -> str:
    """The first line; the ones after it may hold a statement with its parameters."""
    text = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    return without_values(text.splitlines()[0])[:LONGEST_CAUSE]


def without_values(sentence: str) -> str:
    """A database's words without the value of a row: more people read why a run failed than may see
    personal data."""
    return QUOTED_VALUE.sub(': "…"', sentence)
