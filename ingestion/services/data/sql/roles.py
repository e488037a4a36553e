"""The roles that questions are asked by in a PostgreSQL warehouse, and how they are made.

Each is a login of its own, for three reasons. ``SET ROLE`` in a session of the warehouse's owner would
be undone by ``RESET ROLE``, or by the function ``set_config('role', …)``, from within a query; a role
that has logged in has nobody to go back to. Row security or masks in the query's text would have to
be right for every expression of SQL; a role without a right to the table is refused by the server
itself, in subqueries, functions, statistics (``pg_stats`` shows only columns that one may read) and
all. And ``pg_stat_activity`` hides what another role asks. There are two: what one that sees personal
data asks must not be shown to one that does not.

Their passwords follow from ``SECRET_KEY``, so that no place has to keep them; whoever changes that
makes the roles again.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from psycopg import sql

MASKED, PERSONAL = "masked", "personal"
AUDIENCES: Final = (MASKED, PERSONAL)
LONGEST_NAME: Final = 63
CONNECTIONS: Final = 8


def audience(*, personal: bool) -> str:
    return PERSONAL if personal else MASKED


def role_name(database: str, of: str) -> str:
    """Roles belong to the whole server, databases stand beside each other."""
    return f"{database[: LONGEST_NAME - len(of) - 5]}_sql_{of}"


def schema_name(crm_source: str, of: str) -> str:
    return f"{crm_source}_{of}"


def password(role: str) -> str:
    key = str(settings.SECRET_KEY).encode()
    return hmac.new(key, f"sql-box:{role}".encode(), hashlib.sha256).hexdigest()


def statements(connection: Any, database: str) -> Iterator[str]:
    """What makes both roles, or sets them right; for one that may make roles. The server learns and
    logs no password, only its SCRAM verifier."""
    for of in AUDIENCES:
        name = role_name(database, of)
        verifier = connection.pgconn.encrypt_password(
            password(name).encode(), name.encode(), b"scram-sha-256"
        ).decode()
        role = sql.Identifier(name)
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
        make = sql.SQL(
            "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION"
            " NOBYPASSRLS CONNECTION LIMIT {limit} PASSWORD {verifier}"
        ).format(
            verb=sql.SQL("ALTER" if exists else "CREATE"),
            role=role,
            limit=sql.Literal(CONNECTIONS),
            verifier=sql.Literal(verifier),
        )
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), role)
        only = sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role)
        yield from (one.as_string(connection) for one in (make, only, grant))


def are_there(connection: Any, database: str) -> bool:
    names = [role_name(database, of) for of in AUDIENCES]
    found = connection.execute("SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", (names,))
    return bool(found.fetchone()[0] == len(names))
