"""verify_warehouse proves equality by the values that a reader of the warehouse sees."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.services.verification import ModelReport, verify_model
from ingestion.sync.common.progress import SilentReporter
from tests.fake_crm import FAKE, NEW_YEAR, USERS, people, person
from tests.sync_world import World

# A value of each kind, some of which look otherwise once they are stored.
ODD: dict[str, Any] = {
    "amount": Decimal("12400.05"),
    "ratio": 0.1,
    "local_time": datetime(2026, 3, 1, 7, 30),  # noqa: DTZ001 - a time without a zone
    "moment": datetime(2026, 3, 1, 7, 30, 0, 5, tzinfo=UTC),
    "opens": time(8, 15),
    "born": NEW_YEAR.date(),
    "is_open": False,
    "tags": {"b": [1.0, 1e20, "x\x00"], "a": None},
    "nothing": None,
    "blank": "",
}


def verified(world: World) -> ModelReport:
    return verify_model(FAKE, USERS, world.source, world.warehouse, SilentReporter())


def change(world: World, statement: str) -> None:
    dataset = world.warehouse.dataset(FAKE.name)
    table = f"{dataset.schema}.users" if dataset.schema else "users"
    with dataset.engine.begin() as connection:
        connection.execute(sa.text(statement.format(users=table)))


@pytest.fixture
def loaded(world: World) -> World:
    world.source.records["users"] = [person(number, **ODD) for number in range(1, 6)]
    world.run(USERS)
    return world


def test_what_was_loaded_is_equal(loaded: World) -> None:
    report = verified(loaded)
    assert report.is_equal
    assert (report.source_rows, report.warehouse_rows) == (5, 5)


def test_rows_that_are_marked_as_deleted_do_not_count(loaded: World) -> None:
    loaded.source.records["users"].pop()
    loaded.run(USERS)
    report = verified(loaded)
    assert report.is_equal
    assert report.warehouse_rows == 4


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("DELETE FROM {users} WHERE id = 2", "missing"),
        ("UPDATE {users} SET id = 77 WHERE id = 2", "extra"),
        ("UPDATE {users} SET amount = 12400.06 WHERE id = 2", "different"),
        ("UPDATE {users} SET blank = NULL WHERE id = 2", "different"),
        ("UPDATE {users} SET opens = '08:16:00.000000' WHERE id = 2", "different"),
    ],
)
def test_a_difference_is_counted_and_its_key_named(
    loaded: World, statement: str, count: str
) -> None:
    change(loaded, statement)
    report = verified(loaded)
    assert not report.is_equal
    assert getattr(report, count) == 1
    assert report.examples[0].split()[0] == count


def test_a_row_that_stands_twice_is_found(loaded: World) -> None:
    dataset = loaded.warehouse.dataset(FAKE.name)
    index = f"{dataset.schema}.ux_users" if dataset.schema else "ux_users"
    change(loaded, f"DROP INDEX {index}")
    change(loaded, "UPDATE {users} SET id = 1 WHERE id = 2")
    report = verified(loaded)
    assert (report.duplicates, report.missing) == (1, 1)


def test_at_most_five_keys_are_named(loaded: World) -> None:
    loaded.source.records["users"] += people(40)[10:]
    report = verified(loaded)
    assert report.missing == 30
    assert len(report.examples) == 5


def test_a_column_of_another_type_is_told(loaded: World) -> None:
    loaded.source.declared = {"users": {"ratio": "text"}}
    assert verified(loaded).wrong_types == ["ratio is double instead of text"]


def test_a_table_that_was_never_loaded_misses_everything(world: World) -> None:
    world.source.records["users"] = people(3)
    report = verified(world)
    assert (report.missing, report.warehouse_rows) == (3, 0)
