"""No digit of a number is changed, on any warehouse; and accounts wider than the warehouse
load."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ingestion.sync.common.source import Model
from tests.sync_world import World, counts

NUMBERS = Model("users", columns={"id": "bigint", "n": "decimal"})
WIDE = Model("users", columns={"id": "bigint"})


def number_of(world: World, row: dict[str, Any]) -> Any:
    """DuckDB's decimals have 28 digits before the point and 10 behind it; others stand aside."""
    if world.is_of_duckdb and row["n"] is None:
        assert row["_misfits"]["n"]["reason"] == "too_long"
        return Decimal(row["_misfits"]["n"]["value"])
    return row["n"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("23848123456780123", "integer"),
        ("9007199254740993", "integer"),
        ("-0", "integer"),
        ("9223372036854775808", "text"),
        ("12345678901234.56", "real"),
        ("1234567890123456.78", "text"),
        ("0.1234567890123456789", "text"),
        ("1234567890.12345678901234567890", "text"),
        ("99999999999999999999.99", "text"),
        ("0.1", "real"),
        ("1e30", "text"),
    ],
)
def test_a_number_keeps_every_digit(world: World, told: str, kind: str) -> None:
    world.source.records["users"] = [{"id": 1, "n": told}, {"id": 2, "n": Decimal(told)}]
    world.run(NUMBERS)
    assert [number_of(world, row) for row in world.rows(NUMBERS)] == [Decimal(told)] * 2
    if world.warehouse.is_sqlite:
        kinds = world.query("SELECT DISTINCT typeof(n) FROM users")
        assert kinds == [(kind,)]
    assert counts(world.run(NUMBERS)) == (2, 0, 0, 0)


def test_numbers_that_stand_as_texts_are_found_changed(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "n": "1234567890123456.78"}]
    world.run(NUMBERS)
    world.source.records["users"] = [{"id": 1, "n": "1234567890123456.79"}]
    assert counts(world.run(NUMBERS)) == (1, 0, 1, 0)
    assert world.rows(NUMBERS)[0]["n"] == Decimal("1234567890123456.79")


def test_private_use_characters_survive(world: World) -> None:
    texts = ["\uf028 555-1234", "\uf0260.5", "\uf0272024-01-01T00:00:00", "\uf02bQUJD"]
    world.source.records["users"] = [{"id": n, "t": text} for n, text in enumerate(texts)]
    world.run(WIDE)
    assert [row["t"] for row in world.rows(WIDE)] == texts


def wide(number: int, count: int, **more: Any) -> dict[str, Any]:
    return {"id": number, **{f"p{n:04d}": f"value {n:04d} of this contact" for n in range(count)}}


def test_a_record_wider_than_a_page_loads(world: World) -> None:
    """PostgreSQL's page takes some 450 values of this length."""
    world.source.records["users"] = [wide(1, 3), wide(2, 460), wide(3, 900)]
    assert counts(world.run(WIDE)) == (3, 3, 0, 0)
    for row in world.rows(WIDE):
        count = {1: 3, 2: 460, 3: 900}[row["id"]]
        values = {n: v for n, v in row.items() if n.startswith("p") and v is not None}
        assert {**values, **(row.get("_overflow") or {})} == {
            f"p{n:04d}": f"value {n:04d} of this contact" for n in range(count)
        }
    assert counts(world.run(WIDE)) == (3, 0, 0, 0)


def test_an_account_of_more_fields_than_columns_loads(world: World) -> None:
    world.source.records["users"] = [
        {"id": 1, **{f"field {n}": "x" for n in range(2_100)}},
        {"id": 2, "field 2099": "last"},
    ]
    result = world.run(WIDE)
    assert counts(result) == (2, 2, 0, 0)
    told = "what does not fit into the columns of the warehouse stands in _overflow"
    assert told in result.schema_changes
    rows = {row["id"]: row for row in world.rows(WIDE)}
    assert rows[1]["_overflow"]["field_2099"] == "x"
    assert rows[2]["_overflow"] == {"field_2099": "last"}
    world.source.records["users"][1]["field 2099"] = "changed"
    assert counts(world.run(WIDE)) == (2, 0, 1, 0)
    assert counts(world.run(WIDE)) == (2, 0, 0, 0)
