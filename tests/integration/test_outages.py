"""A whole system loses a server under load, and gets it back: real worker, real calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.conftest import POSTGRES_URL
from tests.integration.caller import LIMIT, Caller, assert_all_ran_once
from tests.integration.system import DriverError, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

OUTAGE_SECONDS = 8.0


class Redis:
    """A server that loses everything when it is stopped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = self._start(embedded_redis.free_port())

    def _start(self, port: int) -> EmbeddedRedis:
        return embedded_redis.start(self.folder, port=port, durable=False)

    def start(self) -> None:
        self.server = self._start(self.server.port)

    def stop(self) -> None:
        self.server.process.kill()
        self.server.process.wait(timeout=10)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path / "cache")
    yield found
    found.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path / "broker")
    yield found
    found.stop()


@contextmanager
def system_of(folder: Path, cache: Redis, broker: Redis, **environment: str) -> Iterator[Caller]:
    environment["CELERY_BROKER_URL"] = broker.server.url(0)
    with running_system(folder / "system", cache.server, **environment) as system:
        system.start_worker()
        yield Caller(system)


def test_redis_is_away_for_a_while_under_load(tmp_path: Path, cache: Redis) -> None:
    """Broker and state at once, as in a small installation, and all that they held is gone."""
    with system_of(tmp_path, cache, cache) as caller:
        for _ in range(5):
            caller.submit(steps=15)
        caller.system.started(1)
        cache.stop()
        until = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < until:
            caller.submit(steps=3)
            assert caller.is_degraded()
            time.sleep(0.4)
        cache.start()
        wait_for(lambda: not caller.is_degraded(), what="the way back to Redis")
        caller.submit(steps=1)
        assert_all_ran_once(caller)


def test_the_cache_is_away_and_the_broker_there(
    tmp_path: Path, cache: Redis, broker: Redis
) -> None:
    """The ledger decides and the workers go on."""
    with system_of(tmp_path, cache, broker) as caller:
        long = caller.submit(steps=60)
        caller.system.started(1)
        cache.stop()
        ids = [caller.submit(steps=2) for _ in range(4)]
        assert caller.is_degraded()
        for task_id in ids:
            assert caller.system.ended(task_id)["status"] == "completed"
        assert caller.is_degraded()
        assert caller.system.ended(long)["status"] == "completed"
        cache.start()
        wait_for(lambda: not caller.is_degraded(), what="the way back to Redis")
        caller.submit(steps=1)
        assert_all_ran_once(caller)


def test_the_broker_is_away_and_the_cache_there(
    tmp_path: Path, cache: Redis, broker: Redis
) -> None:
    """What is started waits for its worker, and is sent again when the broker is back."""
    with system_of(tmp_path, cache, broker) as caller:
        running = caller.submit(steps=20)
        caller.system.started(1)
        broker.stop()
        ids = [caller.submit(steps=1) for _ in range(3)]
        assert not caller.is_degraded()
        assert caller.system.ended(running)["status"] == "completed"
        waiting = [t for t in caller.call("get_active_tasks") if not t["confirmed_at"]]
        assert [t["id"] for t in waiting] == ids[:LIMIT]
        broker.start()
        assert_all_ran_once(caller)


@contextmanager
def closed_database(url: str) -> Iterator[None]:
    """Nobody gets in, and who was in is thrown out."""
    name = sql.Identifier(url.rsplit("/", 1)[1])
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(POSTGRES_URL, autocommit=True) as admin:
        admin.execute(allow.format(name, sql.SQL("false")))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [url.rsplit("/", 1)[1]],
        )
        try:
            yield
        finally:
            admin.execute(allow.format(name, sql.SQL("true")))


@pytest.mark.postgres
def test_the_database_is_away_and_redis_there(
    tmp_path: Path, cache: Redis, postgres_database: Callable[[], str]
) -> None:
    """What runs goes on and ends, nothing new is accepted, and the ledger catches up."""
    url = postgres_database()
    with system_of(tmp_path, cache, cache, DATABASE_URL=url) as caller:
        running = caller.submit(steps=20)
        waiting = [caller.submit(steps=1) for _ in range(3)]
        caller.system.started(1)
        with closed_database(url):
            with pytest.raises(DriverError, match="LedgerUnavailable: Nothing was submitted"):
                caller.call("submit_task", "five9", "contacts")
            assert caller.is_degraded()
            wait_for(lambda: caller.system.runs(1, "end"), what="the end of the sync")
            assert caller.system.ended(running)["status"] == "completed"
        wait_for(lambda: not caller.is_degraded(), what="the database")
        caller.call("run_monitor_round")
        assert caller.system.closed_row(running)["status"] == "success"
        for task_id in waiting:
            assert caller.system.ended(task_id)["status"] == "completed"
        caller.call("run_monitor_round")
        assert_all_ran_once(caller)


@pytest.mark.postgres
def test_what_ended_while_the_database_was_away_is_known_though_redis_is_lost_then(
    tmp_path: Path, cache: Redis, broker: Redis, postgres_database: Callable[[], str]
) -> None:
    """Nobody but the worker knows the end then, which waits for the ledger to tell it."""
    url = postgres_database()
    with system_of(tmp_path, cache, broker, DATABASE_URL=url) as caller:
        running = caller.submit(steps=10)
        caller.system.started(1)
        with closed_database(url):
            assert caller.system.ended(running)["status"] == "completed"
            cache.stop()
        cache.start()
        assert caller.system.closed_row(running)["status"] == "success"
        assert caller.system.ended(running)["status"] == "completed"
        assert_all_ran_once(caller)


@contextmanager
def read_only_database(url: str) -> Iterator[None]:
    """As after a fail-over: every connection is cut, and new ones lead to a standby. When it is
    over, those that were opened meanwhile still lead there."""
    name = sql.Identifier(url.rsplit("/", 1)[1])
    with psycopg.connect(POSTGRES_URL, autocommit=True) as admin:
        standby = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on")
        admin.execute(standby.format(name))
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [url.rsplit("/", 1)[1]],
        )
        try:
            yield
        finally:
            primary = sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only")
            admin.execute(primary.format(name))


@pytest.mark.postgres
def test_the_database_is_read_only_for_a_while(
    tmp_path: Path, cache: Redis, postgres_database: Callable[[], str]
) -> None:
    """A sync that ends meanwhile has done its work, and is not called failed."""
    url = postgres_database()
    with system_of(tmp_path, cache, cache, DATABASE_URL=url) as caller:
        running = caller.submit(steps=20)
        waiting = [caller.submit(steps=1) for _ in range(2)]
        caller.system.started(1)
        with read_only_database(url):
            for _ in range(2):
                with pytest.raises(DriverError, match=r"LedgerUnavailable: .*read-only"):
                    caller.call("submit_task", "five9", "contacts")
            wait_for(lambda: caller.system.runs(1, "end"), what="the end of the sync")
        assert caller.system.ended(running)["status"] == "completed"
        caller.submit(steps=1)
        caller.call("run_monitor_round")
        assert caller.system.closed_row(running)["status"] == "success"
        for task_id in waiting:
            assert caller.system.ended(task_id)["status"] == "completed"
        caller.call("run_monitor_round")
        assert_all_ran_once(caller)
