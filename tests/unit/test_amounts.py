"""Amounts as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ingestion.sync.callrail.rows import call
from ingestion.sync.five9.engines.admin import ContactField
from ingestion.sync.five9.fields import Formats, readers_of
from ingestion.sync.http.amounts import amount

WRITTEN = {
    "7": "7",
    "$1,234.50": "1234.50",
    "(1,234.50)": "-1234.50",
    "$(5.00)": "-5.00",
    "(5.00) USD": "-5.00",
    "-$5": "-5",
    "$ -5": "-5",
    "\u22125": "-5",
    "+5": "5",
    "1 234.5": "1234.5",
    "1'234.5": "1234.5",
    "1,23,456": "123456",
    "US$ 5": "5",
    "1e3": "1000",
    ".5": "0.5",
    "1234567890123456.789": "1234567890123456.789",
}
NONE = (
    "",
    "$",
    "12,50",
    "$1.234,50",
    "1 234,50",
    "$1,23,4",
    "5-",
    "1.5.2",
    "--5",
    "(-5)",
    "Room 5",
)


@pytest.mark.parametrize(("text", "found"), WRITTEN.items())
def test_an_amount_is_read(text: str, found: str) -> None:
    assert amount(text) == Decimal(found)


@pytest.mark.parametrize("text", NONE)
def test_what_may_be_another_number_is_none(text: str) -> None:
    assert amount(text) is None


def of_five9(text: str) -> object:
    readers = readers_of([ContactField("Value", "CURRENCY")], Formats(zone=None))  # type: ignore[arg-type]
    return readers["Value"](text)


@pytest.mark.parametrize("read", [of_five9, lambda text: call({"value": text})["value"]])
@pytest.mark.parametrize(
    ("text", "found"),
    [("(1,234.50)", Decimal("-1234.50")), ("$1,234.50", Decimal("1234.50")), ("12,50", "12,50")],
)
def test_five9_and_callrail_write_amounts_as_texts(read: object, text: str, found: object) -> None:
    assert callable(read)
    assert read(text) == found
