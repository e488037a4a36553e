"""Arrivy's source against its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion.sync.arrivy.settings import CRM
from ingestion.sync.arrivy.source import Source
from ingestion.sync.common.errors import CredentialsError, PermanentError
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from sandbox.serving.server import SandboxServer

ROWS = 80


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("arrivy",), rows=ROWS, port=0) as running:
        yield running


def read(
    server: SandboxServer, model: str, window: Window, meter: Meter | None = None, **changed: str
) -> list[Record]:
    defaults = {s.name: s.default for s in CRM.settings}
    context = SourceContext({**defaults, **server.settings, **changed}, meter=meter or Meter())
    pages = Source(context).pages(CRM.model(model), window, batch_size=25)
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize("model", [m.name for m in CRM.models])
def test_a_full_read_finds_every_record(server: SandboxServer, model: str) -> None:
    ids = {row["id"] for row in read(server, model, Window())}
    assert len(ids) == server.sandboxes.counts()["arrivy"][model]


def test_tasks_without_a_place_in_the_schedule_are_read_too(server: SandboxServer) -> None:
    tasks = read(server, "tasks", Window())
    assert {bool(task["start_datetime"]) for task in tasks} == {True, False}
    assert any(task["unscheduled"] for task in tasks)


def test_a_delta_reads_the_schedule_around_today(server: SandboxServer) -> None:
    server.sandboxes.tick()
    since = datetime.now(UTC)
    placed = [t for t in read(server, "tasks", Window(since=since)) if t["start_datetime"]]
    first = (since - timedelta(days=30)).isoformat()
    assert placed
    assert all(task["start_datetime"] >= first[:19] for task in placed)


def test_a_list_that_ignores_the_page_is_read_once(server: SandboxServer) -> None:
    meter = Meter()
    read(server, "customers", Window(), meter)
    assert meter.requests == 2


def test_ids_keep_their_sixteen_digits(server: SandboxServer) -> None:
    assert {len(str(row["id"])) for row in read(server, "users", Window())} == {16}


def test_a_wrong_key_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="ARRIVY_AUTH_KEY"):
        read(server, "users", Window(), ARRIVY_AUTH_KEY="wrong")


def test_a_wrong_day_is_named(server: SandboxServer) -> None:
    with pytest.raises(PermanentError, match="ARRIVY_HISTORY_START is 'soon'"):
        read(server, "tasks", Window(), ARRIVY_HISTORY_START="soon")
