"""HubSpot accounts and warehouses out of the ordinary, loaded by the command into both warehouses.

Each stands for a bug that users of other connectors have reported.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.command_world import CommandWorld, aside, counts_of
from tests.fake_hubspot import HubspotAccount

pytestmark = pytest.mark.django_db(transaction=True)

NEW_YEAR = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def account(httpserver: HTTPServer) -> HubspotAccount:
    return HubspotAccount(httpserver)


@pytest.fixture
def world(account: HubspotAccount, warehouse_settings: Any) -> CommandWorld:
    made = CommandWorld("hubspot", warehouse_settings)
    made.configure(account.environment)
    return made


def test_a_property_named_like_an_older_one_leaves_its_column_alone(
    account: HubspotAccount, world: CommandWorld
) -> None:
    """PostHog/posthog#30962: HubSpot makes lead___source of the label "Lead & Source"."""
    account.properties["lead_source"] = "string"
    account.put(1, "2025-06-01T00:00:00.000Z", lead_source="Google")
    account.put(2, "2026-01-01T00:00:01.000Z", lead_source="Bing")
    world.sync("contacts")
    account.properties = {"lead___source": "string", **account.properties}
    account.put(2, "2026-02-01T00:00:00.000Z", lead_source="Bing", lead___source="SCORE-7")
    assert counts_of(world.sync("contacts"))["updated"] == 1
    found = {
        key: (row["lead_source"], row["lead_source_26c68c"])
        for key, row in world.rows("contacts").items()
    }
    assert found == {"1": ("Google", None), "2": ("Bing", "SCORE-7")}


@pytest.mark.parametrize("count", [700, 2_100])
def test_accounts_of_very_many_properties_load_whole(
    account: HubspotAccount, world: CommandWorld, count: int
) -> None:
    """singer-io/tap-hubspot#119: PostgreSQL takes 1 600 columns, SQLite 2 000."""
    names = [f"custom_property_with_a_long_name_{n:05d}" for n in range(count)]
    account.properties |= dict.fromkeys(names, "string")
    for number in (1, 2, 3):
        account.put(number, NEW_YEAR, **{name: f"v{number}-{name[-5:]}" for name in names})
    assert counts_of(world.sync("contacts")) == {"processed": 3, "created": 3}
    for key, row in world.rows("contacts").items():
        values = {**row, **(row.get("_overflow") or {})}
        assert {name: values[name] or row["_overflow"][name] for name in names} == {
            name: f"v{key}-{name[-5:]}" for name in names
        }
    assert counts_of(world.sync("contacts", full=True)) == {"processed": 3}


def test_a_contact_that_fills_a_page_of_the_database_does_not_stop_the_others(
    account: HubspotAccount, world: CommandWorld
) -> None:
    """singer-io/tap-hubspot#262: 460 filled texts of 26 characters."""
    names = [f"p{n:04d}" for n in range(900)]
    account.properties |= dict.fromkeys(names, "string")
    for number in (1, 2, 3):
        account.put(number, NEW_YEAR, p0001="x")
    filled = {name: f"value {name[1:]} of this contact" for name in names[:460]}
    account.put(4, NEW_YEAR, **filled)
    assert counts_of(world.sync("contacts")) == {"processed": 4, "created": 4}
    row = world.rows("contacts")["4"]
    values = {**(row.get("_overflow") or {}), **{n: v for n, v in row.items() if v is not None}}
    assert {name: values[name] for name in filled} == filled


@pytest.fixture
def five_contacts(account: HubspotAccount, world: CommandWorld) -> HubspotAccount:
    account.properties["name"] = "string"
    for number in range(1, 6):
        account.put(number, f"2026-01-0{number}T00:00:00.000Z", name=f"n{number}")
    world.sync("contacts")
    return account


def names_of(world: CommandWorld) -> dict[str, str]:
    return {key: row["name"] for key, row in world.rows("contacts").items()}


FIVE = {str(number): f"n{number}" for number in range(1, 6)}


@pytest.mark.parametrize("options", [{}, {"full": True}, {"full": True, "force": True}])
def test_a_table_that_people_dropped_comes_back_whole(
    five_contacts: HubspotAccount, world: CommandWorld, options: dict[str, bool]
) -> None:
    """dlt-hub/dlt#765: the sync said "load it with --full", and --full said the same, for ever."""
    world.execute("DROP TABLE contacts")
    assert counts_of(world.sync("contacts", **options))["created"] == 5
    assert names_of(world) == FIVE
    assert counts_of(world.sync("contacts", full=True)) == {"processed": 5}


def test_a_schema_that_people_dropped_comes_back_whole(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    if world.is_sqlite:
        world.execute("DROP TABLE contacts", "DROP TABLE _columns", "DROP TABLE _rejected")
    else:
        world.drop_schema()
    assert counts_of(world.sync("contacts"))["created"] == 5
    assert names_of(world) == FIVE


def test_a_column_that_people_added_keeps_its_values(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    world.execute(
        "ALTER TABLE contacts ADD COLUMN my_note TEXT",
        "UPDATE contacts SET my_note = 'call back' WHERE id IN ('1', '5')",
    )
    five_contacts.put(5, "2026-01-06T00:00:00.000Z", name="n5c")
    world.sync("contacts")
    rows = world.rows("contacts")
    assert (rows["1"]["name"], rows["1"]["my_note"]) == ("n1", "call back")
    assert (rows["5"]["name"], rows["5"]["my_note"]) == ("n5c", "call back")


def test_a_new_property_comes_into_a_table_that_a_view_stands_on(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    world.execute("CREATE VIEW seen AS SELECT id, name FROM contacts")
    five_contacts.properties["extra"] = "number"
    five_contacts.put(4, "2026-01-07T00:00:00.000Z", name="n4b", extra="5")
    world.sync("contacts")
    assert world.rows("seen")["4"]["name"] == "n4b"
    assert world.rows("contacts")["4"]["extra"] == Decimal(5)


def test_a_column_that_people_dropped_is_filled_in_every_row(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    world.execute("ALTER TABLE contacts DROP COLUMN name")
    five_contacts.put(3, "2026-01-08T00:00:00.000Z", name="n3b")
    world.sync("contacts")
    assert names_of(world) == {**FIVE, "3": "n3b"}


def test_rows_that_people_deleted_come_back_with_a_full_run(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    world.execute("DELETE FROM contacts WHERE id = '2'")
    world.sync("contacts", full=True)
    assert names_of(world) == FIVE


def test_a_column_that_people_made_a_text_goes_on_as_one(
    five_contacts: HubspotAccount, world: CommandWorld
) -> None:
    if world.is_sqlite:
        pytest.skip("SQLite's columns take any value")
    five_contacts.properties["extra"] = "number"
    five_contacts.put(4, "2026-01-07T00:00:00.000Z", name="n4b", extra="5")
    world.sync("contacts")
    world.execute(
        "ALTER TABLE contacts MODIFY extra TEXT"
        if world.is_mariadb
        else "ALTER TABLE contacts ALTER COLUMN extra TYPE text USING extra::text"
    )
    five_contacts.put(4, "2026-01-09T00:00:00.000Z", name="n4c", extra="7")
    world.sync("contacts")
    row = world.rows("contacts")["4"]
    assert (row["name"], row["extra"]) == ("n4c", "7")


def test_numbers_of_very_many_digits_keep_them(
    account: HubspotAccount, world: CommandWorld
) -> None:
    """Number properties hold ids of other systems, such as those of leads from Facebook."""
    account.properties |= {"facebook_lead_id": "number", "amount": "number"}
    ids = ["23848123456780123", "9007199254740993", "17841400008460056"]
    for number, told in enumerate(ids, 1):
        account.put(number, NEW_YEAR, facebook_lead_id=told, amount="1234567890123456.78")
    world.sync("contacts")
    rows = world.rows("contacts")
    assert [rows[key]["facebook_lead_id"] for key in "123"] == [Decimal(told) for told in ids]
    assert {row["amount"] for row in rows.values()} == {Decimal("1234567890123456.78")}
    assert counts_of(world.sync("contacts", full=True)) == {"processed": 3}


# What a property's text becomes in its column; a text alone: it stands in ``_misfits`` as it is.
NUMBERS = {
    "23848123456780123": Decimal("23848123456780123"),
    "12345678901234.56": Decimal("12345678901234.56"),
    "99999999999999999999.99": Decimal("99999999999999999999.99"),
    "1e30": Decimal("1e30"),
    "0.1234567891234": Decimal("0.1234567891234"),
    "-0": Decimal(0),
    "": None,
    "0.1": Decimal("0.1"),
    "100000000000000000000000000000": Decimal("1e29"),
}
DATES = {
    "1699-02-28": date(1699, 2, 28),
    "0001-01-01": date(1, 1, 1),
    "9999-12-31": date(9999, 12, 31),
    "1706659200000": date(2024, 1, 31),
    "2024-01-01T00:00:00Z": date(2024, 1, 1),
    "": None,
}
MOMENTS = {
    "1969-12-31T23:59:59.999Z": "1969-12-31 23:59:59.999000",
    "2024-11-03T01:30:00-0500": "2024-11-03 06:30:00",
    "2024-11-03T01:30:00 -0500": "2024-11-03 06:30:00",
    "2021-02-10 21:38:58": "2021-02-10 21:38:58",
    "1706659200000": "2024-01-31 00:00:00",
    "2024-01-01": "2024-01-01 00:00:00",
    "": None,
}
BOOLS = {"true": True, "false": False, "TRUE": True, "Yes": True, "1": True, "": None}
TEXTS = {
    "a\x00b": "ab",
    **{
        text: text
        for text in (
            *("\uf028 555-1234", "\uf0260.5", "\uf0272024-01-01T00:00:00", "\uf028", "\uf02bQUJD"),
            *("😀 é ÿ 姓名", "\\N", "a\\", "it's \"q\" 'x'", "a\r\nb\tc", "\u2028\u2029\x85\x0b"),
            *("", " ", "NULL", "E'\\x41'", "007", "x" * 300_000, "\ufeffbom", "\ufffe\uffff"),
            *("%s %(x)s :y ? {z} $1", "--; DROP TABLE contacts;", "\x1f\x1e", "\\x41", "\x1b"),
        )
    },
}
VALUES: dict[str, tuple[str, dict[str, Any]]] = {
    "n": ("number", NUMBERS),
    "d": ("date", DATES),
    "dt": ("datetime", MOMENTS),
    "b": ("bool", BOOLS),
    "t": ("string", TEXTS),
}
MISFITS = {
    "n": ["1,234.5", "N/A", "Infinity", "NaN", "1_000"],
    "d": ["20223-01-01", "0000-00-00", "2024-01-01T05:00:00Z"],
    "dt": ["0001-01-01T00:00:00+05:30", "9999-12-31T23:59:59.999-08:00", "2024-06-30T23:59:60Z"],
    "b": ["maybe"],
}


def test_every_odd_value_is_kept_as_what_it_is(
    account: HubspotAccount, world: CommandWorld
) -> None:
    """airbyte#12972, airbyte#23864, mautic#8569."""
    account.properties |= {name: kind for name, (kind, _) in VALUES.items()}
    fitting = [(n, text, found) for n, (_, told) in VALUES.items() for text, found in told.items()]
    misfitting = [(name, text, None) for name, texts in MISFITS.items() for text in texts]
    for number, (name, text, _) in enumerate(fitting + misfitting):
        account.put(number, NEW_YEAR, **{name: text})
    world.sync("contacts")
    rows = world.rows("contacts")
    for number, (name, text, expected) in enumerate(fitting):
        row = rows[str(number)]
        assert (text, row[name], row.get("_misfits")) == (text, expected, None)
    for number, (name, text, _) in enumerate(misfitting, len(fitting)):
        row = rows[str(number)]
        assert (text, row[name], aside(row, name)) == (text, None, text)
    assert counts_of(world.sync("contacts", full=True)) == {"processed": len(rows)}


def test_an_object_without_an_id_does_not_stop_the_others(
    account: HubspotAccount, world: CommandWorld
) -> None:
    """Neither in a list of all nor at the end of a page of changes."""
    account.properties |= {f"more_{number:03d}": "string" for number in range(400)}
    for number in (1, 2, 3):
        account.put(number, NEW_YEAR)
    account.contacts[2]["id"] = None
    report = world.sync("contacts")
    assert (report.status, sorted(world.rows("contacts"))) == ("partial", ["1", "3"])
    account.put(4, "2026-02-01T00:00:00.000Z")
    account.put(5, "2026-02-01T00:00:00.000Z")
    account.contacts[5]["id"] = None
    report = world.sync("contacts")
    assert (report.status, sorted(world.rows("contacts"))) == ("partial", ["1", "3", "4"])
