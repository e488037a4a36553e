"""Texts become numbers, dates and times; phones, zip codes and ids stay texts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.five9.engines.admin import Contact, ContactField
from ingestion.sync.five9.fields import (
    Formats,
    columns_of,
    key_of,
    readers_of,
    record_of,
    strptime_format,
)
from ingestion.sync.five9.tests.conftest import MODEL, Five9

PACIFIC = Formats(ZoneInfo("America/Los_Angeles"))


def read(kind: str, text: str | None, formats: Formats = PACIFIC, **restrictions: str) -> object:
    field = ContactField("x", kind, restrictions=restrictions)
    return record_of({"x": text}, readers_of([field], formats))["x"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("PHONE", "0115550101", "0115550101"),
        ("STRING", "02108", "02108"),
        ("EMAIL", "dana@example.com", "dana@example.com"),
        ("NUMBER", "3", Decimal(3)),
        ("NUMBER", "-12.50", Decimal("-12.50")),
        ("CURRENCY", "$1,234.50", Decimal("1234.50")),
        ("CURRENCY", "-$5", Decimal(-5)),
        ("CURRENCY", "1234.5 USD", Decimal("1234.5")),
        ("PERCENT", "12.5%", Decimal("12.5")),
        ("BOOLEAN", "true", "true"),
        ("DATE", "2026-01-09", date(2026, 1, 9)),
        ("TIME", "16:40:02.000", time(16, 40, 2)),
        ("TIME", "16:40", time(16, 40)),
        ("DATE_TIME", "2026-01-09 16:40:02.250", datetime(2026, 1, 10, 0, 40, 2, 250000, UTC)),
        ("DATE_TIME", "2026-07-09 16:40:02.000", datetime(2026, 7, 9, 23, 40, 2, tzinfo=UTC)),
        ("DATE_TIME", "2026-01-09 16:40:02.000 GMT0", datetime(2026, 1, 9, 16, 40, 2, tzinfo=UTC)),
        ("DATE_TIME", "2026-01-09T16:40:02-05:00", datetime(2026, 1, 9, 21, 40, 2, tzinfo=UTC)),
        ("DATE_TIME", "2026-01-09 16:40:02", datetime(2026, 1, 10, 0, 40, 2, tzinfo=UTC)),
        ("TIME_PERIOD", "00:12:15", "00:12:15"),
        ("DATE_TIME", "", None),
        ("STRING", "", None),
        ("STRING", None, None),
    ],
)
def test_a_text_gets_the_type_of_its_field(kind: str, text: str | None, value: object) -> None:
    found = read(kind, text)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("DATE", "soon"),
        ("DATE_TIME", "9 Jan"),
        ("TIME", "noon"),
        ("NUMBER", "many"),
        ("CURRENCY", "?"),
    ],
)
def test_a_text_that_is_none_of_its_kind_is_passed_on_as_it_is(kind: str, text: str) -> None:
    assert read(kind, text) == text


def test_a_field_tells_how_its_dates_and_times_are_written() -> None:
    assert read("DATE", "01/09/2026", DateFormat="MM/dd/yyyy") == date(2026, 1, 9)
    assert read("TIME", "04:40 PM", TimeFormat="hh:mm a") == time(16, 40)
    moment = read("DATE_TIME", "09 Jan 26 16:40", DateFormat="dd MMM yy", TimeFormat="HH:mm")
    assert moment == datetime(2026, 1, 10, 0, 40, tzinfo=UTC)


def test_fields_without_a_format_follow_the_settings() -> None:
    formats = Formats(ZoneInfo("Europe/London"), date="dd/MM/yyyy", time="HH:mm")

    assert read("DATE_TIME", "09/01/2026 16:40", formats) == datetime(
        2026, 1, 9, 16, 40, tzinfo=UTC
    )


def test_letters_that_are_not_known_in_a_format_are_an_error_that_names_the_setting() -> None:
    with pytest.raises(PermanentError, match="FIVE9_DATE_FORMAT is 'QQ yyyy'"):
        Formats(UTC, date="QQ yyyy").check()


def test_quoted_letters_in_a_format_stand_for_themselves() -> None:
    assert strptime_format("yyyy-MM-dd'T'HH:mm:ss.SSS") == "%Y-%m-%dT%H:%M:%S.%f"


def test_columns_are_typed_and_do_not_depend_on_the_order_of_the_fields() -> None:
    fields = [
        ContactField("zip", "STRING"),
        ContactField("attempts", "NUMBER", restrictions={"Scale": "0"}),
        ContactField("Score", "NUMBER", restrictions={"Scale": "2"}),
        ContactField("Opted In", "BOOLEAN"),
        ContactField("Last Modified", "DATE_TIME"),
        ContactField("anything new", "HOLOGRAM"),
    ]

    assert columns_of(fields) == {
        "contact_key": "text",
        "contactID": "text",
        "zip": "text",
        "attempts": "bigint",
        "Score": "decimal",
        "Opted In": "bool",
        "Last Modified": "timestamp",
        "anything new": "text",
    }
    assert list(columns_of(fields)) == list(columns_of(reversed(fields)))


def test_the_id_is_the_key_where_the_domain_gives_one() -> None:
    assert key_of({"contactID": "394", "number1": "6155550101"}) == "394"


def test_else_the_key_is_a_checksum_of_numbers_and_names() -> None:
    dana: Contact = {"number1": "6155550101", "number2": None, "first_name": "Dana", "city": "X"}

    assert key_of(dana) == key_of({**dana, "city": "Y", "number2": ""})
    assert key_of(dana) != key_of({**dana, "number1": None, "number2": "6155550101"})
    assert key_of(dana).startswith("h")


def test_a_domain_that_gives_no_id_is_read_by_checksum(five9: Five9) -> None:
    five9.sandbox.behavior.offers_id = False

    records = five9.read()

    assert len({record["contact_key"] for record in records}) == 150
    assert all(record["contact_key"].startswith("h") for record in records)


def test_what_the_domain_holds_comes_with_its_types(five9: Five9) -> None:
    records = {record["contactID"]: record for record in five9.read()}
    columns = five9.source().columns(MODEL)

    for contact in five9.sandbox.domain.contacts.values():
        record = records[contact.id]
        assert record["zip"] == contact.values["zip"]
        assert record["number1"] == (contact.values["number1"] or None)
        assert record["sys_created_date"].tzinfo is UTC
        assert isinstance(record["Birth Date"], date)
        assert isinstance(record["Best Time to Call"], time)
        assert isinstance(record["Deal Value"], Decimal)
    assert set(columns) == set(next(iter(records.values())))
