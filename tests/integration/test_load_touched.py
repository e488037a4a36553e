"""What else people do to the warehouse: the next run mends it, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import LEADS, USERS, FakeSource, people, person
from tests.sync_world import World, counts


@pytest.fixture
def postgres(postgres_database: Callable[[], str], tmp_path: Path) -> Iterator[World]:
    url = postgres_database()
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


@pytest.mark.parametrize("name", ["_columns", "_watermarks", "_rejected"])
def test_a_table_of_the_load_that_was_dropped_comes_back(world: World, name: str) -> None:
    world.source.records["leads"] = [
        {**row, "Amount %": row["id"], "Amount $": 100 * row["id"]} for row in people(4)
    ]
    world.run(LEADS)
    before = sorted(world.rows(LEADS), key=lambda row: row["id"])
    world.execute(f"DROP TABLE {world.table(name)}")
    world.source.records["leads"][3]["name"] = "New"
    result = world.run(LEADS)
    assert counts(result) == (4 if name == "_watermarks" else 2, 0, 1, 0)
    after = sorted(world.rows(LEADS), key=lambda row: row["id"])
    assert [set(row) for row in after] == [set(row) for row in before]
    assert after[:3] == before[:3]
    assert after[3]["name"] == "New"
    assert world.query(f"SELECT count(*) FROM {world.table(name)}")
    assert counts(world.run(LEADS, mode="full")) == (4, 0, 0, 0)


@pytest.mark.parametrize("name", ["_row_hash", "_deleted_at", "_synced_at", "_run_id"])
def test_a_fact_of_the_load_that_was_dropped_comes_back(world: World, name: str) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    world.source.records["users"].pop()
    world.run(USERS)
    world.execute(f"ALTER TABLE {world.table('users')} DROP COLUMN {name}")
    world.run(USERS, mode="full", force=True)
    assert world.ids(USERS) == [1, 2]
    assert all(row[name] for row in world.rows(USERS) if name != "_deleted_at")
    assert counts(world.run(USERS, mode="full")) == (2, 0, 0, 0)


@pytest.mark.parametrize("deletions", ["full_run", "never"])
def test_a_key_that_was_dropped_doubles_no_row(world: World, deletions: str) -> None:
    model = replace(USERS, deletions=deletions)
    world.source.records["users"] = people(3)
    world.run(model)
    if world.warehouse.is_sqlite:
        world.execute("DROP INDEX ux_users")
    world.execute(f"ALTER TABLE {world.table('users')} DROP COLUMN id")
    world.run(model)
    assert world.ids(USERS) == [1, 2, 3]
    assert len(world.rows(USERS, deleted=None)) == 3
    assert counts(world.run(model, mode="full")) == (3, 0, 0, 0)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("column", "kind", "value", "stored"),
    [
        ("name", "varchar(5)", "longer than five", "longer than five"),
        ("name", "char(20)", "Ann", "Ann"),
        ("amount", "numeric(10,2)", "12.345", Decimal("12.345")),
        ("amount", "integer", "12.345", None),
        ("big", "integer", 5_000_000_000, 5_000_000_000),
        ("big", "smallint", 70_000, 70_000),
        ("ratio", "real", 0.1234567890123, 0.1234567890123),
        ("code", "uuid", "not a uuid", "not a uuid"),
    ],
)
def test_a_column_that_people_made_narrower(
    postgres: World, column: str, kind: str, value: object, stored: object
) -> None:
    code = "00000000-0000-0000-0000-000000000001"
    first = person(1, amount="7", big=5, ratio=0.5, code=code, name="Ann")
    postgres.source.records["users"] = [first]
    postgres.run(USERS)
    postgres.execute(f"ALTER TABLE fake.users ALTER {column} TYPE {kind} USING {column}::{kind}")
    postgres.source.records["users"] = [{**first, column: value}, person(2, **{column: value})]
    result = postgres.run(USERS, mode="full")
    found = {row["id"]: row for row in postgres.rows(USERS)}
    if stored is None:
        assert found[1]["_misfits"][column]["value"] == value
    assert [found[number][column] for number in (1, 2)] == [stored, stored]
    assert any(column in change for change in result.schema_changes)
    assert counts(postgres.run(USERS, mode="full")) == (2, 0, 0, 0)


def test_a_column_of_their_own_that_must_have_a_value_is_named(world: World) -> None:
    if world.is_of_duckdb:
        pytest.skip("DuckDB adds no column that must have a value")
    world.source.records["users"] = people(1)
    world.run(USERS)
    world.execute(f"ALTER TABLE {world.table('users')} ADD COLUMN note text NOT NULL DEFAULT 'x'")
    world.source.records["users"] = people(2)
    assert counts(world.run(USERS)) == (2, 1, 0, 0)
    assert {row["note"] for row in world.rows(USERS)} == {"x"}


def test_a_value_that_people_emptied_or_moved_to_another_key_comes_right(world: World) -> None:
    world.source.records["leads"] = [person(n, tags=["a", {"b": n}]) for n in range(1, 5)]
    world.run(LEADS)
    table = world.table("leads")
    world.execute(f"UPDATE {table} SET name = NULL WHERE id = 1")
    world.execute(f"UPDATE {table} SET tags = NULL WHERE id = 2")
    world.execute(f"UPDATE {table} SET id = 99 WHERE id = 3")
    assert counts(world.run(LEADS, mode="full")) == (4, 1, 2, 1)
    rows = {row["id"]: row for row in world.rows(LEADS)}
    assert {n: (rows[n]["name"], rows[n]["tags"]) for n in rows} == {
        n: (f"Person {n}", ["a", {"b": n}]) for n in range(1, 5)
    }
    assert counts(world.run(LEADS, mode="full")) == (4, 0, 0, 0)
