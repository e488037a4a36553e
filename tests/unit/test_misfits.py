"""Why a value does not fit its column, in one word of a closed set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import pytest

from ingestion.sync.common.misfits import Reason, misfit, misfit_values
from ingestion.sync.common.values import DoesNotFit, fit

CASES: list[tuple[Any, str, Reason]] = [
    ("9" * 101, "decimal", "too_long"),
    ("1e999999", "decimal", "too_long"),
    ("twelve", "decimal", "not_a_number"),
    ("1_000", "decimal", "not_a_number"),
    ("Infinity", "double", "not_a_number"),
    (b"12", "decimal", "not_a_number"),
    (2**63, "bigint", "out_of_range"),
    ("-9223372036854775809", "bigint", "out_of_range"),
    (30.5, "bigint", "not_whole"),
    ("30.5", "bigint", "not_whole"),
    (Decimal("1e50"), "bigint", "out_of_range"),
    ("thirty", "bigint", "not_a_number"),
    ({"a": 1}, "bigint", "not_a_number"),
    (2**53 + 1, "double", "not_exact"),
    (10**400, "double", "out_of_range"),
    ("1e400", "double", "out_of_range"),
    (Decimal("-1e400"), "double", "out_of_range"),
    ("maybe", "bool", "not_a_bool"),
    (2, "bool", "not_a_bool"),
    ("31.12.2026", "date", "not_a_date"),
    (20261231, "date", "not_a_date"),
    ("2026-12-31T10:00:00", "date", "has_a_time"),
    (datetime(2026, 12, 31, 10, tzinfo=UTC), "date", "has_a_time"),
    ("20223-01-01", "timestamp", "out_of_range"),
    ("9999-12-31T23:59:59.999-08:00", "timestamp", "out_of_range"),
    ("yesterday", "timestamp", "not_a_time"),
    ("yesterday", "datetime", "not_a_time"),
    (timedelta(hours=25), "time", "out_of_range"),
    ("25 past", "time", "not_a_time"),
    ("{", "json", "not_json"),
    (12, "json", "not_json"),
    (b"\xff", "text", "not_text"),
    ("text", "binary", "not_binary"),
]


@pytest.mark.parametrize(("value", "data_type", "reason"), CASES)
def test_a_value_that_does_not_fit_says_why(value: Any, data_type: str, reason: Reason) -> None:
    with pytest.raises(DoesNotFit) as caught:
        fit(value, data_type)
    assert caught.value.reason == reason


def test_every_reason_of_the_set_occurs() -> None:
    assert {reason for _, _, reason in CASES} == set(get_args(Reason))


def test_entries_of_older_releases_have_no_reason_and_are_read_alike() -> None:
    kept = {
        "age": misfit("thirty", "not_a_number"),
        "born": "31.12.2026",
        "data": {"reason": "of the CRM's own"},
        "more": {"value": 1, "reason": "x", "third": 2},
    }
    assert misfit_values(kept) == {
        "age": "thirty",
        "born": "31.12.2026",
        "data": {"reason": "of the CRM's own"},
        "more": {"value": 1, "reason": "x", "third": 2},
    }
