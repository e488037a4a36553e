"""What every test of this folder stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestion.sync.common.warehouse import Warehouse
from tests.truth.world import World


@pytest.fixture(autouse=True)
def _unlimited(unlimited: None) -> None: ...


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'warehouse' / 'warehouse.sqlite3'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new_database()
    warehouse = Warehouse(url)
    yield World(warehouse, tmp_path / "pipelines")
    warehouse.close()
