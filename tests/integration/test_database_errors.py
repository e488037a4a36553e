"""Every kind of error, raised by a real server or a real file, and what it means."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from django.db import DatabaseError, connection
from django.db.utils import InterfaceError

from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.infra.database import as_unavailable
from ingestion.services.system.embedded_redis import free_port
from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.failures import cause_of
from ingestion.sync.database_errors import Trouble, spoils_connection, trouble_of

AWAY, REFUSED, FAULT = Trouble.AWAY, Trouble.REFUSED, Trouble.FAULT
Postgres = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def postgres(postgres_database: Callable[[], str]) -> Iterator[Postgres]:
    with psycopg.connect(postgres_database(), autocommit=True) as found:
        found.execute("CREATE TABLE numbers (n integer PRIMARY KEY)")
        found.execute("INSERT INTO numbers VALUES (1), (2)")
        yield found


def another(postgres: Postgres) -> Postgres:
    return psycopg.connect(postgres.info.dsn, autocommit=True)


def read_only(postgres: Postgres) -> None:
    postgres.execute("SET default_transaction_read_only = on")
    postgres.execute("INSERT INTO numbers VALUES (3)")


def lock_timeout(postgres: Postgres) -> None:
    with another(postgres) as other, other.transaction():
        other.execute("LOCK numbers")
        postgres.execute("SET lock_timeout = 50")
        postgres.execute("SELECT * FROM numbers")


def statement_timeout(postgres: Postgres) -> None:
    postgres.execute("SET statement_timeout = 50")
    postgres.execute("SELECT pg_sleep(30)")


def temporary_files(postgres: Postgres) -> None:
    """As a full disk: the server has no room for what the statement needs."""
    postgres.execute("SET work_mem = '64kB'; SET temp_file_limit = '64kB'")
    postgres.execute(
        "SELECT count(*) FROM (SELECT * FROM generate_series(1, 200000) n ORDER BY 1) s"
    )


def serialization(postgres: Postgres) -> None:
    postgres.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    postgres.execute("SELECT * FROM numbers")
    with another(postgres) as other:
        other.execute("UPDATE numbers SET n = 11 WHERE n = 1")
    postgres.execute("UPDATE numbers SET n = 12 WHERE n = 1")


def deadlock(postgres: Postgres) -> None:
    """The server ends one of the two; which, it decides."""
    problems: list[psycopg.Error] = []

    def cross(mine: Postgres, first: int, second: int) -> None:
        try:
            with mine.transaction():
                mine.execute("SET LOCAL deadlock_timeout = '50ms'")
                mine.execute("SELECT * FROM numbers WHERE n = %s FOR UPDATE", [first])
                both_hold_one.wait(timeout=20)
                mine.execute("SELECT * FROM numbers WHERE n = %s FOR UPDATE", [second])
        except psycopg.Error as problem:
            problems.append(problem)

    both_hold_one = threading.Barrier(2)
    with another(postgres) as other:
        crossing = threading.Thread(target=cross, args=(other, 2, 1))
        crossing.start()
        cross(postgres, 1, 2)
        crossing.join(timeout=20)
    raise problems[0]


def thrown_out(postgres: Postgres) -> None:
    with another(postgres) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [postgres.info.backend_pid])
    postgres.execute("SELECT 1")


def closed(postgres: Postgres) -> None:
    postgres.close()
    postgres.execute("SELECT 1")


def idle_for_too_long(postgres: Postgres) -> None:
    postgres.execute("SET idle_in_transaction_session_timeout = 50")
    postgres.execute("BEGIN")
    with another(postgres) as other:
        other.execute("SELECT pg_sleep(0.5)")
    postgres.execute("SELECT 1")


def nobody_there(postgres: Postgres) -> None:
    psycopg.connect(f"host=127.0.0.1 port={free_port()} dbname=x", connect_timeout=2)


def no_such_database(postgres: Postgres) -> None:
    psycopg.connect(postgres.info.dsn, dbname="no_such_database")


def raised(state: str) -> Callable[[Postgres], None]:
    """By the server itself, for what cannot be had without harm to others who use it."""

    def raise_it(postgres: Postgres) -> None:
        postgres.execute(f"DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{state}'; END $$")

    raise_it.__name__ = state
    return raise_it


def statement(text: str) -> Callable[[Postgres], None]:
    def execute(postgres: Postgres) -> None:
        postgres.execute(text.encode())

    execute.__name__ = text
    return execute


OF_POSTGRES: tuple[tuple[Callable[[Postgres], None], Trouble], ...] = (
    (nobody_there, AWAY),
    (no_such_database, AWAY),
    (closed, AWAY),
    (thrown_out, AWAY),
    (raised("57P02"), AWAY),  # crash of the server
    (raised("57P03"), AWAY),  # it starts or recovers
    (raised("08006"), AWAY),
    (raised("58030"), AWAY),  # its disk
    (raised("XX000"), AWAY),
    (statement("SELECT * FROM no_such_table"), AWAY),
    (read_only, REFUSED),
    (lock_timeout, REFUSED),
    (statement_timeout, REFUSED),
    (temporary_files, REFUSED),
    (serialization, REFUSED),
    (deadlock, REFUSED),
    (idle_for_too_long, REFUSED),
    (raised("53100"), REFUSED),  # disk full
    (raised("53200"), REFUSED),  # out of memory
    (raised("53300"), REFUSED),  # too many connections
    (raised("55006"), REFUSED),
    (statement("EXECUTE no_such_statement"), REFUSED),
    (statement("SELEC 1"), FAULT),
    (statement("SELECT no_such_column FROM numbers"), FAULT),
    (statement("INSERT INTO numbers VALUES (1)"), FAULT),
    (statement("INSERT INTO numbers VALUES (NULL)"), FAULT),
    (statement("SELECT 1 / 0"), FAULT),
    (statement("SELECT 'x'::integer"), FAULT),
)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("act", "trouble"), OF_POSTGRES, ids=[act.__name__ for act, _ in OF_POSTGRES]
)
def test_errors_of_postgresql(
    act: Callable[[Postgres], None], trouble: Trouble, postgres: Postgres
) -> None:
    with pytest.raises(psycopg.Error) as problem:
        act(postgres)
    assert trouble_of(problem.value) is trouble
    # SQLAlchemy's wrapper means the same.
    wrapped = sa.exc.DBAPIError.instance("", None, problem.value, psycopg.Error)
    assert trouble_of(wrapped) is trouble


@pytest.mark.postgres
@pytest.mark.parametrize("act", [read_only, statement_timeout, idle_for_too_long])
def test_a_connection_that_leads_nowhere_is_given_up(
    act: Callable[[Postgres], None], postgres: Postgres
) -> None:
    with pytest.raises(psycopg.Error) as problem:
        act(postgres)
    assert spoils_connection(problem.value)


def opened(path: Path, **options: object) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, **options)  # type: ignore[call-overload]


def busy(path: Path) -> None:
    with closing(opened(path)) as one, closing(opened(path)) as other:
        one.execute("BEGIN EXCLUSIVE")
        other.execute("INSERT INTO numbers VALUES (3)")


def mounted_read_only(path: Path) -> None:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as found:
        found.execute("INSERT INTO numbers VALUES (3)")


def full(path: Path) -> None:
    with closing(opened(path)) as found:
        found.execute("PRAGMA max_page_count = 2")
        found.execute("CREATE TABLE more AS SELECT zeroblob(100000)")


def interrupted(path: Path) -> None:
    with closing(opened(path)) as found:
        found.set_progress_handler(lambda: 1, 1)
        found.execute("SELECT count(*) FROM numbers a, numbers b")


def locked(path: Path) -> None:
    with closing(opened(path)) as found:
        reading = found.execute("SELECT n FROM numbers")
        reading.fetchone()
        found.execute("DROP TABLE numbers")


def no_folder(path: Path) -> None:
    opened(path.parent / "none" / "file")


def no_database(path: Path) -> None:
    path.write_bytes(b"nothing of the kind" * 1000)
    with closing(opened(path)) as found:
        found.execute("SELECT * FROM numbers")


def damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with closing(opened(path)) as found:
        found.execute("SELECT * FROM numbers").fetchall()


def in_file(text: str) -> Callable[[Path], None]:
    def execute(path: Path) -> None:
        with closing(opened(path)) as found:
            found.execute(text)

    execute.__name__ = text
    return execute


OF_SQLITE: tuple[tuple[Callable[[Path], None], Trouble], ...] = (
    (no_folder, AWAY),
    (no_database, AWAY),
    (damaged, AWAY),
    (in_file("SELECT * FROM no_such_table"), AWAY),
    (busy, REFUSED),
    (locked, REFUSED),
    (mounted_read_only, REFUSED),
    (full, REFUSED),
    (interrupted, REFUSED),
    (in_file("SELEC 1"), FAULT),
    (in_file("SELECT no_such_column FROM numbers"), FAULT),
    (in_file("INSERT INTO numbers VALUES (1)"), FAULT),
    (in_file("INSERT INTO numbers VALUES ('x')"), FAULT),
)


@pytest.mark.parametrize(("act", "trouble"), OF_SQLITE, ids=[act.__name__ for act, _ in OF_SQLITE])
def test_errors_of_sqlite(act: Callable[[Path], None], trouble: Trouble, tmp_path: Path) -> None:
    path = tmp_path / "file.sqlite3"
    with closing(opened(path)) as found:
        found.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        found.execute("INSERT INTO numbers VALUES (1), (2)")
    with pytest.raises(sqlite3.Error) as problem:
        act(path)
    assert trouble_of(problem.value) is trouble


def test_a_connection_that_django_has_closed_is_away() -> None:
    assert trouble_of(InterfaceError("connection already closed")) is AWAY


@pytest.mark.django_db
def test_a_fault_of_ours_is_not_called_away() -> None:
    with pytest.raises(DatabaseError), as_unavailable(), connection.cursor() as cursor:
        cursor.execute("SELEC 1")


@pytest.mark.django_db
def test_a_database_that_refuses_makes_the_ledger_unavailable() -> None:
    away = pytest.raises(LedgerUnavailable, match="cannot be used")
    with away, as_unavailable(), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


@pytest.mark.postgres
def test_a_warehouse_that_has_become_read_only_is_worth_another_try(postgres: Postgres) -> None:
    with pytest.raises(psycopg.Error) as refused:
        read_only(postgres)
    assert isinstance(cause_of(refused.value), TransientError)
    with pytest.raises(psycopg.Error) as wrong:
        postgres.execute("SELEC 1")
    assert isinstance(cause_of(wrong.value), PermanentError)
