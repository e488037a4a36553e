"""Tables keep their words whole in a terminal of 80 columns."""

from __future__ import annotations

import io

from rich.console import Console

from ingestion.management.cli import tables

STARTED = "2026-11-30 11:14:36"
ERROR = "HubSpot answered 429 to GET /crm/v3/objects/deals: the limit of ten seconds is used up."
RUNS = [
    ("123456", "genius.job_change_order_items", "cancelled", STARTED, "1h 12m", "1,840,000", ERROR),
    ("123457", "five9.contacts", "success", STARTED, "2s", "12", ""),
]


def drawn(width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(tables.runs(RUNS))
    return out.getvalue().splitlines()


def test_no_word_is_broken_in_80_columns() -> None:
    shown = drawn(80)
    assert max(len(line.rstrip()) for line in shown) <= 80
    words = {word for line in shown for word in line.split()}
    assert set(ERROR.split()) <= words
    assert "genius.job_change_order_items" in words


def test_a_narrow_terminal_loses_columns_and_not_the_route() -> None:
    head = drawn(80)[1]
    assert "Sync" in head
    assert "Error" in head
    assert "Rows" not in head


def test_a_wide_one_shows_every_column_in_one_line_a_run() -> None:
    shown = drawn(220)
    assert all(name in shown[1] for name in ("Run", "Started (UTC)", "Took", "Rows", "Error"))
    assert any("1,840,000" in line and line.rstrip().endswith("used up.") for line in shown)
