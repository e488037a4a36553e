"""The text of a row and the hash of it: what stands in warehouses must be met again for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime
from hashlib import blake2b

import pyarrow as pa
import pytest

from ingestion.sync.load.columns.hashing import row_hashes, texts

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


def hashed(text: str) -> str:
    return f"1:{blake2b(text.encode(), digest_size=16).hexdigest()}"


def test_a_hash_of_this_version_stays_what_it_is() -> None:
    assert hashed("a=1\x1f") == "1:bfbaf58a88e5de05829811cc4d03a379"
    found = row_hashes({"a": pa.array(["1"])}, {"a": "bigint"})
    assert found.to_pylist() == ["1:bfbaf58a88e5de05829811cc4d03a379"]


def test_a_row_is_its_columns_in_the_order_of_their_names() -> None:
    columns = {
        "n": pa.array(["7", None]),
        "b": pa.array(['{"x":1}', "[]"]),
        "a": pa.array(["é=1", ""]),
    }
    types = {"n": "decimal", "b": "json", "a": "text"}
    assert row_hashes(columns, types).to_pylist() == [
        hashed('a=4:é=1\x1fb=7:{"x":1}\x1fn=7\x1f'),  # lengths are those of UTF-8
        hashed("a=0:\x1fb=2:[]\x1f"),
    ]


def test_no_text_looks_like_two_columns() -> None:
    types = {"a": "text", "b": "text"}
    one = row_hashes({"a": pa.array(["x\x1fb=1:y"]), "b": pa.array([None], pa.string())}, types)
    other = row_hashes({"a": pa.array(["x"]), "b": pa.array(["y"])}, types)
    assert one != other


@pytest.mark.parametrize(
    ("array", "data_type", "expected"),
    [
        (pa.array([2**62, None]), "bigint", ["4611686018427387904", None]),
        (pa.array(["12.50"]), "decimal", ["12.50"]),
        (pa.array([0.1, 1e300, 1.0]), "double", ["0.1", "1e+300", "1"]),
        (pa.array([True, False]), "bool", ["true", "false"]),
        (
            pa.array([MOMENT], pa.timestamp("us", "UTC")),
            "timestamp",
            ["2026-03-01 12:30:15.123456"],
        ),
        (
            pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")),
            "datetime",
            ["2026-03-01 12:30:15.123456"],
        ),
        (pa.array([date(2026, 1, 2)]), "date", ["2026-01-02"]),
        (pa.array([b"\x00\xff", None]), "binary", ["\\x00ff", None]),
        (pa.array(["as it is", None]), "text", ["as it is", None]),
    ],
)
def test_values_as_texts(array: pa.Array, data_type: str, expected: list[str | None]) -> None:
    assert texts(array, data_type).to_pylist() == expected
