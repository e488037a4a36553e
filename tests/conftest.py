"""Real servers for the tests: Redis always (the embedded one), PostgreSQL where there is one.

A test that needs a server which cannot be had is skipped with the reason; with CI=true it fails.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from ingestion.services import embedded_redis

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


def cannot_have(what: str, reason: object) -> None:
    """Skip at a desk, fail in CI."""
    message = f"{what} cannot be had here: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard() -> None:
    """A shell's background job starts with SIGINT ignored, and so would every process of a test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[embedded_redis.EmbeddedRedis]:
    """A real Redis server for this test run alone."""
    try:
        server = embedded_redis.start(tmp_path_factory.mktemp("redis"), durable=False)
    except embedded_redis.NoRedisServer as problem:
        cannot_have("A Redis server", problem)
    yield server
    server.stop()


@pytest.fixture
def postgres_database() -> Iterator[Callable[[], str]]:
    """Gives URLs of new, empty PostgreSQL databases; they are dropped afterwards."""
    try:
        admin = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as problem:
        cannot_have("PostgreSQL", problem)
    made: list[str] = []

    def new_database() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made.append(name)
        base = POSTGRES_URL.rsplit("/", 1)[0]
        return f"{base}/{name}"

    yield new_database
    for name in made:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    admin.close()
