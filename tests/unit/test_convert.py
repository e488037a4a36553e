"""How a value fits a column, and how a record becomes a row."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sync.common.convert import Converter, NoKey
from ingestion.sync.common.names import MISFITS, column_name
from ingestion.sync.common.source import Model
from ingestion.sync.common.values import DoesNotFit, canonical, fit, json_safe, type_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOCAL_NOON = NOON.replace(tzinfo=None)
CET = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "data_type", "expected"),
    [
        ("00123", "text", "00123"),
        (123, "text", "123"),
        (True, "text", "true"),
        (Decimal("1E+2"), "text", "100"),
        (UUID(int=1), "text", "00000000-0000-0000-0000-000000000001"),
        ({"a": 1}, "text", '{"a": 1}'),
        ("a\x00b", "text", "ab"),
        ("", "text", ""),
        ("12", "bigint", 12),
        (" -7 ", "bigint", -7),
        (3.0, "bigint", 3),
        (True, "bigint", 1),
        ("", "bigint", None),
        ("1.5", "double", 1.5),
        (Decimal("0.1"), "double", 0.1),
        (math.nan, "double", None),
        ("12400.05", "decimal", Decimal("12400.05")),
        (0.1, "decimal", Decimal("0.1")),
        (Decimal("NaN"), "decimal", None),
        (Decimal("1.23456789051"), "decimal", Decimal("1.23456789051")),
        ("99999999999999999999.5", "decimal", Decimal("99999999999999999999.5")),
        (2**53, "double", 9007199254740992.0),
        ("true", "bool", True),
        ("No", "bool", False),
        (0, "bool", False),
        (b"\x01", "bool", True),
        ("2026-03-01T12:00:00Z", "timestamp", NOON),
        (NOON.astimezone(CET), "timestamp", NOON),
        (LOCAL_NOON, "timestamp", NOON),
        ("2026-03-01", "timestamp", NOON.replace(hour=0)),
        (NOON.astimezone(CET), "datetime", LOCAL_NOON),
        (LOCAL_NOON, "datetime", LOCAL_NOON),
        ("2026-03-01", "date", date(2026, 3, 1)),
        ("2026-03-01T00:00:00", "date", date(2026, 3, 1)),
        ("08:15", "time", time(8, 15)),
        (timedelta(hours=8, minutes=15), "time", time(8, 15)),
        ('{"a": [1]}', "json", {"a": [1]}),
        ([NOON, Decimal("1.50")], "json", ["2026-03-01T12:00:00+00:00", "1.50"]),
        (b"\x00\xff", "binary", b"\x00\xff"),
    ],
)
def test_a_value_fits_its_column(value: Any, data_type: str, expected: Any) -> None:
    found = fit(value, data_type)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "data_type"),
    [
        ("abc", "bigint"),
        ("1.5", "bigint"),
        (2**63, "bigint"),
        (1.5, "bigint"),
        ("12,50", "decimal"),
        ("1e101", "decimal"),
        ("1e-101", "decimal"),
        (2**53 + 1, "double"),
        (Decimal("347174993599877797241.067"), "double"),
        ("maybe", "bool"),
        (2, "bool"),
        ("0000-00-00 00:00:00", "timestamp"),
        (1767900000000, "timestamp"),
        (NOON, "date"),
        (timedelta(hours=30), "time"),
        ("Infinity", "double"),
        ("NaN", "decimal"),
        ("1_000", "decimal"),
        ("1_000", "double"),
        ("1,000", "decimal"),
        (".", "decimal"),
        (time(8, tzinfo=UTC), "time"),
        ("5", "json"),
        ("not json", "json"),
        ("text", "binary"),
        (object(), "text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: Any, data_type: str) -> None:
    with pytest.raises(DoesNotFit):
        fit(value, data_type)


@pytest.mark.parametrize(
    ("value", "data_type"),
    [
        ("2026-03-01", "text"),
        (True, "bool"),
        (1, "bigint"),
        (1.0, "double"),
        (Decimal(1), "decimal"),
        (NOON, "timestamp"),
        (NOON.date(), "date"),
        (timedelta(1), "time"),
        ([], "json"),
        (b"", "binary"),
        (None, None),
    ],
)
def test_a_value_tells_the_type_of_a_new_column(value: Any, data_type: str | None) -> None:
    assert type_of(value) == data_type


@pytest.mark.parametrize(
    ("one", "other", "data_type"),
    [
        (Decimal("1.50"), Decimal("1.500000000"), "decimal"),
        (Decimal("0.00"), Decimal("-0"), "decimal"),
        (NOON, NOON.astimezone(CET), "timestamp"),
        (NOON, LOCAL_NOON, "timestamp"),
        ({"a": 1, "b": 2.0}, {"b": 2, "a": 1}, "json"),
        ([1e20], [100000000000000000000], "json"),
    ],
)
def test_equal_values_look_equal(one: Any, other: Any, data_type: str) -> None:
    assert canonical(one, data_type) == canonical(other, data_type)


texts = st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@given(json_values)
def test_what_is_json_safe_can_be_stored_as_utf_8(value: Any) -> None:
    stored = json.dumps(json_safe(value), ensure_ascii=False, allow_nan=False).encode()
    assert b"\\u0000" not in stored


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=9, min_value=-(10**28), max_value=10**28
    )
)
def test_decimals_of_nine_places_keep_every_digit(value: Decimal) -> None:
    assert fit(value, "decimal") == value


@given(st.dictionaries(st.text(min_size=1), st.integers() | st.text(), min_size=1))
def test_the_hash_does_not_depend_on_the_order_of_fields(fields: dict[str, Any]) -> None:
    record = {**fields, "id": 1}
    turned = dict(reversed(record.items()))
    declared = dict.fromkeys(record, "text")

    def hashed(one: dict[str, Any]) -> str:
        converter = Converter.build(Model("m"), existing={}, declared=declared)
        return converter.convert(one).row_hash

    assert hashed(record) == hashed(turned)


def build(*key: str, existing: dict[str, str] | None = None, **declared: str) -> Converter:
    model = Model("m", key=key or ("id",))
    return Converter.build(model, existing=existing or {}, declared=declared)


def test_nulls_do_not_count_for_the_hash() -> None:
    assert build().convert({"id": 1, "a": None}).row_hash == build().convert({"id": 1}).row_hash


def test_the_deletion_mark_does_not_count_for_the_hash() -> None:
    gone = build().convert({"id": 1, "a": 2, "_deleted_at": NOON})
    assert gone.row_hash == build().convert({"id": 1, "a": 2}).row_hash
    assert gone.deleted_at == NOON
    assert "_deleted_at" not in gone.values


def test_any_change_of_content_changes_the_hash() -> None:
    records = [
        {"id": 1, "a": "x", "b": "y"},
        {"id": 1, "a": "xy"},
        {"id": 1, "b": "xy"},
        {"id": 1, "a": "x", "b": ""},
        {"id": 2, "a": "x", "b": "y"},
    ]
    assert len({build().convert(record).row_hash for record in records}) == len(records)


def test_a_record_of_nothing_but_key_and_mark_says_only_that_it_is_gone() -> None:
    assert build().convert({"id": 1, "_deleted_at": NOON}).only_key
    assert not build().convert({"id": 1, "a": 2, "_deleted_at": NOON}).only_key


@pytest.mark.parametrize("record", [{}, {"id": None}, {"id": ""}, {"name": "x"}])
def test_a_record_without_its_key_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(NoKey):
        build(id="text").convert(record)


def test_a_key_of_several_columns_keeps_its_parts_apart() -> None:
    converter = build("a", "b")
    one = converter.convert({"a": "1", "b": "23"})
    other = converter.convert({"a": "12", "b": "3"})
    assert one.key != other.key


def test_field_names_become_column_names() -> None:
    row = build().convert({"id": 1, "Lead Status": "x", "firstName": "y"})
    assert row.values == {"id": 1, "lead_status": "x", "first_name": "y"}


def test_long_names_are_cut_and_stay_different() -> None:
    one, other = column_name("a" * 70 + "1"), column_name("a" * 70 + "2")
    assert len(one) == len(other) == 63
    assert one != other


def test_two_fields_of_one_column_get_two_columns() -> None:
    row = build().convert({"id": 1, "Lead Status": "x", "lead_status": "y"})
    assert row.values == {"id": 1, "lead_status": "x", "lead_status_2": "y"}


def test_a_value_that_does_not_fit_is_kept_aside() -> None:
    converter = build(age="bigint")
    row = converter.convert({"id": 1, "age": "thirty"})
    assert row.values == {"id": 1, MISFITS: {"age": {"reason": "not_a_number", "value": "thirty"}}}
    assert converter.misfits == {"age": 1}


def test_the_columns_of_the_table_stand_against_what_is_declared() -> None:
    converter = build(existing={"code": "bigint"}, code="text")
    assert converter.convert({"id": 1, "code": "7"}).values["code"] == 7
    assert converter.retyped == {"code": ("text", "bigint")}


def test_a_declared_timestamp_whose_values_have_no_zone_gets_none() -> None:
    converter = build(at="timestamp")
    assert converter.convert({"id": 1, "at": LOCAL_NOON}).values["at"] == LOCAL_NOON
    assert converter.types["at"] == "datetime"


def test_new_columns_are_told() -> None:
    converter = build(existing={"id": "bigint"})
    converter.convert({"id": 1, "nick": "Kim"})
    assert converter.new_columns["nick"] == "text"
    assert "id" not in converter.new_columns
