"""Google Sheets' source against its stand-in, and what cells mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion.sandbox.server import SandboxServer
from ingestion.sync.common.errors import CredentialsError, PermanentError
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from ingestion.sync.gsheet.cells import Reader, amount, headers_of, moment, named
from ingestion.sync.gsheet.settings import CRM
from ingestion.sync.gsheet.source import Source

ROWS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("gsheet",), rows=ROWS, port=0) as running:
        yield running


def source(server: SandboxServer, meter: Meter | None = None, **changed: str) -> Source:
    defaults = {s.name: s.default for s in CRM.settings}
    settings = {**defaults, **server.settings, **changed}
    return Source(SourceContext(settings, meter=meter or Meter()))


def read(opened: Source, model: str, window: Window) -> list[Record]:
    pages = opened.pages(CRM.model(model), window, batch_size=25)
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize("model", ["leads", "spends"])
def test_every_filled_row_is_read(server: SandboxServer, model: str) -> None:
    rows = read(source(server), model, Window())
    assert len({row["row_key"] for row in rows}) == len(rows)
    assert len(rows) == server.sandboxes.counts()["gsheet"][model]


def test_an_unchanged_sheet_is_not_read_again(server: SandboxServer) -> None:
    meter = Meter()
    assert read(source(server, meter), "leads", Window(since=datetime.now(UTC))) == []
    assert meter.requests == 1


def test_a_changed_sheet_is_read_whole(server: SandboxServer) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    server.sandboxes.tick()
    rows = read(source(server), "leads", Window(since=before))
    assert len(rows) == server.sandboxes.counts()["gsheet"]["leads"]


def test_a_tab_that_is_not_there_is_named_with_those_that_are(server: SandboxServer) -> None:
    with pytest.raises(PermanentError, match=r"GSHEET_LEADS_TAB|Unable to parse range"):
        read(source(server, GSHEET_LEADS_TAB="Nope"), "leads", Window())


def test_a_revoked_key_is_refused(server: SandboxServer, tmp_path: Path) -> None:
    with SandboxServer(tmp_path / "other", names=("gsheet",), rows=2, port=0) as other:
        foreign = json.loads(other.settings["GSHEET_SERVICE_ACCOUNT"])["private_key"]
    account = json.loads(server.settings["GSHEET_SERVICE_ACCOUNT"])
    changed = json.dumps({**account, "private_key": foreign})
    with pytest.raises(CredentialsError, match="refused the service account"):
        read(source(server, GSHEET_SERVICE_ACCOUNT=changed), "leads", Window())


@pytest.mark.parametrize("key", ["{}", "/nowhere.json", '{"type": "x"}', "{broken"])
def test_an_unreadable_key_says_what_it_must_be(server: SandboxServer, key: str) -> None:
    with pytest.raises(CredentialsError, match="GSHEET_SERVICE_ACCOUNT"):
        source(server, GSHEET_SERVICE_ACCOUNT=key)


def test_blank_and_repeated_headers_get_names() -> None:
    assert headers_of(["a ", "", "a", "", "a"]) == ["a", "column_2", "a 2", "column_4", "a 3"]


def test_cells_beyond_the_headers_are_kept() -> None:
    assert named(["1", "", "3"], ["a", "b"]) == {"a": "1", "column_3": "3"}


def reader(**typed: str) -> Reader:
    return Reader("s", ["a"], typed, ZoneInfo("America/Chicago"), "mdy")


def test_equal_rows_are_told_apart_by_counting() -> None:
    keys = [row["row_key"] for row in reader().records([["x"], ["x"], ["y"]])]
    assert keys[0].endswith("-1")
    assert keys[1] == keys[0].replace("-1", "-2")
    assert len(set(keys)) == 3


def test_a_key_does_not_depend_on_where_the_row_stands() -> None:
    first, moved = reader().records([["x"]]), reader().records([["new"], [], ["x"]])
    assert first[0]["row_key"] == moved[1]["row_key"]


def test_a_time_is_read_in_the_zone_of_the_sheet() -> None:
    (row,) = reader(a="timestamp").records([["1/8/2026 9:12:44"]])
    assert row["a"] == datetime(2026, 1, 8, 15, 12, 44, tzinfo=UTC)


def test_a_cell_that_is_no_time_stays_as_it_is() -> None:
    assert reader(a="timestamp").records([["soon"]])[0]["a"] == "soon"


@pytest.mark.parametrize(
    ("text", "order", "found"),
    [
        ("2026-03-04", "mdy", "2026-03-04T00:00:00"),
        ("3/4/2026", "mdy", "2026-03-04T00:00:00"),
        ("3/4/2026", "dmy", "2026-04-03T00:00:00"),
        ("3/4/26 2:05 PM", "mdy", "2026-03-04T14:05:00"),
        ("31/12/2026", "mdy", None),
    ],
)
def test_dates_are_read_in_the_order_of_the_setting(
    text: str, order: str, found: str | None
) -> None:
    read = moment(text, order)
    assert (read and read.isoformat()) == found


@pytest.mark.parametrize(
    ("text", "number"), [("$1,234.50", "1234.50"), ("(5.00)", "-5.00"), ("7", "7")]
)
def test_an_amount_is_bared(text: str, number: str) -> None:
    assert amount(text) == number
