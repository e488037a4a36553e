"""Whatever the ledger's database does, each verb of the pool comes to an end, and names what did not
answer. Without a bound these calls would never return."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import dj_database_url
import psycopg
import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import load_backend

from ingestion import deadline
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.chaos.wire import Wire
from tests.integration.system import DriverError, System, running_system, wait_for
from tests.missing import cannot_have
from tests.postgres_server import PostgresServer, own_server

pytestmark = [pytest.mark.redis]

# Far beyond the bound, and far before the end of what is frozen.
DEADLINE_SECONDS = 60.0
# More than the usual one: a machine that has much to do is slow too.
BOUND_SECONDS = 8
SILENT = "PostgreSQL did not answer within"


class Caller:
    """Calls that must come to an end."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._one = ThreadPoolExecutor(1)

    def __call__(self, verb: str, *args: Any, **options: Any) -> Any:
        called = self._one.submit(self.system.call, verb, *args, **options)
        return called.result(timeout=DEADLINE_SECONDS)

    def told(self, verb: str, *args: Any, **options: Any) -> str:
        """The error, or '' where the call succeeded all the same."""
        try:
            self(verb, *args, **options)
        except DriverError as problem:
            return str(problem)
        return ""


@pytest.fixture
def direct_url(postgres_database: Callable[[], str]) -> str:
    return postgres_database()


@pytest.fixture
def wire(direct_url: str) -> Iterator[Wire]:
    found = Wire(urlsplit(direct_url).port or 5432, name="ledger")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def url(direct_url: str, wire: Wire) -> str:
    parts = urlsplit(direct_url)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{wire.port}"))


@pytest.fixture
def system(url: str, tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    bound = {"LEDGER_CALL_SECONDS": str(BOUND_SECONDS)}
    with running_system(tmp_path / "system", redis_server, DATABASE_URL=url, **bound) as found:
        yield found


@contextmanager
def frozen(wire: Wire, direct_url: str) -> Iterator[None]:
    wire.hold()
    yield
    wire.mend()


@contextmanager
def deaf(wire: Wire, direct_url: str) -> Iterator[None]:
    """Statements arrive and are carried out; their answers are lost."""
    wire.lose_replies()
    yield
    wire.mend()


@contextmanager
def locked(wire: Wire, direct_url: str) -> Iterator[None]:
    with psycopg.connect(direct_url) as connection:
        connection.execute("LOCK TABLE ingestion_synchistory IN ACCESS EXCLUSIVE MODE")
        yield


def call_every_verb(call: Caller, waiting: str, other: str) -> None:
    for verb, args in (
        ("cancel_task", [other]),
        ("get_task_status", [waiting]),
        ("get_stats", []),
        ("get_active_tasks", []),
        ("get_queued_tasks", []),
        ("process_queue", []),
        ("hold_task", [waiting]),
        ("set_priority", [waiting, 5]),
        ("set_max_workers", [3]),
        ("pause", []),
        ("update_task_status", [waiting, "failed", "by hand"]),
    ):
        call.told(verb, *args)


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("trouble", [frozen, deaf, locked], ids=lambda way: way.__name__)
def test_every_verb_ends_while_postgresql_does_not_answer(
    system: System, wire: Wire, direct_url: str, trouble: Callable[[Wire, str], Any]
) -> None:
    call = Caller(system)
    waiting, other = system.submit(1), system.submit(2)
    system.submit(3)
    with trouble(wire, direct_url):
        said = call.told("submit_task", "five9", "contacts", {"batch_size": 4})
        assert said.startswith(
            "LedgerUnavailable: Nothing was submitted: The ledger's database cannot be used: "
        )
        assert SILENT in said or "connection timeout expired" in said
        call_every_verb(call, waiting, other)
    wait_for(lambda: call.told("submit_task", "five9", "contacts") == "", what="a submission")
    with psycopg.connect(direct_url) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM ingestion_synchistory"
            " WHERE configuration -> 'parameters' ->> 'batch_size' = '4'"
        ).fetchone()
    assert rows == (0,), "what was refused has left a row"


@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "postmaster alone"])
def test_every_verb_ends_while_the_server_stands_still(
    tmp_path: Path, redis_server: EmbeddedRedis, whole: bool
) -> None:
    """SIGSTOP to the processes of a server of its own; with the postmaster alone who is connected
    works on, and nobody else gets in."""
    try:
        with own_server() as server:
            settings = {"DATABASE_URL": server.url, "LEDGER_CALL_SECONDS": str(BOUND_SECONDS)}
            with running_system(tmp_path / "system", redis_server, **settings) as system:
                _stand_still(Caller(system), server, whole)
    except FileNotFoundError as problem:
        cannot_have("A PostgreSQL server of its own", problem)


def _stand_still(call: Caller, server: PostgresServer, whole: bool) -> None:
    waiting, other = call.system.submit(1), call.system.submit(2)
    call.system.submit(3)
    server.freeze(whole=whole)
    said = call.told("submit_task", "five9", "contacts", {"batch_size": 4})
    assert said or not whole
    assert not said or SILENT in said or "connection timeout expired" in said
    call_every_verb(call, waiting, other)
    server.thaw()
    wait_for(lambda: call.told("submit_task", "five9", "contacts") == "", what="a submission")
    with psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM ingestion_synchistory"
            " WHERE configuration -> 'parameters' ->> 'batch_size' = '4'"
        ).fetchone()
    assert rows == (0 if said else 1,)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize("trouble", [frozen, deaf], ids=lambda way: way.__name__)
def test_a_connection_that_falls_silent_is_dropped(
    url: str, wire: Wire, direct_url: str, trouble: Callable[[Wire, str], Any]
) -> None:
    found = connected(url, OPTIONS={"connect_timeout": 2})
    assert answer(found) == 1
    with trouble(wire, direct_url), deadline.within(60, each_seconds=0.5):
        with pytest.raises(OperationalError, match=SILENT):
            answer(found)
        assert found.connection.closed
    found.close()
    assert answer(found) == 1
    found.close()
    with (
        deadline.within(1, each_seconds=0.3),
        pytest.raises(OperationalError, match="no time left to connect"),
    ):
        answer(found)


@pytest.mark.postgres
@pytest.mark.django_db
def test_a_server_does_not_go_on_with_what_was_given_up(direct_url: str) -> None:
    """Else each call during a long lock would leave a session behind, until the server has none left."""
    found = connected(direct_url)
    with psycopg.connect(direct_url) as other:
        other.execute("CREATE TABLE wanted (id int)")
        other.commit()
        other.execute("LOCK TABLE wanted IN ACCESS EXCLUSIVE MODE")
        with (
            deadline.within(60, each_seconds=0.5),
            pytest.raises(OperationalError, match=SILENT),
            found.cursor() as cursor,
        ):
            cursor.execute("SELECT * FROM wanted")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
        )
        name = other.info.dbname
        wait_for(
            lambda: other.execute(waiting, [name]).fetchone() == (0,), what="the end of its session"
        )


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, ("10s", "10min", "2s")),
        ({"options": "-c lock_timeout=1min -c statement_timeout=1h"}, ("1min", "1h", "2s")),
    ],
    ids=["none of its own", "its own"],
)
def test_statements_and_waits_for_locks_are_limited_by_the_server_too(
    direct_url: str, options: dict[str, str], limits: tuple[str, ...]
) -> None:
    assert server_limits(connected(direct_url, OPTIONS=options)) == limits


@pytest.mark.postgres
@pytest.mark.django_db
def test_nothing_is_set_for_a_session_that_others_get(direct_url: str) -> None:
    pooled = connected(direct_url, DISABLE_SERVER_SIDE_CURSORS=True)
    assert server_limits(pooled) == ("0", "0", "0")


def connected(url: str, **settings: Any) -> BaseDatabaseWrapper:
    found: BaseDatabaseWrapper = load_backend("ingestion.postgresql").DatabaseWrapper(
        {
            **connections.databases["default"],
            **dj_database_url.parse(url),
            "OPTIONS": {},
            **settings,
        },
        "other",
    )
    return found


def server_limits(found: BaseDatabaseWrapper) -> tuple[str, ...]:
    names = ("lock_timeout", "statement_timeout", "client_connection_check_interval")
    with found.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")
        values: tuple[str, ...] = cursor.fetchone()
    found.close()
    return values


def answer(found: BaseDatabaseWrapper) -> int:
    with found.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


@pytest.mark.postgres
def test_a_submission_whose_answer_was_lost_is_entered_once(
    system: System, wire: Wire, direct_url: str
) -> None:
    """The connection is cut at some moment of a submission; the call repeats what it began."""
    call = Caller(system)
    for label in range(1, 21):
        if label % 2:
            wire.cut()
            wire.mend()
        call.told("submit_task", "five9", "contacts", {"batch_size": label})
    with psycopg.connect(direct_url) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT worker_pool_task_id) FROM ingestion_synchistory"
        ).fetchone()
    assert found is not None
    assert found[0] == found[1] == 20


def test_every_verb_ends_while_sqlite_is_locked(
    tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    with running_system(tmp_path / "system", redis_server) as system:
        call = Caller(system)
        task_id = system.submit(1)
        other = sqlite3.connect(system.ledger_file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        said = call.told("submit_task", "five9", "contacts")
        assert said.startswith("LedgerUnavailable: Nothing was submitted")
        assert "database is locked" in said
        for verb, args in (("cancel_task", [task_id]), ("get_stats", []), ("set_max_workers", [3])):
            call.told(verb, *args)
        other.execute("ROLLBACK")
        other.close()
        assert call.told("submit_task", "five9", "contacts") == ""
