"""SalesRabbit's source against its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from ingestion.sync.salesrabbit.settings import CRM
from ingestion.sync.salesrabbit.source import Source, as_object
from sandbox.serving.server import SandboxServer

ROWS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("salesrabbit",), rows=ROWS, port=0) as running:
        yield running


def read(
    server: SandboxServer, model: str, window: Window, meter: Meter | None = None, **changed: str
) -> list[Record]:
    defaults = {s.name: s.default for s in CRM.settings}
    context = SourceContext({**defaults, **server.settings, **changed}, meter=meter or Meter())
    pages = Source(context).pages(CRM.model(model), window, batch_size=25)
    return [record for page in pages for record in page.records]


def test_every_lead_comes_once(server: SandboxServer) -> None:
    ids = [lead["id"] for lead in read(server, "leads", Window())]
    assert len(ids) == len(set(ids)) == ROWS


def test_users_that_repeat_on_every_page_come_once(server: SandboxServer) -> None:
    meter = Meter()
    assert len(read(server, "users", Window(), meter)) == ROWS // 20
    assert meter.requests == 2


def test_nothing_changed_is_no_error(server: SandboxServer) -> None:
    meter = Meter()
    assert read(server, "leads", Window(since=datetime.now(UTC)), meter) == []
    assert meter.requests == 1


def test_only_what_changed_is_read(server: SandboxServer) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    server.sandboxes.tick()
    changed = read(server, "leads", Window(since=before))
    assert len(changed) == ROWS // 20 * 2 + 1
    assert sum(1 for lead in changed if "_deleted_at" in lead) == 1


def test_an_upper_bound_is_kept(server: SandboxServer) -> None:
    times = sorted(lead["dateModified"] for lead in read(server, "leads", Window()))
    window = Window(until=datetime.fromisoformat(times[10]))
    assert len(read(server, "leads", window)) == 11


def test_custom_fields_land_as_objects(server: SandboxServer) -> None:
    leads = read(server, "leads", Window())
    assert {type(lead["customFields"]) for lead in leads} == {dict}


@pytest.mark.parametrize(
    ("value", "landed"),
    [({}, {}), ([], {}), ("", {}), ('{"a": 1}', {"a": 1}), ("[]", {}), ("odd", "odd"), (None, {})],
)
def test_an_object_in_any_shape(value: object, landed: object) -> None:
    assert as_object(value) == landed


def test_a_wrong_token_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="SALESRABBIT_API_TOKEN"):
        read(server, "leads", Window(), SALESRABBIT_API_TOKEN="wrong")
