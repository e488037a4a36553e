"""Genius into a warehouse: everything, then what changed, then nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django.core.management import call_command

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import verify
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from sandbox.base import SandboxConf
from sandbox.crms.genius import GeniusSandbox
from sandbox.crms.genius.schema import MODEL_TABLES, TABLES, key_column

pytestmark = pytest.mark.django_db(transaction=True)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEVER_LANDED = {"password_hash"}
Content = dict[str, dict[int, dict[str, Any]]]


class Setup:
    """A Genius, a warehouse, and runs from one into the other."""

    def __init__(self, genius: GeniusSandbox, warehouse_url: str) -> None:
        self.genius = genius
        self.warehouse_url = warehouse_url
        self.source_url = genius.settings("")["GENIUS_DATABASE_URL"]

    def sync(self, sync_type: str = "all", **options: Any) -> SyncResult:
        handle = RunHandle(SilentReporter())
        call_command(f"sync_genius_{sync_type}", run=handle, **options)
        assert handle.result is not None
        return handle.result

    def source_rows(self, *models: str) -> Content:
        engine = sa.create_engine(self.source_url)
        found = {
            model: _by_key(engine, sa.select(TABLES[table]), key_column(TABLES[table]).name)
            for model, table in MODEL_TABLES.items()
            if not models or model in models
        }
        engine.dispose()
        return found

    def warehouse_rows(self, *models: str) -> Content:
        """Live rows, without the columns that are the warehouse's own."""
        warehouse = Warehouse(self.warehouse_url)
        dataset = warehouse.dataset("genius")
        found = {}
        for model in models or MODEL_TABLES:
            landed = StoredTable.read(dataset, model).table
            assert landed is not None
            live = sa.select(landed).where(landed.c["_deleted_at"].is_(None))
            found[model] = _by_key(
                dataset.engine, live, key_column(TABLES[MODEL_TABLES[model]]).name
            )
        warehouse.close()
        return found


def _by_key(engine: sa.Engine, rows: sa.Select[Any], key: str) -> dict[int, dict[str, Any]]:
    with engine.connect() as connection:
        found = [_plain(row) for row in connection.execute(rows).mappings()]
    by_key = {row[key]: row for row in found}
    assert len(by_key) == len(found), "a row stands there twice"
    return by_key


def _plain(row: Any) -> dict[str, Any]:
    """Values that are equal look equal; what is null is left out, as a column may be missing."""
    return {
        name: _canonical(value)
        for name, value in row.items()
        if value is not None and not name.startswith("_") and name not in NEVER_LANDED
    }


def _canonical(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, str) and value.startswith(("{", "[")):
        return json.dumps(json.loads(value), sort_keys=True)
    return value


@pytest.fixture(params=["sqlite", "postgresql"])
def setup(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Setup:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new_database()
    made = Setup(GeniusSandbox(SandboxConf(tmp_path, rows=40)), url)
    settings.INGESTION_WAREHOUSE_URL = url
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    settings.INGESTION_CRM_ENVIRONMENT = made.genius.settings("")
    return made


def test_all_of_genius_then_what_changed_then_nothing(setup: Setup) -> None:
    first = setup.sync()
    total = sum(setup.genius.counts().values())
    assert first.status == "success"
    assert counts_of(first) == {"processed": total, "created": total}
    assert setup.warehouse_rows() == setup.source_rows()

    done = setup.genius.tick(AT)
    second = setup.sync()
    assert {name: second.total(name) for name in done} == done
    assert second.total("processed") < total / 2
    assert setup.warehouse_rows() == setup.source_rows()
    reports = list(verify("genius", None, SilentReporter()))
    assert [report.model for report in reports if not report.is_equal] == []
    assert len(reports) == len(MODEL_TABLES)

    assert counts_of(setup.sync()).keys() == {"processed"}
    assert counts_of(setup.sync(full=True)) == {"processed": sum(setup.genius.counts().values())}
    assert SyncHistory.objects.filter(crm_source="genius", status="success").count() == 4


def counts_of(result: SyncResult) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in result.counts.items() if count}


def test_changes_between_small_pages_all_arrive(setup: Setup) -> None:
    for hour in range(3):
        setup.genius.tick(AT + timedelta(hours=hour))
        setup.sync("leads", batch_size=7)
    assert setup.warehouse_rows("leads") == setup.source_rows("leads")


def test_one_model_alone_leaves_the_others_alone(setup: Setup) -> None:
    result = setup.sync("prospects")
    assert [model.model for model in result.models] == ["prospects"]
    assert result.total("created") == 40
    assert result.models[0].watermark is not None
    assert result.models[0].requests > 0


def test_the_warehouse_has_the_types_that_genius_declares(setup: Setup) -> None:
    setup.sync("job_change_orders")
    warehouse = Warehouse(setup.warehouse_url)
    types = StoredTable.read(warehouse.dataset("genius"), "job_change_orders").types
    warehouse.close()
    wanted = ("total_amount", "effective_date", "envelope_digest", "number", "updated_at")
    assert [types[name] for name in wanted] == ["decimal", "date", "binary", "text", "datetime"]
