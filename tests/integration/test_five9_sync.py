"""Five9 into a warehouse: everything, then what changed, then nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import ModelReport, verify
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from sandbox.crms.five9.service import REPORT_FOLDER, REPORT_NAME
from sandbox.serving.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 60
REPORT = {"FIVE9_REPORT_FOLDER": REPORT_FOLDER, "FIVE9_REPORT_NAME": REPORT_NAME}


class Setup:
    """A Five9 domain, a warehouse, and runs from one into the other."""

    def __init__(self, server: SandboxServer, settings: Any) -> None:
        self.server = server
        self._settings = settings
        self.sandbox: Any = server.sandboxes.by_name["five9"]
        self.configure()

    def configure(self, **changed: str) -> None:
        self._settings.INGESTION_CRM_ENVIRONMENT = self.server.settings | changed

    def tick(self) -> dict[str, int]:
        return self.server.sandboxes.tick()["five9"]

    def sync(self, sync_type: str = "all", **options: Any) -> SyncResult:
        handle = RunHandle(SilentReporter())
        call_command(f"sync_five9_{sync_type}", run=handle, **options)
        assert handle.result is not None
        return handle.result

    def differences(self) -> ModelReport:
        (report,) = verify("five9", None, SilentReporter())
        return report


@pytest.fixture(params=["sqlite", "postgresql"])
def setup(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[Setup]:
    if request.param == "sqlite":
        settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        settings.INGESTION_WAREHOUSE_URL = new_database()
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    with SandboxServer(tmp_path / "sandbox", names=("five9",), rows=ROWS, port=0) as server:
        yield Setup(server, settings)


def counts_of(result: SyncResult) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in result.counts.items() if count}


def test_all_contacts_then_what_changed_and_went_then_nothing(setup: Setup) -> None:
    first = setup.sync()
    assert (first.status, counts_of(first)) == ("success", {"processed": ROWS, "created": ROWS})
    assert setup.differences().is_equal

    done = setup.tick()
    second = setup.sync()
    assert {name: second.total(name) for name in done} == done
    assert setup.differences().is_equal

    left = setup.sandbox.counts()["contacts"]
    assert counts_of(setup.sync()) == {"processed": left}
    assert counts_of(setup.sync(full=True)) == {"processed": left}
    assert SyncHistory.objects.filter(crm_source="five9", status="success").count() == 4


def test_a_report_makes_runs_small_and_a_full_run_finds_what_went(setup: Setup) -> None:
    setup.configure(**REPORT)
    setup.sync()
    setup.sandbox.lookups.clear()

    done = setup.tick()
    second = setup.sync("contacts")
    assert second.total("created") == done["created"]
    assert second.total("updated") == done["updated"]
    assert second.total("deleted") == 0
    assert "" not in setup.sandbox.lookups
    assert setup.differences().extra == done["deleted"]

    assert counts_of(setup.sync(full=True))["deleted"] == done["deleted"]
    assert setup.differences().is_equal
    third = setup.sync()
    assert counts_of(third).keys() == {"processed"}


def test_contacts_beyond_the_limit_of_a_lookup_all_arrive(setup: Setup) -> None:
    setup.configure(FIVE9_RECORD_LIMIT="25")
    setup.sandbox.behavior.record_limit = 25

    assert setup.sync().total("created") == ROWS
    assert setup.differences().is_equal


def test_the_warehouse_has_the_types_that_the_domain_declares(setup: Setup, settings: Any) -> None:
    setup.sync()
    warehouse = Warehouse(settings.INGESTION_WAREHOUSE_URL)
    types = StoredTable.read(warehouse.dataset("five9"), "contacts").types
    warehouse.close()
    wanted = {
        "zip": "text",
        "number1": "text",
        "contact_id": "text",
        "attempts": "bigint",
        "deal_value": "decimal",
        "birth_date": "date",
        "best_time_to_call": "time",
        "opted_in": "bool",
        "appointment_date_and_time": "timestamp",
        "hub_spot_contact_id": "text",
    }
    assert {name: types[name] for name in wanted} == wanted
    assert "_misfits" not in types
