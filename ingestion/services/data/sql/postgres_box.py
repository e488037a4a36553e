"""Answers a question in a PostgreSQL warehouse, by a role that may read masked views and no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql

from ingestion.services.data.errors import WarehouseAway
from ingestion.services.data.sql import postgres_views, roles
from ingestion.services.data.sql.answer import LONGEST_VALUE, Answer, Bounds, NoBox, RefusedQuery
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm
from ingestion.sync.common.warehouse import Warehouse, engine_of

FETCHED: Final = 50
# After the server's own limit, which a query can lift for the statements after it.
GRACE_SECONDS: Final = 1.0
_NUMBERS: Final = {
    "bool": bool,
    "int2": int,
    "int4": int,
    "int8": int,
    "float4": float,
    "float8": float,
}
_HARMLESS: Final = """
SELECT NOT (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls)
       AND NOT EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = r.oid)
       AND session_user = current_user
FROM pg_roles r WHERE r.rolname = session_user
"""


def answer(
    warehouse: Warehouse, found: Crm, query: str, bounds: Bounds, *, personal: bool
) -> Answer:
    """Raises RefusedQuery, NoBox and WarehouseAway."""
    try:
        _prepare(warehouse)
        with _session(warehouse, found, bounds, personal=personal) as connection:
            return _answer(connection, query, bounds)
    except psycopg.errors.QueryCanceled as stopped:
        raise RefusedQuery(bounds.sentence) from stopped
    except psycopg.OperationalError as problem:
        raise WarehouseAway("The warehouse cannot be asked now.") from problem
    except psycopg.Error as problem:
        raise RefusedQuery(_sentence(problem)) from problem


def _prepare(warehouse: Warehouse) -> None:
    """The views as settings and tables are now: of every CRM, since the role may read all of them."""
    database = str(warehouse.url.database)
    with closing(warehouse.lend()) as connection:
        connection.rollback()
        connection.autocommit = True
        if not roles.are_there(connection, database):
            raise NoBox(
                "The roles that ask are not made yet; somebody who may make roles runs:"
                " manage.py manage_data sql-roles"
            )
        postgres_views.make_current(connection, database, list(crms().values()))


@contextmanager
def _session(warehouse: Warehouse, found: Crm, bounds: Bounds, *, personal: bool) -> Iterator[Any]:
    of = roles.audience(personal=personal)
    role = roles.role_name(str(warehouse.url.database), of)
    own = warehouse.url.set(username=role, password=roles.password(role))
    engine = engine_of(own)
    try:
        with closing(_connected(engine)) as connection:
            connection.autocommit = True
            _check(connection)
            watch = threading.Timer(bounds.seconds + GRACE_SECONDS, connection.cancel)
            watch.start()
            try:
                with connection.transaction(force_rollback=True):
                    schema = sql.Identifier(roles.schema_name(found.name, of))
                    connection.execute("SET TRANSACTION READ ONLY")
                    # Of the transaction: behind a pooler the session is another one's next.
                    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(schema))
                    milliseconds = int(bounds.seconds * 1000)
                    connection.execute(f"SET LOCAL statement_timeout = {milliseconds}")
                    yield connection
            finally:
                watch.cancel()
    finally:
        engine.dispose()


def _connected(engine: Any) -> Any:
    lent = engine.raw_connection()
    connection = lent.driver_connection
    lent.detach()
    connection.rollback()
    return connection


def _check(connection: Any) -> None:
    """Somebody may have made the role more than it was: then nobody asks by it."""
    found = connection.execute(_HARMLESS).fetchone()
    if found is None or not found[0]:
        raise NoBox("The role that asks holds rights that it must not have; see docs/data.md.")


def _answer(connection: Any, query: str, bounds: Bounds) -> Answer:
    names, kinds = _described(connection, query)
    found = Answer(names)
    if not names:
        raise RefusedQuery("The query gives no columns.")
    places = [f"c{number}" for number in range(len(names))]
    values = sql.SQL(", ").join(
        sql.SQL("left({}::text, {})").format(sql.Identifier(place), sql.Literal(LONGEST_VALUE + 1))
        for place in places
    )
    # As a subquery it can be nothing but a question.
    wrapped = sql.SQL(
        "DECLARE answer NO SCROLL CURSOR FOR SELECT {} FROM (\n{}\n) AS q ({})"
    ).format(values, sql.SQL(query), sql.SQL(", ").join(map(sql.Identifier, places)))
    _run_one(connection, wrapped.as_string(connection))
    while True:
        rows = connection.execute(f"FETCH {FETCHED} FROM answer").fetchall()
        for row in rows:
            typed = (_typed(value, kind) for value, kind in zip(row, kinds, strict=True))
            if not found.add(tuple(typed), bounds):
                return found
        if len(rows) < FETCHED:
            return found


def _described(connection: Any, query: str) -> tuple[list[str], list[str]]:
    """Names and types of its columns; nothing is carried out. More than one statement is refused."""
    pgconn = connection.pgconn
    for result in (pgconn.prepare(b"", query.encode()), pgconn.describe_prepared(b"")):
        _raise_for(connection, result)
    names = [result.fname(n).decode() for n in range(result.nfields)]
    known = connection.adapters.types
    types = [known.get(result.ftype(n)) for n in range(result.nfields)]
    return names, [one.name if one else "" for one in types]


def _run_one(connection: Any, statement: str) -> None:
    """By the protocol that takes one statement, where ``;`` begins no second one."""
    _raise_for(connection, connection.pgconn.exec_params(statement.encode(), None))


def _raise_for(connection: Any, result: Any) -> None:
    if result.status not in (psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK):
        raise psycopg.errors.error_from_result(result, encoding="utf-8")


def _typed(text: str | None, kind: str) -> Any:
    make = _NUMBERS.get(kind)
    if text is None or make is None:
        return text
    return text == "true" if make is bool else make(text)


def _sentence(problem: psycopg.Error) -> str:
    """In the words of the server, in one line."""
    text = problem.diag.message_primary or (str(problem).splitlines() or ["The query failed"])[0]
    return f"{text[:500].rstrip('.')}."
