"""Which column a field is landed in, decided by its name alone and kept for ever."""

from __future__ import annotations

from typing import get_args

import pytest

from ingestion.sync.common.names import column_name, old_column_name, with_suffix
from ingestion.sync.common.run import Policy
from ingestion.sync.load.columns.column_map import RESERVED, Column, ColumnMap, Place

LONG = "a property whose name is longer than PostgreSQL's identifiers may ever be"


def empty(**more: object) -> ColumnMap:
    return ColumnMap.of([], most_columns=100, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("name", "name"),
        ("HubSpot_ContactID", "hub_spot_contact_id"),
        ("Lead Source", "lead_source"),
        ("lead___source", "lead_source"),
        ("Amount %", "amountx"),
        ("a+b-c*d@e|f", "axb_cxdaelf"),
        ("2nd phone", "_2nd_phone"),
        ("trailing_", "trailingx"),
        ("trailing__", "trailingxx"),
        ("姓名", "xing_ming"),
        ("Größe", "grosse"),
        (" ", "unnamed"),
        ("", "unnamed"),
        ("x" * 63, "x" * 63),
        ("x" * 64, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        (LONG, "a_property_whose_name_is_long"),
    ],
)
def test_the_plain_column_of_a_field(field: str, column: str) -> None:
    found = column_name(field)
    assert found == column if len(field) <= 63 else found.startswith(column[:28])
    assert len(found) <= 63


def test_long_names_keep_both_ends_and_are_told_apart() -> None:
    one, other = column_name("a" * 80 + "one"), column_name("a" * 80 + "two")
    assert (one[:28], one[-28:]) == ("a" * 28, "a" * 25 + "one")
    assert other[-28:] == "a" * 25 + "two"
    assert len(one) == len(other) == 63
    assert column_name("b" + "a" * 70 + "c" * 30) != column_name("b" + "a" * 71 + "c" * 30)


def test_a_suffix_is_made_from_the_name_of_the_field() -> None:
    assert with_suffix("lead_source", "lead___source") == "lead_source_26c68c"
    assert with_suffix("c" * 63, "lead___source") == "c" * 56 + "_26c68c"


def test_older_releases_named_without_other_scripts() -> None:
    assert old_column_name("姓名") == "x"
    assert old_column_name("Lead Source") == "lead_source"
    assert old_column_name("  ") == "unnamed"


def test_the_first_field_of_a_name_has_the_plain_column_and_keeps_it() -> None:
    found = empty()
    assert found.see("Lead Source", "text").name == "lead_source"
    assert found.see("lead_source", "bigint").name == with_suffix("lead_source", "lead_source")
    again = ColumnMap.of(found, most_columns=100)
    assert again.see("lead_source", "text") == found.columns["lead_source"]
    assert again.new == {}
    assert again.name_of("Lead Source") == "lead_source"


@pytest.mark.parametrize("name", sorted(RESERVED - {"_rowid_"}))
def test_no_field_is_landed_in_a_column_of_the_warehouse(name: str) -> None:
    assert empty().see(name, "text").name == with_suffix(name, name)
    assert empty().see("_rowid_", "text").name == "_rowidx"


def test_the_names_that_are_the_warehouses() -> None:
    assert {
        *("_row_hash", "_deleted_at", "_deleted_proof", "_synced_at", "_run_id", "_misfits"),
        *("_overflow", "_dlt_load_id", "_dlt_id", "ctid", "xmin", "xmax", "cmin", "cmax"),
        *("tableoid", "oid", "rowid", "_rowid_"),
    } == RESERVED


def test_no_field_is_landed_in_a_column_that_people_added() -> None:
    assert empty(foreign=["note"]).see("Note", "text").name == with_suffix("note", "Note")


def test_a_declared_type_is_kept_and_a_later_one_reported() -> None:
    found = empty()
    assert found.declare("n", "bigint") == Column("n", "n", "bigint", "column", declared=True)
    assert found.declare("n", "text").data_type == "bigint"
    assert found.retyped == {"n": ("text", "bigint")}
    found.declare("at", "timestamp")
    found.declare("at", "datetime")  # the same with another word for its zone
    assert set(found.retyped) == {"n"}


def test_a_column_that_was_seen_before_it_was_declared_is_declared_then() -> None:
    found = empty()
    assert not found.see("n", "bigint").declared
    assert found.declare("n", "bigint").declared
    assert found.columns["n"].declared
    assert found.retyped == {}
    again = ColumnMap.of(found, most_columns=100)
    again.declare("n", "bigint")
    assert again.new == {}


def test_what_widens_or_settles_is_kept_and_reported() -> None:
    found = empty()
    wide = found.widen(found.see("n", "bigint"), "decimal")
    assert (wide.data_type, found.columns["n"], found.new["n"]) == ("decimal", wide, wide)
    assert found.widened == {"n": ("bigint", "decimal")}
    settled = found.settle(found.see("at", "timestamp"), "datetime")
    assert (settled.data_type, found.columns["at"]) == ("datetime", settled)
    assert set(found.widened) == {"n"}


def test_fields_beyond_what_the_table_takes_overflow() -> None:
    found = ColumnMap.of([Column("a", "a", "text")], most_columns=2)
    assert found.see("b", "text").place == "column"
    assert found.see("c", "text").place == "overflow"
    assert found.see("d", "text").place == "overflow"
    assert set(found.in_table) == {"a", "b"}
    again = ColumnMap.of(found, most_columns=3)
    assert again.see("e", "text").place == "column"
    assert again.see("f", "text").place == "overflow"


EARLIER = [
    Column("lead_source", "lead_source", "text", "earlier"),
    Column("lead_source_2", "lead_source_2", "bigint", "earlier"),
    Column("gone", "gone", "text", "earlier"),
]


def test_the_columns_of_an_earlier_release_are_claimed_in_the_order_of_the_fields() -> None:
    found = ColumnMap.of(EARLIER, most_columns=3, is_adopted=True)
    assert found.see("Lead Source", "text") == Column("Lead Source", "lead_source", "text")
    second = found.declare("lead_source", "text")
    assert second == Column("lead_source", "lead_source_2", "bigint", "column", declared=True)
    assert set(found.in_table) == {"lead_source", "lead_source_2", "gone"}
    assert found.see("lead__source", "text") == Column(
        "lead__source", with_suffix("lead_source", "lead__source"), "text", "overflow"
    )


def test_a_numbered_column_is_claimed_only_while_the_map_is_made() -> None:
    found = ColumnMap.of(EARLIER, most_columns=100)
    assert found.see("Lead Source", "text").name == "lead_source"
    assert found.see("lead_source", "text").name == with_suffix("lead_source", "lead_source")


def test_numbered_columns_up_to_the_ninth_are_claimed() -> None:
    numbered = [Column(f"n_{number}", f"n_{number}", "text", "earlier") for number in (9, 10)]
    found = ColumnMap.of(numbered, most_columns=100, is_adopted=True)
    found.see("n", "text")
    assert {c.name for c in found if c.place == "column"} == {"n_9"}


def test_an_earlier_column_that_nobody_claims_counts_as_taken() -> None:
    found = ColumnMap.of(EARLIER[2:], most_columns=1)
    assert found.see("x", "text").place == "overflow"
    again = ColumnMap.of(EARLIER[2:], most_columns=1)
    assert again.see("Gone", "text") == Column("Gone", "gone", "text")
    assert again.see("x", "text").place == "overflow"


def test_what_the_table_has_or_is_to_get() -> None:
    every = [Column(place, place, "text", place) for place in get_args(Place)]
    found = ColumnMap.of(every, most_columns=4)
    assert set(found.in_table) == {"column", "earlier", "accepted"}
    assert [found.see(name, "text").place for name in ("next", "after")] == ["column", "overflow"]


@pytest.mark.parametrize(
    ("policy", "place"), [("evolve", "column"), ("ask", "proposed"), ("freeze", "ignored")]
)
def test_where_the_policy_puts_a_new_field(policy: Policy, place: Place) -> None:
    found = empty()
    found.policy = policy
    assert found.see("a", "text").place == place
    assert ("a" in found.new) == (place != "ignored")
