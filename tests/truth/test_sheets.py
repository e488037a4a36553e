"""Google Sheets. Reported of others: jennybc/googlesheets#178, nithinmurali/pygsheets#234 (numbers
rounded by their format), ToucanToco/toucan-connectors#210 (decimals of a locale),
CartoDB/cartodb#15404 (IMPORTRANGE does not move the time of change)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer

from ingestion.sync.gsheet.cells import Reader
from tests.truth.sandboxed import verified
from tests.truth.sheets import Sheet
from tests.truth.world import World

HEADER = ["Date", "Channel", "Cost"]
GERMAN_AMOUNTS = {
    "A": "1.234,56 €",
    "B": "12,50",
    "C": "1.234",
    "D": "(1.234,50)",
    "E": "1,234.56",
}


def begin(world: World, server: HTTPServer, sheet: Sheet) -> Sheet:
    world.use("gsheet", sheet.settings(server))
    return sheet


def test_numbers_and_dates_are_what_the_cells_hold(world: World, httpserver: HTTPServer) -> None:
    begin(
        world,
        httpserver,
        Sheet(
            [
                HEADER,
                [("1/1/2026", 46023), "A", ("1,235", 1234.56)],
                [("1/1/2026", 46023), "B", ("$0", 0.49)],
                [("Jan 1", 46023), "C", ("1.2E+08", 123456789.12)],
            ]
        ),
    )
    world.sync("spends")
    assert verified(world, "spends").is_equal
    day = date(2026, 1, 1)
    assert world.rows("spends", "channel", "date", "cost") == [
        ("A", day, Decimal("1234.56")),
        ("B", day, Decimal("0.49")),
        ("C", day, Decimal("123456789.12")),
    ]


def test_texts_are_read_by_the_locale_of_the_spreadsheet(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [["31.12.2026", channel, text] for channel, text in GERMAN_AMOUNTS.items()]
    begin(world, httpserver, Sheet([HEADER, *rows], locale="de_DE"))
    world.sync("spends")
    assert verified(world, "spends").is_equal
    found = dict(world.rows("spends", "channel", "cost"))
    assert found == {
        "A": Decimal("1234.56"),
        "B": Decimal("12.50"),
        "C": Decimal("1234"),
        "D": Decimal("-1234.50"),
        "E": None,
    }
    assert set(world.rows("spends", "date")) == {date(2026, 12, 31)}
    assert [m for m in world.rows("spends", "_misfits") if m] == [
        {"cost": {"reason": "not_a_number", "value": "1,234.56"}}
    ]


def test_digits_that_a_format_hides_are_missed_by_verification(
    world: World, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an earlier release read them: what is shown, not what is held."""
    monkeypatch.setattr(Reader, "_number", lambda self, shown, held: self.locale.number(shown))
    rows = [HEADER, [("1/1/2026", 46023), "A", ("1,235", 1234.56)]]
    begin(world, httpserver, Sheet(rows))
    world.sync("spends")
    report = verified(world, "spends")
    assert (report.different, report.wrong_values) == (0, 1)
    assert report.examples[0].endswith(": cost holds 1235, the CRM sent 1234.56")


def test_values_that_a_formula_brings_are_seen_by_the_next_run(
    world: World, httpserver: HTTPServer
) -> None:
    sheet = begin(world, httpserver, Sheet([HEADER, ["2026-01-01", "A", "100"]]))
    world.sync("spends")
    sheet.rows = [HEADER, ["2026-01-01", "A", "250"], ["2026-01-02", "B", "70"]]
    world.sync("spends")
    assert world.rows("spends", "channel", "cost") == [("A", Decimal(250)), ("B", Decimal(70))]


def long_sheet() -> Sheet:
    rows = [["2026-01-01", f"S{number:05}", "1"] for number in range(2500)]
    return Sheet([HEADER, *rows], grid_rows=2600)


@pytest.mark.parametrize("change", ["deleted", "inserted"])
def test_rows_that_move_while_they_are_read_are_read_in_the_same_run(
    world: World, httpserver: HTTPServer, change: str
) -> None:
    sheet = begin(world, httpserver, long_sheet())

    def once(first: int) -> None:
        if first > 1000:
            sheet.before_range = lambda first: None
            if change == "deleted":
                del sheet.rows[1]
            else:
                sheet.rows.insert(1, ["2026-01-01", "new", "1"])

    sheet.before_range = once
    assert world.sync("spends").warning is None
    there = {row[1] for row in sheet.rows[1:]}
    assert there <= set(world.rows("spends", "channel"))
    world.sync("spends")
    assert set(world.rows("spends", "channel")) == there


def test_a_row_that_moves_between_ranges_is_read_in_the_same_run(
    world: World, httpserver: HTTPServer
) -> None:
    """Another moves the other way, so that no row between them has another place."""
    sheet = begin(world, httpserver, long_sheet())
    assert world.sync("spends").warning is None

    def once(first: int) -> None:
        if first > 1:  # the first range has been read
            sheet.before_range = lambda first: None
            sheet.rows.insert(10, sheet.rows.pop(2400))
            sheet.rows.append(sheet.rows.pop(20))

    sheet.before_range = once
    result = world.sync("spends")
    assert (result.warning, result.deleted) == (None, 0)
    assert set(world.rows("spends", "channel")) == {f"S{number:05}" for number in range(2500)}
    assert world.rows("spends", "channel", deleted=True) == []


def test_a_row_that_is_pushed_beyond_the_end_is_read_in_the_same_run(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [HEADER, ["2026-01-01", "A", "1"], ["2026-01-01", "B", "2"]]
    sheet = begin(world, httpserver, Sheet(rows, grid_rows=3))

    def once(first: int) -> None:
        if sheet.asked[-2].endswith("/S"):  # it has just told its size
            sheet.before_range = lambda first: None
            sheet.rows.insert(1, ["2026-01-01", "new", "3"])
            sheet.grid_rows += 1

    world.sync("spends")
    sheet.before_range = once
    assert world.sync("spends").deleted == 0
    assert set(world.rows("spends", "channel")) == {"A", "B", "new"}


def test_a_sheet_that_never_rests_is_partial_and_loses_no_row(
    world: World, httpserver: HTTPServer
) -> None:
    sheet = begin(world, httpserver, long_sheet())
    world.sync("spends")
    sheet.before_range = lambda first: sheet.rows.insert(1, ["2026-01-01", f"n{first}", "1"])
    result = world.sync("spends")
    assert "tab 'Spend' was changed each of the 5 times" in str(result.warning)
    assert set(world.rows("spends", "channel")) >= {f"S{number:05}" for number in range(2500)}
    assert world.rows("spends", "channel", deleted=True) == []


def test_a_sheet_of_texts_is_asked_for_once(world: World, httpserver: HTTPServer) -> None:
    sheet = begin(world, httpserver, Sheet([HEADER, ["2026-01-01", "A", "1"]]))
    world.sync("spends")
    assert sum("values" in path for path in sheet.asked) == 2  # the header, and all rows


def test_a_number_format_may_add_to_a_text(world: World, httpserver: HTTPServer) -> None:
    """As ``@" Inc"`` does: what the cell holds counts, and the sheet is not taken for one that is
    written meanwhile."""
    rows = [HEADER, [("1/1/2026", 46023), ("Radio Inc", "Radio"), ("5", 5)]]
    begin(world, httpserver, Sheet(rows))
    world.sync("spends")
    assert world.rows("spends", "channel", "cost") == [("Radio", Decimal("5"))]


def test_an_empty_row_at_the_border_of_two_ranges_is_no_change(
    world: World, httpserver: HTTPServer
) -> None:
    rows: list[list[object]] = [["31.12.2026", f"C{number:02}", "1"] for number in range(40)]
    for empty in (8, 9, 18, 28):
        rows[empty] = []
    begin(world, httpserver, Sheet([HEADER, *rows], locale="de_DE"))
    world.sync("spends", batch_size=10)
    assert len(world.rows("spends", "channel")) == 36
