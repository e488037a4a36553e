"""What a cell holds and what it shows: numbers keep their digits, dates are days, texts are read as
the spreadsheet's locale writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.gsheet.cells import Reader, Row, moment
from ingestion.sync.gsheet.locale import SheetLocale
from ingestion.sync.gsheet.settings import CRM

DEFAULTS = {setting.name: setting.default for setting in CRM.settings}


def locale(name: str = "en_US", zone: str = "America/Chicago", **changed: str) -> SheetLocale:
    return SheetLocale.of({"locale": name, "timeZone": zone}, {**DEFAULTS, **changed})


def value(kind: str, shown: str, held: object = None, *, of: str = "en_US") -> object:
    """``held`` None: the cell is a text."""
    reader = Reader("s", ["a"], {"a": kind} if kind != "text" else {}, locale(of))
    (record,) = reader.records([Row((shown,), (shown if held is None else held,))])
    return record["a"]


@pytest.mark.parametrize(
    ("shown", "held", "found"),
    [
        ("1,235", 1234.56, 1234.56),
        ("$0", 0.49, 0.49),
        ("1.2E+08", 123456789.12, 123456789.12),
        ("5%", 0.05, 0.05),
        ("(1,234.50)", -1234.5, -1234.5),
        ("5 units", 5, 5),
        ("1.2M", 1234567, 1234567),
        # A slip: somebody's 3/4 became a date.
        ("3/4/2026", 46085, "3/4/2026"),
        ("4-Mar", 46085, "4-Mar"),
        ("12:30", 0.5208333, "12:30"),
    ],
)
def test_a_number_is_what_the_cell_holds(shown: str, held: float, found: object) -> None:
    assert value("decimal", shown, held) == found


@pytest.mark.parametrize(
    ("of", "text", "found"),
    [
        ("de_DE", "1.234,56 €", "1234.56"),
        ("de_DE", "12,50", "12.50"),
        ("de_DE", "1.234", "1234"),
        ("fr_FR", "1 234,5", "1234.5"),
        ("fr_FR", "1\u202f234,5 €", "1234.5"),
        ("de_CH", "CHF 1'234.50", "1234.50"),
        ("pl_PL", "1234,50 zł", "1234.50"),
        ("en_US", "$1,234.50", "1234.50"),
        ("en_US", "1.234", "1.234"),
        ("en_US", "(1,234.50)", "-1234.50"),
        ("en_US", "$(5.00)", "-5.00"),
        ("en_US", "-$5", "-5"),
        ("en_US", "5%", "0.05"),
        ("en_US", "1.23E+10", "12300000000"),
        ("en_IN", "₹12,34,567.50", "1234567.50"),
        ("xx_unknown", "$1,234.50", "1234.50"),
    ],
)
def test_an_amount_in_a_text_is_read_by_the_locale(of: str, text: str, found: str) -> None:
    assert value("decimal", text, of=of) == Decimal(found)


@pytest.mark.parametrize(
    ("of", "text"),
    [
        ("en_US", "12,50"),
        ("en_US", "1.234,56 €"),
        ("en_US", "$1,23,4"),
        ("en_US", "5-"),
        ("en_US", "#REF!"),
        ("en_US", "--5"),
        ("en_US", "(-5)"),
        ("de_DE", "1,234.56"),
        ("de_DE", "1.23"),
        ("en_US", "Room 5"),
    ],
)
def test_what_is_no_amount_there_stays_as_it_is(of: str, text: str) -> None:
    assert value("decimal", text, of=of) == text


@pytest.mark.parametrize(
    ("shown", "held", "found"),
    [
        ("2026-01-01", 46023, date(2026, 1, 1)),
        ("4-Mar-2026", 46085, date(2026, 3, 4)),
        ("mercredi 4 mars", 46085, date(2026, 3, 4)),
        ("12/30/1899", 0, date(1899, 12, 30)),
        ("3/1/1900", 61, date(1900, 3, 1)),  # there was no February 29 in 1900
        ("2026", 46085, date(2026, 3, 4)),  # a format that shows the year alone
        ("2026", 2026, "2026"),  # a number, not the 2026th day
        ("46,085", 46085, "46,085"),
    ],
)
def test_a_number_is_a_day_where_it_is_shown_as_one(shown: str, held: int, found: object) -> None:
    assert value("date", shown, held) == found


def test_a_serial_with_a_fraction_is_a_time_in_the_zone_of_the_spreadsheet() -> None:
    found = value("timestamp", "1/8/2026 9:12:44", 46030.383842592594)
    assert found == datetime(2026, 1, 8, 15, 12, 44, tzinfo=UTC)


def test_a_text_with_a_zone_keeps_it() -> None:
    assert value("timestamp", "2026-03-04T10:00:00Z") == datetime(2026, 3, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "held", "found"),
    [
        ("02108", 2108, "02108"),
        ("(615) 555-0101", 6155550101, "(615) 555-0101"),
        ("$1,234.50", 1234.5, "$1,234.50"),
        ("1,235", 1234.56, "1234.56"),
        ("1E+15", 1234567890123456, "1234567890123456"),
        ("3/4/2026", 46085, "3/4/2026"),
        ("3/4/2026", 46085.5, "2026-03-04 12:00:00"),
        ("TRUE", True, "TRUE"),
    ],
)
def test_a_column_of_texts_shows_what_people_see_unless_that_hides_something(
    shown: str, held: object, found: str
) -> None:
    assert value("text", shown, held) == found


@pytest.mark.parametrize(
    ("text", "order", "found"),
    [
        ("2026-03-04", "mdy", "2026-03-04T00:00:00"),
        ("3/4/2026", "mdy", "2026-03-04T00:00:00"),
        ("3/4/2026", "dmy", "2026-04-03T00:00:00"),
        ("3/4/26 2:05 PM", "mdy", "2026-03-04T14:05:00"),
        ("3/4/26 2:05\u202fPM", "mdy", "2026-03-04T14:05:00"),
        ("31.12.2026", "dmy", "2026-12-31T00:00:00"),
        ("31. 12. 2026 14:05", "dmy", "2026-12-31T14:05:00"),
        ("2026/3/4", "mdy", "2026-03-04T00:00:00"),
        ("26/3/4", "ymd", "2026-03-04T00:00:00"),
        ("31/12/2026", "mdy", None),
        ("0000-00-00", "mdy", None),
    ],
)
def test_dates_are_read_in_an_order(text: str, order: str, found: str | None) -> None:
    read = moment(text, order)
    assert (read and read.isoformat()) == found


@pytest.mark.parametrize(
    ("name", "order"),
    [("en_US", "mdy"), ("en_GB", "dmy"), ("de_DE", "dmy"), ("ja_JP", "ymd"), ("fil", "mdy")],
)
def test_the_order_is_that_of_the_locale(name: str, order: str) -> None:
    assert locale(name).date_order == order


def test_settings_stand_above_the_spreadsheet() -> None:
    found = locale("en_US", GSHEET_DATE_ORDER="dmy", GSHEET_TIME_ZONE="Europe/Berlin")
    assert (found.date_order, found.zone.key) == ("dmy", "Europe/Berlin")


def test_an_order_that_is_none_is_named() -> None:
    with pytest.raises(PermanentError, match="GSHEET_DATE_ORDER"):
        locale(GSHEET_DATE_ORDER="ydm")
