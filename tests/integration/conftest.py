"""What several tests of this folder start from."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import FakeSource
from tests.sync_world import World

MARIADB_URL = os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test")
NewDatabase = Callable[[], str]


# To open and write a DuckDB file takes ten times as long as with the others.
ON_DUCKDB = pytest.param("duckdb", marks=pytest.mark.duckdb)


@pytest.fixture(params=["sqlite", ON_DUCKDB, pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "postgres":
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new_database()
    else:
        url = f"{request.param}:///{tmp_path / 'warehouse' / f'warehouse.{request.param}'}"
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def warehouse_settings(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Any:
    """Django's settings, with a warehouse of this test alone."""
    if request.param == "sqlite":
        settings.INGESTION_WAREHOUSE_URL = (
            f"sqlite:///{tmp_path / 'warehouse' / 'warehouse.sqlite3'}"
        )
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        settings.INGESTION_WAREHOUSE_URL = new_database()
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    return settings


@pytest.fixture
def mariadb_database() -> Iterator[NewDatabase]:
    """Gives URLs of new, empty MySQL or MariaDB databases; they are dropped afterwards."""
    admin = sa.create_engine(MARIADB_URL, isolation_level="AUTOCOMMIT")
    try:
        connection = admin.connect()
    except sa.exc.OperationalError as problem:
        pytest.skip(f"MariaDB cannot be had here: {problem.orig}")
    made: list[str] = []

    def new_database() -> str:
        made.append(f"test_{uuid.uuid4().hex[:12]}")
        connection.exec_driver_sql(f"CREATE DATABASE {made[-1]} CHARACTER SET utf8mb4")
        return admin.url.set(database=made[-1]).render_as_string(hide_password=False)

    yield new_database
    for name in made:
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    connection.close()
    admin.dispose()
