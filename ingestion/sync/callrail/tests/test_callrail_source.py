"""CallRail's source against its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.sync.callrail import rows
from ingestion.sync.callrail.settings import CRM
from ingestion.sync.callrail.source import Source
from ingestion.sync.common.errors import CredentialsError, PermanentError
from ingestion.sync.common.source import Page, Record, SourceContext, Window
from sandbox.serving.server import SandboxServer

ROWS = 90


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("callrail",), rows=ROWS, port=0) as running:
        yield running


def source(server: SandboxServer, **changed: str) -> Source:
    defaults = {s.name: s.default for s in CRM.settings}
    return Source(SourceContext({**defaults, **server.settings, **changed}))


def pages(opened: Source, model: str, window: Window) -> list[Page]:
    return list(opened.pages(CRM.model(model), window, batch_size=25))


def read(opened: Source, model: str, window: Window) -> list[Record]:
    return [record for page in pages(opened, model, window) for record in page.records]


@pytest.mark.parametrize("model", [m.name for m in CRM.models])
def test_a_full_read_finds_every_record_once(server: SandboxServer, model: str) -> None:
    found = read(source(server), model, Window())
    keys = {tuple(row[name] for name in CRM.model(model).key) for row in found}
    assert len(found) == len(keys) == server.sandboxes.counts()["callrail"][model]


def test_calls_are_read_beyond_the_last_thirty_days(server: SandboxServer) -> None:
    oldest = min(call["start_time"] for call in read(source(server), "calls", Window()))
    assert oldest[:10] < (datetime.now(UTC) - timedelta(days=60)).date().isoformat()


def test_days_that_were_read_whole_are_told(server: SandboxServer) -> None:
    since = datetime.now(UTC) - timedelta(days=5)
    scope = pages(source(server), "calls", Window(since=since))[-1].scope
    assert scope is not None
    days = {day for (day,) in scope.owners}
    assert since.date() in days
    assert since.date() - timedelta(days=1) not in days


def test_a_delta_reads_the_days_of_late_edits_again(server: SandboxServer) -> None:
    model = source(server, CALLRAIL_REREAD_DAYS="7").adapted(CRM.model("calls"))
    assert model.overlap_seconds == 7 * 86400


def test_days_that_are_no_more_kept_are_refused_with_the_first_that_is(
    server: SandboxServer,
) -> None:
    then = datetime.now(UTC) - timedelta(days=1200)
    with pytest.raises(PermanentError, match="25 months; ask for days from"):
        read(source(server), "calls", Window(since=then, until=then + timedelta(days=9)))


def test_no_signing_key_is_read(server: SandboxServer) -> None:
    found = read(source(server), "integrations", Window())
    assert found
    assert "signing-secret" not in repr(found)


def test_webhooks_show_their_addresses(server: SandboxServer) -> None:
    found = read(source(server), "webhooks", Window())
    assert {tuple(row["post_call_webhook"]) for row in found} == {("https://hooks.example.com/a",)}


def test_a_wrong_key_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="CALLRAIL_API_KEY"):
        read(source(server, CALLRAIL_API_KEY="wrong"), "tags", Window())


def test_a_tag_is_an_object_or_a_bare_name() -> None:
    call = {"id": "CAL1", "start_time": "2026-02-10T00:45:19.781-08:00"}
    tagged = {**call, "tags": [{"id": 7, "name": "Set"}, "Spam"]}
    assert [tag["tag_key"] for tag in rows.tags_of(tagged)] == ["7", "Spam"]


def test_a_value_loses_its_dollar_sign() -> None:
    assert rows.call({"id": "CAL1", "value": "$12,400.50"})["value"] == Decimal("12400.50")
