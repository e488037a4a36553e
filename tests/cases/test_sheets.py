"""Google Sheets: headers and dates as people write them. Reported of others: dlt-hub/dlt#423 (headers of
like names), singer-io/tap-google-sheets (titles above the header)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pytest_httpserver import HTTPServer

from ingestion.sync.load.tables.stored import StoredTable
from tests.truth.sandboxed import verified
from tests.truth.sheets import Sheet
from tests.truth.world import World

HEADER = ["Date", "Channel", "Cost"]
MARCH = date(2026, 3, 4)
TYPED_DATES = {
    "3/4/2026": MARCH,
    "2026-03-04 00:00:00": MARCH,
    "03/04/26": MARCH,
    "13/4/2026": None,
    "Mar 4": None,
    "0000-00-00": None,
}
TYPED_AMOUNTS = {
    "$1,234.50": Decimal("1234.50"),
    "1.234": Decimal("1.234"),
    "5%": Decimal("0.05"),
    "1.23E+10": Decimal(12_300_000_000),
    "-$5": Decimal(-5),
    "1.234,56 €": None,
    "12,50": None,
    "#REF!": None,
    "5-": None,
}


def begin(world: World, server: HTTPServer, rows: list[list[Any]], **others: Any) -> Sheet:
    sheet = Sheet(rows, **others)
    world.use("gsheet", sheet.settings(server))
    return sheet


def test_dates_that_people_have_typed_are_read_or_kept_beside(
    world: World, httpserver: HTTPServer
) -> None:
    begin(world, httpserver, [HEADER, *([text, text, "1"] for text in TYPED_DATES)])
    world.sync("spends")
    assert dict(world.rows("spends", "channel", "date")) == TYPED_DATES
    kept = {
        text: m["date"]["value"] for text, m in world.rows("spends", "channel", "_misfits") if m
    }
    assert kept == {text: text for text, day in TYPED_DATES.items() if day is None}
    assert verified(world, "spends").is_equal


def test_amounts_that_people_have_typed_are_read_or_kept_beside(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [["1/1/2026", text, text] for text in TYPED_AMOUNTS]
    begin(world, httpserver, [HEADER, *rows])
    world.sync("spends")
    assert dict(world.rows("spends", "channel", "cost")) == TYPED_AMOUNTS
    kept = {text for text, misfits in world.rows("spends", "channel", "_misfits") if misfits}
    assert kept == {text for text, amount in TYPED_AMOUNTS.items() if amount is None}
    assert verified(world, "spends").is_equal


def test_slips_of_a_format_are_kept_beside_and_are_no_difference(
    world: World, httpserver: HTTPServer
) -> None:
    """A day in a column of amounts, a number in a column of days: neither is what the other means."""
    day = ("3/4/2026", 46085)
    amounts = [("4-Mar", 46085), ("12:30", 0.5208333333), ("March", 46085), ("46,085", 46085)]
    days = [day, day, day, ("46,085", 46085)]
    rows = [
        [day, str(n), amount] for n, (day, amount) in enumerate(zip(days, amounts, strict=True))
    ]
    begin(world, httpserver, [HEADER, *rows, [("31.12.2026", 46387), "4", "--7"]])
    world.sync("spends")
    assert world.rows("spends", "channel", "date", "cost") == [
        *((str(n), MARCH, None) for n in range(3)),
        ("3", None, Decimal(46085)),
        ("4", date(2026, 12, 31), None),
    ]
    report = verified(world, "spends")
    assert (report.is_equal, report.examples) == (True, [])


def test_blank_repeated_foreign_and_reserved_headers_lose_no_cell(
    world: World, httpserver: HTTPServer
) -> None:
    names = [
        "Date",
        "",
        "Cost",
        "Cost",
        "姓名",
        "row_key",
        "Row Key",
        "select",
        "_deleted_at",
        "1st",
    ]
    cells = ["1/1/2026", "blank", "1", "2", "wang", "theirs", "other", "s", "yesterday", "f"]
    begin(world, httpserver, [names, cells])
    assert world.sync("spends").warning is None
    ((row,),) = [world.rows("spends", *columns_of(world))]
    assert {*cells[1:2], *cells[3:]} <= set(row)
    assert world.rows("spends", "cost", "_deleted_at") == [(Decimal(1), None)]
    assert len(world.rows("spends", "row_key")[0]) > len("theirs")
    assert verified(world, "spends").is_equal


def columns_of(world: World) -> list[str]:
    table = StoredTable.read(world.warehouse.dataset("gsheet"), "spends").table
    assert table is not None
    return [column.name for column in table.columns]


def test_columns_of_like_names_that_change_places_keep_their_cells(
    world: World, httpserver: HTTPServer
) -> None:
    sheet = begin(
        world, httpserver, [["Date", "Amount %", "Amount $"], ["1/1/2026", "ten", "five"]]
    )
    world.sync("spends")
    named = [name for name in columns_of(world) if name.startswith("amount")]
    first = world.rows("spends", *named)
    sheet.rows = [["Date", "Amount $", "Amount %"], ["1/1/2026", "five", "ten"]]
    world.sync("spends")
    assert len(named) == 2
    assert sorted(first[0]) == ["five", "ten"]
    assert world.rows("spends", *named) == first
    assert world.rows("spends", "date", deleted=True) == []


def test_a_title_above_the_header_is_said_to_have_changed_the_columns(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [["1/1/2026", "A", "100"], ["1/2/2026", "B", "50"]]
    sheet = begin(world, httpserver, [HEADER, *rows])
    world.sync("spends")
    sheet.rows = [["Spend 2026"], HEADER, *rows]
    result = world.sync("spends")
    assert any("no longer delivers column cost" in str(change) for change in result.schema_changes)
    sheet.rows = [HEADER, *rows]
    world.sync("spends")
    assert world.rows("spends", "channel", "cost") == [("A", Decimal(100)), ("B", Decimal(50))]
