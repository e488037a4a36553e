"""A CRM beside a warehouse for each test, and the table that ``make crms`` ends with."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.registry import crms
from tests.crms.table import Cell, write_table
from tests.crms.world import ROWS, SyncCommandName, World, sandboxes

RESULTS = Path(__file__).parents[2] / "test-results" / "crms.txt"
CELL = "crm_cell"
Tell = Callable[[SyncCommandName, str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _unlimited(unlimited: None) -> None: ...


ON_DUCKDB = pytest.param("duckdb", marks=pytest.mark.duckdb)
ON_MARIADB = pytest.param("mariadb", marks=pytest.mark.mariadb)
ON_POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture(params=["sqlite", ON_DUCKDB, ON_MARIADB, ON_POSTGRES])
def warehouse(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_warehouse(
    request: pytest.FixtureRequest, warehouse: str, tmp_path: Path
) -> Callable[[], str]:
    """Gives URLs of new, empty warehouses."""
    if warehouse in ("sqlite", "duckdb"):
        numbers = itertools.count()
        return lambda: f"{warehouse}:///{tmp_path / f'warehouse{next(numbers)}' / 'warehouse.db'}"
    new_database: Callable[[], str] = request.getfixturevalue(
        "mariadb_database" if warehouse == "mariadb" else "postgres_database"
    )
    return new_database


@pytest.fixture
def rows() -> int:
    """How many records a CRM's main model has; a test may ask for more."""
    return ROWS


@pytest.fixture
def world(
    crm: str, rows: int, empty_warehouse: Callable[[], str], tmp_path: Path, settings: Any
) -> Iterator[World]:
    """The CRM that the test names beside an empty warehouse."""
    settings.INGESTION_WAREHOUSE_URL = empty_warehouse()
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    settings.INGESTION_SYNC_LIST_KEYS_HOURS = (
        0  # keys of other kinds than whole numbers: in every run
    )
    with sandboxes(crm, folder=tmp_path / "sandbox", rows=rows) as server:
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        yield World(crms()[crm], server, settings)


@pytest.fixture
def tell(warehouse: str, record_property: Callable[[str, object], None]) -> Tell:
    """Notes how a command fared in a state."""

    @contextmanager
    def told(command: SyncCommandName, state: str) -> Iterator[None]:
        began = time.monotonic()
        verdict = "DIFFERS"
        try:
            yield
            verdict = "equal"
        finally:
            seconds = time.monotonic() - began
            record_property(CELL, (str(command), warehouse, state, verdict, round(seconds, 1)))

    return told


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The whole table, on the screen and in a file."""
    cells = [
        Cell(*value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == CELL and report.when == "call"
    ]
    if not cells:
        return
    # Processes that share the tests out report them in no order.
    text = write_table(sorted(cells, key=lambda cell: cell.command))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    terminalreporter.section("source and warehouse, by command")
    terminalreporter.write(text)
