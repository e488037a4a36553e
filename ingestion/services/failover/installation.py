"""Which installation this is: an id in its database that the pool's state in Redis bears too.

Two installations that share one Redis by mistake would take each other's state for their own, or
for a lost one. A copy of a database is an installation of its own, so it gets an id of its own.
"""

from __future__ import annotations

import socket
import uuid
from pathlib import Path

from django.db import ProgrammingError, connection

from ingestion.models import ActiveStoreState
from ingestion.services.infra.database import as_unavailable, bounded_transaction

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# The cluster is the same after a restart and on a physical replica, and another after a restore.
# https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-CONTROL-SYSTEM
PLACE_IN_POSTGRESQL = """
    SELECT (SELECT system_identifier FROM pg_control_system()), oid
    FROM pg_database WHERE datname = current_database()
"""


def known() -> str:
    """The id; '' before there is one, and in a database that is a copy. Changes nothing. Raises
    LedgerUnavailable."""
    with as_unavailable():
        record = ActiveStoreState.objects.look()
        return "" if _is_copied(record.database, _place()) else record.installation


def agree() -> None:
    """Make the id where there is none yet. Not in a caller's transaction, which may be rolled back
    after Redis has heard of the id. Raises LedgerUnavailable."""
    if connection.in_atomic_block:
        return
    with as_unavailable():
        here, record = _place(), ActiveStoreState.objects.look()
    if record.installation and here in ("", record.database):
        return
    with bounded_transaction():
        record = ActiveStoreState.objects.locked()
        if not record.installation or _is_copied(record.database, here):
            record.installation = uuid.uuid4().hex
        record.database = here
        record.save(update_fields=["installation", "database"])


def description() -> str:
    """What other installations are told of this one; no secret."""
    database = connection.settings_dict
    name, host = database["NAME"], database.get("HOST")
    where = f" at {host}" if host else ""
    return f"the database {name}{where}, used on {socket.gethostname()}"


def _is_copied(kept: str, here: str) -> bool:
    """A SQLite file that is no longer where it was has only been moved."""
    if not (kept and here) or kept == here:
        return False
    vendor, _, path = kept.partition(":")
    return not (vendor == SQLITE and here.startswith(SQLITE) and not Path(path).exists())


def _place() -> str:
    """Where this database is; '' where that cannot be known, and in memory."""
    if connection.vendor == SQLITE:
        name = str(connection.settings_dict["NAME"])
        is_file = not (name == ":memory:" or "mode=memory" in name)
        return f"{SQLITE}:{Path(name).resolve()}" if is_file else ""
    if connection.vendor != POSTGRESQL or connection.in_atomic_block:
        return ""
    try:
        with connection.cursor() as cursor:
            cursor.execute(PLACE_IN_POSTGRESQL)
            system, oid = cursor.fetchone()
    except ProgrammingError:  # no right to ask, or no such function
        return ""
    return f"{POSTGRESQL}:{system}:{oid}"
