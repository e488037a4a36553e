"""Sheets whose cells hold and show everything that people write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.cases.test_sheets import TYPED_AMOUNTS, TYPED_DATES
from tests.mutants.lives.stage import Life, Stage
from tests.mutants.outcome import Outcome
from tests.truth.sheets import Sheet
from tests.truth.test_sheets import GERMAN_AMOUNTS, HEADER

Rows = Sequence[Sequence[Any]]
NEW_YEAR = ("1/1/2026", 46023)
# What a cell shows, and what it holds.
AMOUNTS: tuple[Any, ...] = (
    *TYPED_AMOUNTS,
    *(("1,235", 1234.56), ("$0", 0.49), ("1.2E+08", 123456789.12), ("5%", 0.05), ("3", 3)),
    *(("1,234.6", 1234.56), ("-2", -2), ("12:30", 0.520833333333), ("4-Mar", 46085), ("-0", -0.3)),
    *(("TRUE", True), ("46,085", 46085), ("3/4/2026", 46085), ("March", 46085), ("0.1", 0.1)),
    *(("1.5", 2.5), ("maybe", 7), ("5.00%", 0.05), ("  7 ", 7), ("(5)", -5), ("1E-7", 1e-7)),
    *(("9007199254740993", 9007199254740993), ("€ 12", 12), ("12 kr.", 12), ("- 5", -5)),
    *(
        "1e5",
        "+7",
        "7+",
        "--7",
        "(-7)",
        "USD 5",
        "$ (5)",
        "(5) USD",
        "12 345.5",
        "1'234",
        "1,23,456",
    ),
    *(
        "1,2345",
        "12,34",
        ".5",
        "5.",
        "%",
        "$",
        "5 %",
        "-5%",
        "(5%)",
        "1.5e-3",
        "\u22125",
        "5\u22125",
        "5e9999",
    ),
)
DATES: tuple[Any, ...] = (
    *TYPED_DATES,
    *(NEW_YEAR, ("Jan 1", 46023), ("46,023", 46023), ("1/1/2026 13:30", 46023.5625)),
    *(
        ("12/31/1899", 1),
        ("12/30/1899", 0),
        ("1/1/10000", 2958466),
        ("far", 10**12),
        ("12:00", 0.5),
    ),
    *(("12/31/9999", 2958465), ("#", -700000), ("TRUE", True)),
    *(
        "2026-01-09T16:40:02Z",
        "2026/3/4",
        "2026.03.04",
        "4.3.2026",
        "12-31-2026",
        "3/4/2026, 10:00",
    ),
    *(
        "3/4/26 1:05 PM",
        "3/4/2026 01:05:09 am",
        "3/4/2026 25:00",
        "9999-12-31",
        "0001-01-01",
        "3/4",
    ),
    *("99/3/4", "3/4/126", "3 / 4 / 2026", "3/ 4/2026", "  3/4/2026  ", "soon", "2026-3-4"),
)
TIMES: tuple[Any, ...] = (
    *DATES,
    *("9999-12-31 23:59:59", "0001-01-01 00:00:00", "2026-11-01 01:30", "2026-03-08 02:30"),
    *(
        "2026-01-09 16:40:02+00:00",
        "2026-01-09 16:40:02.5",
        "1/9/2026 4:40:02 PM",
        "1/9/2026 16:40",
    ),
    *(("1/9/2026 16:40:02", 46031.6944675926), ("11/1/2026 1:30:00", 46327.0625)),
)
TEXTS: tuple[Any, ...] = (
    *("plain", " padded ", "007", "1/1/2026", "5%", "\u0000x", "é 李"),
    *(NEW_YEAR, ("Jan 1", 46023), ("1/1/2026", 46023.5), ("1/1/2026 12:00:00", 46023.5)),
    *(("1,235", 1234.56), ("1,234.56", 1234.56), ("5%", 0.05), ("12:30", 0.5208), ("TRUE", True)),
    *(("6.2E+09", 6155550101), ("6155550101", 6155550101), ("(615) 555-0101", 6155550101)),
    *(("0.3", 0.1 + 0.2), ("$5.00", 5), ("1/1/10000", 2958466)),
)

GERMAN_TEXTS: tuple[Any, ...] = (
    *(("1.235", 1234.56), ("1.234,56", 1234.56), ("5 %", 0.05), ("6,2E+09", 6155550101)),
    *(("0,3", 0.1 + 0.2), ("31.12.2026", 46387), ("31.12.2026", 46387.5), ("12:30", 0.5208)),
)


def life(model: str, *states: Rows, batch_size: int = 10, **facts: Any) -> Life:
    """``states``: the tab's rows at each run."""

    def played(stage: Stage) -> Outcome:
        sheet = Sheet([list(row) for row in states[0]], **facts)
        stage.world.use("gsheet", sheet.settings(stage.server))
        for state in states:
            sheet.rows = [list(row) for row in state]
            stage.sync(model, batch_size=batch_size)
        return stage.outcome(model)

    return played


def column(name: str, cells: Sequence[Any]) -> Rows:
    """Each in a row of its own, whose key no other cell has."""
    return [["Channel", name], *([f"row {n}", cell] for n, cell in enumerate(cells))]


LONG = [HEADER, *([f"1/{1 + n % 28}/2026", f"C{n:02}", n] for n in range(47))]
GAPS = [row if n not in (8, 9, 10, 11, 20, 30, 31) else [] for n, row in enumerate(LONG)]
ODD_HEADER = [
    *("Date", "", "Cost", "Cost", "Cost 2", "姓名", "row_key", "_sheet", "_deleted_at", " Cost "),
]
WIDE = [ODD_HEADER, [f"cell {n}" for n in range(14)], [*[""] * 12, "beyond"], ["", "  ", "x"]]
LIKE = [HEADER, *([["1/1/2026", "same", "1"]] * 3), ["1/1/2026", "same", "2"]]

GERMAN = [HEADER, *(["31.12.2026", c, text] for c, text in GERMAN_AMOUNTS.items())]
GERMAN_CELLS = [
    *GERMAN,
    *(
        ["4.3.2026", f"held {n}", cell]
        for n, cell in enumerate(
            [
                *(("1.234,6", 1234.56), ("4. März", 46085), ("5 %", 0.05), ("1.234", 1234)),
                *("1.234,5 EUR", "1 234,5", "1.23.4", "12,345,6", "5 %", "1234,5"),
            ]
        )
    ),
    *(
        [day, day, "1"]
        for day in ("13.4.2026", "4/13/2026", "2026-04-13", "13. 4. 26", "13-4-2026")
    ),
]

LIVES: Mapping[str, Life] = {
    "amounts": life("spends", column("Cost", AMOUNTS)),
    "dates": life("spends", column("Date", DATES)),
    "whole numbers": life("leads", column("call_attempts", AMOUNTS)),
    "times": life("leads", column("created_at", TIMES)),
    "times in Tokyo": life("leads", column("created_at", TIMES), time_zone="Asia/Tokyo"),
    "texts": life("spends", column("Campaign", TEXTS)),
    "german": life("spends", GERMAN_CELLS, locale="de_DE"),
    "german texts": life("spends", column("Campaign", GERMAN_TEXTS), locale="de_DE"),
    "british": life("spends", column("Date", DATES), locale="en_GB"),
    "chinese": life("spends", column("Date", DATES), locale="zh_CN"),
    "unknown locale": life("spends", column("Date", DATES), locale="tlh"),
    "odd headers": life("spends", WIDE, batch_size=1000),
    "equal rows": life("spends", LIKE, [HEADER, *LIKE[2:]]),
    "long": life("spends", LONG, LONG[:30], [*LONG[:5], *LONG[8:]]),
    "gaps": life("spends", GAPS, LONG, GAPS),
    "long in one range": life("spends", LONG, batch_size=1000),
    "short grid": life("spends", LONG, grid_rows=48, batch_size=16),
    "a format adds to texts": life(
        "spends", column("Campaign", [("Radio Inc", "Radio"), ("TV Inc", "TV"), ("7", 7)])
    ),
}
