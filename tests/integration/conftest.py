"""What several tests of this folder start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import FakeSource
from tests.sync_world import World


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'warehouse' / 'warehouse.sqlite3'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new_database()
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()
