"""Arrow's fast path gives what ``fit`` gives, value by value."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.sync.common.values import DoesNotFit, fit
from ingestion.sync.load.columns.hashing import row_hashes, texts
from ingestion.sync.load.columns.typed import kept, typed
from ingestion.sync.load.columns.types import ARROW, DECLARED, WIDENS
from ingestion.sync.load.tables.sqlite import exact

NUMBERS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.floats().map(repr),
    st.from_regex(r"\A[ ]?[+-]?[0-9]{0,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{1,3})?[ ]?\Z"),
    st.sampled_from(["", " ", "0x10", "1_000", "٣", "-0", "-0.0", "000", "1e400", "NaN", "1,5"]),
)
MOMENTS = st.one_of(
    st.datetimes().map(lambda at: at.isoformat()),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat()),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}Z"),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=-8)))).map(lambda at: at.isoformat()),
    st.dates().map(str),
    st.sampled_from(
        ["2024-02-30", "2024-01-01T24:00:00", "2024-06-30T23:59:60Z", "", "20240101", "2024-W01-1"]
    ),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.one_of(st.text(), st.integers(), st.booleans(), NUMBERS, st.binary()),
    "bigint": st.one_of(st.integers(), NUMBERS, st.floats(), st.booleans(), st.decimals()),
    "double": st.one_of(st.floats(), st.integers(), NUMBERS, st.decimals()),
    "decimal": st.one_of(st.decimals(), st.integers(), st.floats(), NUMBERS),
    "bool": st.one_of(st.booleans(), st.sampled_from(["true", "No", "1", "maybe", "", 0, 2])),
    "timestamp": st.one_of(MOMENTS, st.datetimes(), st.datetimes(timezones=st.timezones())),
    "datetime": st.one_of(MOMENTS, st.datetimes(), st.datetimes(timezones=st.timezones())),
    "date": st.one_of(st.dates(), MOMENTS, st.datetimes()),
    "time": st.one_of(st.times(), st.times().map(str), st.sampled_from(["", "25:00", "8"])),
    "json": st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    "binary": st.one_of(st.binary(), st.text()),
}


def one_by_one(values: list[Any], data_type: str) -> tuple[list[Any], set[int]]:
    """What a column holds by ``fit``, and which of its values do not fit."""
    column: list[Any] = []
    misfits = set()
    for row, value in enumerate(values):
        try:
            column.append(kept(fit(value, data_type), data_type))
        except DoesNotFit:
            misfits.add(row)
            column.append(None)
    return column, misfits


@pytest.mark.parametrize("data_type", list(DECLARED))
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_both_paths_agree(data_type: str, data: st.DataObject) -> None:
    one_kind = st.one_of(*(st.lists(st.none() | s) for s in _branches(VALUES[data_type])))
    values = data.draw(one_kind)
    column, misfits = one_by_one(values, data_type)
    found = typed(values, data_type)
    assert set(found.misfits) == misfits
    assert found.array.equals(pa.array(column, ARROW[data_type]))


def _branches(strategy: st.SearchStrategy[Any]) -> list[st.SearchStrategy[Any]]:
    return [strategy, *getattr(strategy, "original_strategies", [])]


@given(st.lists(NUMBERS, min_size=1))
@example(["0.1", "12345678901234567.5", "-0", "9223372036854775808"])
def test_sqlite_gives_a_decimal_back_as_it_was(values: list[str]) -> None:
    for text in typed(values, "decimal").array.to_pylist():
        if text is not None:
            assert Decimal(str(exact(text))) == Decimal(text)


def hashed(**columns: tuple[str, Any]) -> str:
    arrays = {n: texts(typed([v], kind).array, kind) for n, (kind, v) in columns.items()}
    (found,) = row_hashes(arrays, {n: kind for n, (kind, _) in columns.items()}).to_pylist()
    return str(found)


def test_the_hash_of_a_row_is_what_it_was_when_it_was_designed() -> None:
    """Another value here makes every row of every warehouse look changed: raise the version."""
    assert (
        hashed(
            id=("bigint", 7),
            name=("text", "Kim"),
            amount=("decimal", "12400.050"),
            at=("timestamp", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
            born=("date", date(2000, 2, 29)),
            opens=("time", time(8, 15)),
            is_open=("bool", True),
            ratio=("double", 0.1),
            tags=("json", {"b": 1, "a": [None]}),
            raw=("binary", b"\x00\xff"),
        )
        == "1:38b720277af0cbad8789d32b3e7f3d08"
    )


def test_nulls_and_wider_types_change_no_hash() -> None:
    assert hashed(a=("text", "x"), b=("text", None)) == hashed(a=("text", "x"))
    for narrow, wide in WIDENS.items():
        assert hashed(a=(narrow, 5)) == hashed(a=(wide, 5))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": ("text", "x"), "b": ("text", "y")}, {"a": ("text", "x\x1fb=1:y")}),
        ({"a": ("text", "xy")}, {"b": ("text", "xy")}),
        ({"a": ("text", "")}, {"a": ("text", None), "b": ("text", "x")}),
        ({"a": ("text", "1")}, {"a": ("bigint", 1)}),
        ({"a": ("bool", True)}, {"a": ("bool", False)}),
    ],
)
def test_other_content_has_another_hash(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert hashed(**one) != hashed(**other)


def test_not_a_number_is_null() -> None:
    assert typed([1.5, math.nan, math.inf], "double").array.to_pylist() == [1.5, None, None]


def test_json_with_a_number_beyond_64_bits_has_the_same_form() -> None:
    value = {"b": [1, 2**64], "a": "ü"}
    (text,) = typed([value], "json").array.to_pylist()
    assert text == '{"a":"ü","b":[1,18446744073709551616]}'
