"""Commands where the warehouse is Delta files: what they answer, and what they refuse."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from ingestion.checks import warehouse_problems
from ingestion.conf import warehouse_conf
from ingestion.management.commands import manage_data
from ingestion.services.crms import table_rows
from ingestion.services.data import structure
from ingestion.services.data.catalog import catalog
from ingestion.services.data.sql import box
from ingestion.services.runs.runner import prepare
from tests.data_world import load_customers
from tests.unit.people import forget_answers

pytestmark = [
    pytest.mark.delta,
    pytest.mark.django_db,
    pytest.mark.parametrize("warehouse_settings", ["delta"], indirect=True),
]


@pytest.fixture(autouse=True)
def loaded(warehouse_settings: Any) -> None:
    forget_answers()
    load_customers()


def manage(*words: str) -> tuple[int, str]:
    """The exit status of manage_data, and what it says to people."""
    told = io.StringIO()
    command = manage_data.Command(stdout=io.StringIO(), stderr=told)
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "manage_data", *words])
    return int(ended.value.code or 0), told.getvalue()


def test_the_url_and_a_worker_are_fine_with_it() -> None:
    assert list(warehouse_problems(warehouse_conf())) == []
    prepare("arrivy")


def test_sql_is_refused_in_a_sentence() -> None:
    assert not box.is_there()
    status, told = manage("sql", "arrivy", "SELECT 1")
    assert status
    assert "Only warehouses of SQLite and PostgreSQL can be asked in SQL here" in told
    assert "Traceback" not in told


def test_dbt_is_refused_in_a_sentence() -> None:
    status, told = manage("sources")
    assert status
    assert "Delta files are no database that dbt could ask" in told
    assert "Traceback" not in told


def test_rows_are_counted_and_their_folder_is_named() -> None:
    table_rows._kept.clear()
    assert table_rows.rows_of("arrivy")["customers"] == 3
    (entry,) = catalog("arrivy")[:1]
    assert entry["table"].startswith("arrivy/")
    structure.complete("arrivy", "customers")


def test_files_that_are_gone_are_told_in_a_sentence(tmp_path: Path) -> None:
    for file in (tmp_path / "warehouse" / "arrivy" / "customers").glob("*.parquet"):
        file.unlink()
    status, told = manage("head", "arrivy", "customers")
    assert status
    assert "The warehouse cannot be read now" in told
    assert "Traceback" not in told
