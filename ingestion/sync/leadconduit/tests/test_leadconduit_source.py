"""LeadConduit's source against its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.common.source import Record, SourceContext, Window
from ingestion.sync.leadconduit.settings import CRM
from ingestion.sync.leadconduit.source import Source, id_before, lead_of, plain
from sandbox.serving.server import SandboxServer

LEADS = CRM.model("leads")
ROWS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("leadconduit",), rows=ROWS, port=0) as running:
        yield running


def read(server: SandboxServer, window: Window, **changed: str) -> list[Record]:
    defaults = {s.name: s.default for s in CRM.settings}
    source = Source(SourceContext({**defaults, **server.settings, **changed}))
    return [r for page in source.pages(LEADS, window, batch_size=25) for r in page.records]


def test_every_lead_comes_once_and_in_the_order_of_its_event(server: SandboxServer) -> None:
    ids = [lead["id"] for lead in read(server, Window())]
    assert len(ids) == ROWS
    assert ids == sorted(set(ids))


def test_goes_on_after_the_last_event(server: SandboxServer) -> None:
    known = read(server, Window())[-1]["id"]
    server.sandboxes.tick()
    new = read(server, Window(since=known), LEADCONDUIT_OVERLAP_SECONDS="0")
    assert sum(1 for lead in new if lead["id"] > known) == ROWS // 20
    assert len(new) == ROWS // 20 + 1  # and the event of the same second


def test_the_overlap_reads_the_last_events_again(server: SandboxServer) -> None:
    known = read(server, Window())[-1]["id"]
    assert known in {lead["id"] for lead in read(server, Window(since=known))}


def test_dates_bound_the_events(server: SandboxServer) -> None:
    times = sorted(lead["start_timestamp"] for lead in read(server, Window()))
    window = Window(since=times[10], until=times[20])
    assert [lead["start_timestamp"] for lead in read(server, window)] == times[10:21]


def test_a_wrong_key_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="LEADCONDUIT_API_KEY"):
        read(server, Window(), LEADCONDUIT_API_KEY="wrong")


def test_times_are_read_from_milliseconds() -> None:
    lead = lead_of({"id": "1", "type": "source", "start_timestamp": 1754006400123})
    assert lead["start_timestamp"] == datetime(2025, 8, 1, 0, 0, 0, 123000, UTC)


def test_what_a_step_adds_under_its_own_key_is_kept() -> None:
    lead = lead_of({"id": "1", "appended": {"a": 1}, "trustedform": {"outcome": "success"}})
    assert lead["appended"] == {"a": 1, "trustedform": {"outcome": "success"}}


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (None, None), ({"raw": "r", "normal": "n"}, "n"), ({"odd": 1}, '{"odd": 1}')],
)
def test_a_rich_value_gives_its_text(value: object, text: str | None) -> None:
    assert plain(value) == text


def test_an_id_before_an_event_is_made_of_its_seconds() -> None:
    assert id_before("5fd4371e940df5a34a3888b2", seconds=0x1E) == "5fd437000000000000000000"
