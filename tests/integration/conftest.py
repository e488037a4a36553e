"""What several tests of this folder start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import FakeSource
from tests.sync_world import World

NewDatabase = Callable[[], str]


# To open and write a DuckDB file takes ten times as long as with the others.
ON_DUCKDB = pytest.param("duckdb", marks=pytest.mark.duckdb)
ON_DELTA = pytest.param("delta", marks=pytest.mark.delta)
ON_MARIADB = pytest.param("mariadb", marks=pytest.mark.mariadb)
ON_POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
# For tests of the data pages, as values of ``warehouse_settings``.
READ_BY_PAGES = ["sqlite", ON_DELTA, ON_MARIADB, ON_POSTGRES]


@pytest.fixture(params=["sqlite", ON_DELTA, ON_DUCKDB, ON_MARIADB, ON_POSTGRES])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param in ("postgres", "mariadb"):
        new_database: NewDatabase = request.getfixturevalue(f"{request.param}_database")
        url = new_database()
    elif request.param == "delta":
        url = f"file://{tmp_path / 'warehouse'}"
    else:
        url = f"{request.param}:///{tmp_path / 'warehouse' / f'warehouse.{request.param}'}"
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


@pytest.fixture(params=["sqlite", ON_MARIADB, ON_POSTGRES])
def warehouse_settings(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Any:
    """Django's settings, with a warehouse of this test alone."""
    if request.param == "sqlite":
        settings.INGESTION_WAREHOUSE_URL = (
            f"sqlite:///{tmp_path / 'warehouse' / 'warehouse.sqlite3'}"
        )
    elif request.param == "delta":
        settings.INGESTION_WAREHOUSE_URL = f"file://{tmp_path / 'warehouse'}"
    else:
        new_database: NewDatabase = request.getfixturevalue(f"{request.param}_database")
        settings.INGESTION_WAREHOUSE_URL = new_database()
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    return settings
