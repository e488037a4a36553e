"""MarketSharp's source against its sandbox, and its answers in every form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests

from ingestion.sync.common.errors import CredentialsError, PermanentError, TransientError
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from ingestion.sync.marketsharp import odata
from ingestion.sync.marketsharp.settings import CRM
from ingestion.sync.marketsharp.signature import signature
from ingestion.sync.marketsharp.source import Source
from sandbox.serving.server import SandboxServer

ROWS = 60
CHICAGO = ZoneInfo("America/Chicago")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("marketsharp",), rows=ROWS, port=0) as running:
        yield running


def read(
    server: SandboxServer,
    model: str,
    window: Window,
    meter: Meter | None = None,
    batch_size: int = 25,
    **changed: str,
) -> list[Record]:
    defaults = {s.name: s.default for s in CRM.settings}
    context = SourceContext({**defaults, **server.settings, **changed}, meter=meter or Meter())
    pages = Source(context).pages(CRM.model(model), window, batch_size=batch_size)
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize("model", ["contacts", "notes", "companies", "contact_phones", "jobs"])
def test_a_full_read_finds_every_record_once(server: SandboxServer, model: str) -> None:
    found = read(server, model, Window())
    keys = {row[CRM.model(model).key[0]] for row in found}
    assert len(found) == len(keys) == server.sandboxes.counts()["marketsharp"][model]


@pytest.mark.parametrize("batch_size", [1, 10])
def test_pages_are_never_all_overlap(server: SandboxServer, batch_size: int) -> None:
    assert len(read(server, "contacts", Window(), batch_size=batch_size)) == ROWS


def test_the_sandbox_has_every_entity_set(server: SandboxServer) -> None:
    assert {m.name for m in CRM.models} == set(server.sandboxes.counts()["marketsharp"])


def test_only_what_changed_is_read(server: SandboxServer) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    server.sandboxes.tick()
    few = ROWS // 20
    assert few <= len(read(server, "contacts", Window(since=before))) <= 2 * few


def test_pages_overlap_so_that_a_deletion_hides_nothing(server: SandboxServer) -> None:
    meter = Meter()
    read(server, "contacts", Window(), meter)
    assert meter.requests > -(-ROWS // 25)


def test_control_characters_do_not_break_a_page(server: SandboxServer) -> None:
    assert {row["note"] for row in read(server, "notes", Window())} == {"cut<b>page</b> & more"}


def test_a_wrong_secret_is_refused(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="MARKETSHARP_SECRET_KEY"):
        read(server, "jobs", Window(), MARKETSHARP_SECRET_KEY="d3Jvbmc=")


def test_a_secret_that_is_no_base64_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="not base64"):
        read(server, "jobs", Window(), MARKETSHARP_SECRET_KEY="wrong!")


def test_a_signature_is_that_of_the_vendors_formula() -> None:
    assert signature("1", "k", 2, b"s") == "VeMZSThLtddNjYxPY0aUWlovZFAF4//yskJWnJcj17Y="


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("/Date(1768230011000)/", datetime(2026, 1, 12, 21, 0, 11, tzinfo=UTC)),
        ("/Date(1768230011000+0000)/", datetime(2026, 1, 12, 21, 0, 11, tzinfo=UTC)),
        ("2026-01-12T15:00:11", datetime(2026, 1, 12, 21, 0, 11, tzinfo=UTC)),
        ("2026-01-12T15:00:11Z", datetime(2026, 1, 12, 15, 0, 11, tzinfo=UTC)),
        ("soon", "soon"),
        (None, None),
    ],
)
def test_times_are_those_of_the_company(value: object, found: object) -> None:
    assert odata.moment(value, CHICAGO) == found


def answer(body: str, content_type: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = 200, body.encode()
    response.headers["Content-Type"] = content_type
    return response


def test_the_services_own_next_page_is_told() -> None:
    body = '{"d": {"results": [{"id": "1"}], "__next": "https://x/Jobs?$skiptoken=1"}}'
    found = odata.entities_of("it", answer(body, "application/json"))
    assert found.next_url == "https://x/Jobs?$skiptoken=1"


def test_damaged_xml_can_be_tried_again() -> None:
    with pytest.raises(TransientError, match="breaks off"):
        odata.entities_of("it", answer("<feed><entry>", "application/atom+xml"))


def test_an_answer_of_another_shape_is_refused() -> None:
    with pytest.raises(PermanentError, match="list of entities"):
        odata.entities_of("it", answer('{"value": []}', "application/json"))


def test_entities_of_xml_are_not_expanded() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE f [<!ENTITY a "boom">]><feed xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><m:properties><x>&a;</x></m:properties></feed>'
    found = odata.entities_of("it", answer(bomb, "application/xml"))
    assert "boom" not in repr(found.rows)
