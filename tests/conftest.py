"""Real servers for the tests: Redis always (the embedded one), PostgreSQL where there is one.

A test that needs a server which cannot be had is skipped with the reason; with CI=true it fails.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import uuid
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from data_warehouse.environment import BASE_DIR
from ingestion.services.runs import sources
from ingestion.services.system import embedded_redis
from ingestion.sync.common.rate_limit import ProcessRateLimiter, process_rate_limiter
from tests.missing import cannot_have
from tests.pgbouncer import pooled
from tests.postgres import PostgresDatabases

MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test")
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")

# The last one whose SQLite and PostgreSQL dlt has loaded; its workers announce no tasks and know of no
# installation.
EARLIER_RELEASE = "06fed9c"


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request waits for its CRM's rate: rates have tests of their own, elsewhere they only cost
    time."""
    monkeypatch.setattr(sources, "shared_rate_limiter", process_rate_limiter)
    monkeypatch.setattr(ProcessRateLimiter, "reserve", lambda self, rate: 0.0)


@pytest.fixture(scope="session")
def earlier_release_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That release's files, from git."""
    command = ["git", "archive", EARLIER_RELEASE]
    archive = subprocess.run(command, cwd=BASE_DIR, capture_output=True, check=False)
    if archive.returncode:
        cannot_have(f"Release {EARLIER_RELEASE}", archive.stderr.decode().strip())
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


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


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[PostgresDatabases]:
    try:
        databases = PostgresDatabases(POSTGRES_URL)
    except psycopg.OperationalError as problem:
        cannot_have("PostgreSQL", problem)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def pgbouncer(postgres_databases: PostgresDatabases) -> Iterator[Callable[[str], str]]:
    """Makes a URL of PostgreSQL one that goes by way of a pooler in transaction mode."""
    try:
        with pooled(POSTGRES_URL) as pooler:
            yield lambda url: f"{pooler.rpartition('/')[0]}/{url.rpartition('/')[2]}"
    except FileNotFoundError as problem:
        cannot_have("pgbouncer", problem)


@pytest.fixture
def postgres_database(postgres_databases: PostgresDatabases) -> Iterator[Callable[[], str]]:
    """Gives URLs of empty PostgreSQL databases; afterwards they are another test's."""
    with postgres_databases.lend() as new_database:
        yield new_database


@pytest.fixture
def mariadb_database(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Gives URLs of new, empty MySQL or MariaDB databases; they are dropped afterwards. Where a test
    of the MariaDB warehouse was asked for, a server that is missing fails it."""
    admin = sa.create_engine(MARIADB_URL, isolation_level="AUTOCOMMIT")
    try:
        connection = admin.connect()
    except sa.exc.OperationalError as problem:
        if request.node.get_closest_marker("mariadb"):
            pytest.fail(f"TEST_MARIADB_URL names no server that answers: {problem.orig}")
        pytest.skip(f"MariaDB cannot be had here: {problem.orig}")
    made: list[str] = []

    def new_database() -> str:
        made.append(f"test_{uuid.uuid4().hex[:12]}")
        connection.exec_driver_sql(f"CREATE DATABASE {made[-1]} CHARACTER SET utf8mb4")
        return admin.url.set(database=made[-1]).render_as_string(hide_password=False)

    yield new_database
    for (name,) in connection.exec_driver_sql("SHOW DATABASES").all():
        if name.startswith(tuple(made)):  # those of datasets
            connection.exec_driver_sql(f"DROP DATABASE {name}")
    connection.close()
    admin.dispose()
