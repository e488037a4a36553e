"""Google Sheets' source against its sandbox, and what cells mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion.sync.common.errors import CredentialsError, PermanentError
from ingestion.sync.common.source import Meter, Record, SourceContext, Window
from ingestion.sync.gsheet.cells import Reader, Row, headers_of, named
from ingestion.sync.gsheet.locale import SheetLocale
from ingestion.sync.gsheet.settings import CRM
from ingestion.sync.gsheet.source import Source
from sandbox.serving.server import SandboxServer

ROWS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path, names=("gsheet",), rows=ROWS, port=0) as running:
        yield running


def source(server: SandboxServer, meter: Meter | None = None, **changed: str) -> Source:
    defaults = {s.name: s.default for s in CRM.settings}
    settings = {**defaults, "GSHEET_REQUESTS_PER_MINUTE": "6000", **server.settings, **changed}
    return Source(SourceContext(settings, meter=meter or Meter()))


def read(opened: Source, model: str, window: Window) -> list[Record]:
    pages = opened.pages(CRM.model(model), window, batch_size=25)
    return [record for page in pages for record in page.records]


@pytest.mark.parametrize("model", ["leads", "spends"])
def test_every_filled_row_is_read(server: SandboxServer, model: str) -> None:
    rows = read(source(server), model, Window())
    assert len({row["row_key"] for row in rows}) == len(rows)
    assert len(rows) == server.sandboxes.counts()["gsheet"][model]


def test_a_sheet_is_read_whole_by_every_run(server: SandboxServer) -> None:
    """IMPORTRANGE brings other values and leaves the file's time of change as it is."""
    rows = read(source(server), "leads", Window(since=datetime.now(UTC)))
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
    row = Row(("1", "", "3"), (1, "", "3"))
    assert named(row, ["a", "b"]) == {"a": ("1", 1), "column_3": ("3", "3")}


CHICAGO = SheetLocale(ZoneInfo("America/Chicago"))


def shown(*cells: str) -> Row:
    """A row of texts: they are what they look like."""
    return Row(cells, cells)


def reader(locale: SheetLocale = CHICAGO, **typed: str) -> Reader:
    return Reader("s", ["a"], typed, locale)


def test_equal_rows_are_told_apart_by_counting() -> None:
    keys = [row["row_key"] for row in reader().records([shown("x"), shown("x"), shown("y")])]
    assert keys[0].endswith("-1")
    assert keys[1] == keys[0].replace("-1", "-2")
    assert len(set(keys)) == 3


def test_a_key_does_not_depend_on_where_the_row_stands() -> None:
    first = reader().records([shown("x")])
    moved = reader().records([shown("new"), shown(), shown("x")])
    assert first[0]["row_key"] == moved[1]["row_key"]


def test_a_digit_that_a_format_hides_changes_a_row_but_not_its_key() -> None:
    one, other = (
        reader(a="decimal").records([Row(("1,235",), (held,))])[0] for held in (1234.56, 1234.57)
    )
    assert (one["a"], other["a"]) == (1234.56, 1234.57)
    assert one["row_key"] == other["row_key"]


def test_a_time_is_read_in_the_zone_of_the_sheet() -> None:
    (row,) = reader(a="timestamp").records([shown("1/8/2026 9:12:44")])
    assert row["a"] == datetime(2026, 1, 8, 15, 12, 44, tzinfo=UTC)


def test_a_cell_that_is_no_time_stays_as_it_is() -> None:
    assert reader(a="timestamp").records([shown("soon")])[0]["a"] == "soon"
