"""HubSpot into a warehouse: everything, then what changed, then nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django.core.management import call_command

from ingestion.models import SyncHistory
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import verify
from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from sandbox.crms.hubspot import HubspotSandbox
from sandbox.crms.hubspot.catalog import LINKS, PROPERTIES
from sandbox.crms.hubspot.portal import Portal
from sandbox.serving.server import SandboxServer

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 60
ASSOCIATION_KEY = ("from_type", "from_id", "to_type", "to_id", "category", "type_id")
Content = dict[str, dict[Any, dict[str, Any]]]


class Setup:
    """A HubSpot account, a warehouse, and runs from one into the other."""

    def __init__(self, server: SandboxServer, warehouse_url: str) -> None:
        self.server = server
        self.warehouse_url = warehouse_url
        sandbox = server.sandboxes.by_name["hubspot"]
        assert isinstance(sandbox, HubspotSandbox)
        self.sandbox = sandbox.relax()

    def sync(self, sync_type: str = "all", **options: Any) -> SyncResult:
        handle = RunHandle(SilentReporter())
        call_command(f"sync_hubspot_{sync_type}", run=handle, **options)
        assert handle.result is not None
        return handle.result

    def tick(self) -> dict[str, int]:
        return self.server.sandboxes.tick()["hubspot"]

    @property
    def portal(self) -> Portal:
        return self.sandbox._portal

    def account_rows(self) -> Content:
        """What the account holds, typed by the properties' metadata."""
        found: Content = {
            kind: {
                str(item.id): {
                    p.name: typed(p.kind, text)
                    for p in PROPERTIES[kind]
                    if (text := item.properties.get(p.name)) is not None
                }
                for item in items.values()
            }
            for kind, items in self.portal.items.items()
        }
        found["associations"] = {key: {} for key in self.links()}
        found["owners"] = {
            o["id"]: {"last_name": o["lastName"], "user_id": o["userId"], "teams": o["teams"]}
            for o in self.portal.owners
            if not o["archived"]
        }
        return found

    def links(self) -> Iterator[tuple[Any, ...]]:
        for one, other in LINKS:
            for one_id, others in self.portal.links.get((one, other), {}).items():
                for other_id, types in others.items():
                    for t in types:
                        yield one, str(one_id), other, str(other_id), t.category, t.type_id

    def warehouse_rows(self) -> Content:
        """Live rows of every table by key, with the columns that ``account_rows`` has."""
        found: Content = {
            kind: self.rows_of(kind, ("id",), tuple(p.name for p in PROPERTIES[kind]))
            for kind in PROPERTIES
        }
        found["associations"] = self.rows_of("associations", ASSOCIATION_KEY, ())
        found["owners"] = self.rows_of("owners", ("id",), ("last_name", "user_id", "teams"))
        return found

    def rows_of(self, table: str, key: tuple[str, ...], names: tuple[str, ...]) -> dict[Any, Any]:
        warehouse = Warehouse(self.warehouse_url)
        dataset = warehouse.dataset("hubspot")
        landed = StoredTable.read(dataset, table).table
        assert landed is not None
        live = sa.select(landed).where(landed.c["_deleted_at"].is_(None))
        with dataset.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(live).mappings()]
        warehouse.close()
        found = {
            row[key[0]] if len(key) == 1 else tuple(row[n] for n in key): {
                n: comparable(row[n]) for n in names if row.get(n) is not None
            }
            for row in rows
        }
        assert len(found) == len(rows), "a row stands there twice"
        return found


def typed(kind: str, text: str) -> Any:
    if kind == "datetime":
        return datetime.fromisoformat(text).replace(tzinfo=None)
    if kind == "date":
        return date.fromisoformat(text)
    if kind == "number":
        return Decimal(text).normalize()
    return {"true": True, "false": False}[text] if kind == "bool" else text


def comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, Decimal):
        return round(value, 9).normalize()
    return value


def counts_of(result: SyncResult) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in result.counts.items() if count}


@pytest.fixture(params=["sqlite", "postgresql"])
def setup(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Iterator[Setup]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        url = new_database()
    settings.INGESTION_WAREHOUSE_URL = url
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    with SandboxServer(tmp_path / "sandbox", names=("hubspot",), rows=ROWS, port=0) as server:
        made = Setup(server, url)
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        yield made


def test_all_of_hubspot_then_what_changed_then_nothing(setup: Setup) -> None:
    first = setup.sync()
    assert [model.model for model in first.models][-1] == "associations"
    assert first.total("created") == sum(setup.sandbox.counts().values())
    assert setup.warehouse_rows() == setup.account_rows()

    done = setup.tick()
    second = setup.sync()
    assert {name: second.total(name) for name in done} == done
    assert second.total("processed") < first.total("processed") / 2
    assert setup.warehouse_rows() == setup.account_rows()

    third = setup.sync()
    assert counts_of(third).keys() == {"processed"}
    assert counts_of(setup.sync(full=True)).keys() == {"processed"}

    assert all(report.is_equal for report in verify("hubspot", None, SilentReporter()))
    assert SyncHistory.objects.filter(crm_source="hubspot", status="success").count() == 4


def test_a_delta_reads_little(setup: Setup) -> None:
    setup.sync("contacts")
    everything = len(setup.portal.items["contacts"]) + len(setup.portal.archived["contacts"])

    setup.tick()
    result = setup.sync("contacts")

    assert 0 < result.total("processed") < everything / 2
    assert result.total("requests") == 3  # the properties, one search, the archived


def test_an_archived_record_stays_marked_in_the_warehouse(setup: Setup) -> None:
    setup.sync("deals")
    deal = min(setup.portal.items["deals"])
    setup.portal.archive("deals", deal, datetime.now(UTC) - timedelta(seconds=1))

    result = setup.sync("deals")

    assert counts_of(result)["deleted"] == 1
    assert str(deal) not in setup.rows_of("deals", ("id",), ())


def test_a_purged_record_is_marked_by_a_full_run(setup: Setup) -> None:
    setup.sync("tickets")
    gone = min(setup.portal.items["tickets"])
    del setup.portal.items["tickets"][gone]
    setup.portal.version += 1

    assert "deleted" not in counts_of(setup.sync("tickets"))
    assert counts_of(setup.sync("tickets", full=True))["deleted"] == 1
    assert str(gone) not in setup.rows_of("tickets", ("id",), ())


def test_an_association_that_vanished_is_marked(setup: Setup) -> None:
    setup.sync("associations")
    (contact, company) = next(
        (one, next(iter(others)))
        for one, others in setup.portal.links["contacts", "companies"].items()
        if others
    )
    at = datetime.now(UTC)
    setup.portal.unlink(("contacts", contact), ("companies", company), at=at)

    result = setup.sync("associations")

    assert counts_of(result)["deleted"] == 2  # the plain one and the primary one
    assert setup.rows_of("associations", ASSOCIATION_KEY, ()).keys() == set(setup.links())


def test_a_refused_token_ends_the_run_at_once(setup: Setup, settings: Any) -> None:
    settings.INGESTION_CRM_ENVIRONMENT = {
        **setup.server.settings,
        "HUBSPOT_ACCESS_TOKEN": "wrong-token",
    }

    with pytest.raises(CredentialsError, match="HUBSPOT_ACCESS_TOKEN") as caught:
        setup.sync()

    row = SyncHistory.objects.get(crm_source="hubspot")
    assert row.status == "failed"
    assert "wrong-token" not in f"{caught.value} {row.error_message}"
