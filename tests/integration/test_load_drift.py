"""People touch the warehouse: what the next run finds changed, it mends and tells, on SQLite and
PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import LEADS, NEW_YEAR, USERS, FakeSource, people, person
from tests.sync_world import World, counts

PLAIN = Model("users")


def test_a_dropped_table_comes_back_whole_with_the_next_delta(world: World) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.execute(f"DROP TABLE {world.table('leads')}")
    result = world.run(LEADS)
    assert counts(result) == (5, 5, 0, 0)
    assert result.schema_changes[0].startswith("the table was dropped; it is there again")
    assert world.ids(LEADS) == [1, 2, 3, 4, 5]
    assert counts(world.run(LEADS, mode="full")) == (5, 0, 0, 0)


def test_a_dropped_column_comes_back_filled_with_the_next_delta(world: World) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.execute(f"ALTER TABLE {world.table('leads')} DROP COLUMN name")
    result = world.run(LEADS)
    assert counts(result) == (5, 0, 5, 0)
    assert result.schema_changes == ["column name was dropped; it is there again, and filled"]
    assert {row["name"] for row in world.rows(LEADS)} == {f"Person {n}" for n in range(1, 6)}
    assert world.run(LEADS).schema_changes == []


def test_a_dropped_column_is_filled_though_the_run_that_made_it_again_was_cut(
    world: World,
) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.execute(f"ALTER TABLE {world.table('leads')} DROP COLUMN name")
    world.run(LEADS, max_records=1)
    world.run(LEADS)
    assert {row["name"] for row in world.rows(LEADS)} == {f"Person {n}" for n in range(1, 6)}


def test_a_column_that_people_added_keeps_its_values(world: World) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    world.execute(f"ALTER TABLE {world.table('users')} ADD COLUMN note text")
    world.execute(f"UPDATE {world.table('users')} SET note = 'call back'")
    world.source.records["users"][0]["name"] = "New"
    assert counts(world.run(USERS)) == (2, 0, 1, 0)
    assert counts(world.run(USERS, force=True)) == (2, 0, 2, 0)
    assert [row["note"] for row in world.rows(USERS)] == ["call back", "call back"]


def test_rows_that_people_deleted_or_changed_come_right_with_a_full_run(world: World) -> None:
    world.source.records["leads"] = people(4)
    world.run(LEADS)
    world.execute(f"DELETE FROM {world.table('leads')} WHERE id = 1")
    world.execute(f"UPDATE {world.table('leads')} SET name = 'spoiled' WHERE id = 2")
    assert counts(world.run(LEADS, mode="full")) == (4, 1, 1, 0)
    assert {row["id"]: row["name"] for row in world.rows(LEADS)}[2] == "Person 2"


def test_a_dropped_index_of_the_key_comes_back(world: World) -> None:
    if world.is_of_duckdb:
        pytest.skip("there is none: a DuckDB index forbids to change its table's columns")
    world.source.records["users"] = people(2)
    world.run(USERS)
    world.drop_index("ux_users", "users")
    world.source.records["users"].append(person(3))
    world.run(USERS)
    with pytest.raises(sa.exc.IntegrityError):
        world.execute(f"INSERT INTO {world.table('users')} (id) VALUES (3)")


def no_views_of_delta(world: World) -> None:
    if world.warehouse.is_delta:
        pytest.skip("Delta tables have no views")


def test_a_view_on_the_table_does_not_sandbox_the_way_of_a_new_column(world: World) -> None:
    no_views_of_delta(world)
    world.source.records["users"] = [{"id": 1, "name": "a"}]
    world.run(PLAIN)
    world.execute(
        f"CREATE VIEW {world.table('names')} AS SELECT id, name FROM {world.table('users')}"
    )
    world.source.records["users"] = [{"id": 1, "name": "b", "extra": 5}]
    world.run(PLAIN)
    assert world.query(f"SELECT name FROM {world.table('names')}") == [("b",)]


def test_a_view_on_a_column_that_widens_is_made_again(world: World) -> None:
    no_views_of_delta(world)
    world.source.records["users"] = [{"id": 1, "fee": 5}]
    world.run(PLAIN)
    fees, users = world.table("fees"), world.table("users")
    world.execute(f"CREATE VIEW {fees} AS SELECT id, fee FROM {users}")
    world.source.records["users"] = [{"id": 1, "fee": 5.25}]
    assert counts(world.run(PLAIN)) == (1, 0, 1, 0)
    assert [float(fee) for (fee,) in world.query(f"SELECT fee FROM {fees}")] == [5.25]


@pytest.mark.postgres
def test_views_keep_owner_grants_options_and_what_stands_on_them(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    url = postgres_database()
    world = World(FakeSource(), url, tmp_path / "pipelines", Warehouse(url))
    world.source.records["users"] = [{"id": 1, "fee": 5}]
    world.run(PLAIN)
    with psycopg.connect(url, autocommit=True) as connection:
        reader = f"reader_{url.rsplit('_', 1)[1]}"
        connection.execute(f"CREATE ROLE {reader}")  # type: ignore[arg-type]
        try:
            connection.execute(
                f"""CREATE VIEW fake.fees WITH (security_barrier = true)
                    AS SELECT id, fee FROM fake.users;
                    CREATE VIEW fake.doubled AS SELECT fee * 2 AS twice FROM fake.fees;
                    CREATE MATERIALIZED VIEW fake.stored AS SELECT fee FROM fake.doubled, fake.fees;
                    CREATE INDEX stored_fee ON fake.stored (fee);
                    COMMENT ON VIEW fake.fees IS 'it''s ours';
                    GRANT SELECT ON fake.fees TO {reader};
                    ALTER VIEW fake.doubled OWNER TO {reader}"""  # type: ignore[arg-type]
            )
            world.source.records["users"] = [{"id": 1, "fee": 5.25}]
            told = world.run(PLAIN).schema_changes
            assert "views were made again: fake.fees, fake.doubled, fake.stored" in told
            facts = connection.execute(
                """SELECT has_table_privilege(%s, 'fake.fees', 'SELECT'),
                          obj_description('fake.fees'::regclass),
                          (SELECT reloptions FROM pg_class WHERE oid = 'fake.fees'::regclass),
                          (SELECT viewowner FROM pg_views WHERE viewname = 'doubled'),
                          (SELECT count(*) FROM pg_indexes WHERE indexname = 'stored_fee'),
                          (SELECT twice FROM fake.doubled)""",
                (reader,),
            ).fetchone()
            assert facts is not None
            assert facts[:2] == (True, "it's ours")
            assert facts[2:5] == (["security_barrier=true"], reader, 1)
            assert str(facts[5]) == "10.50"
        finally:
            connection.execute(f"DROP OWNED BY {reader} CASCADE")  # type: ignore[arg-type]
            connection.execute(f"DROP ROLE {reader}")  # type: ignore[arg-type]


@pytest.mark.postgres
def test_a_column_that_people_retyped_keeps_their_type(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    url = postgres_database()
    world = World(FakeSource(), url, tmp_path / "pipelines", Warehouse(url))
    world.source.records["leads"] = [person(1, amount="7.5"), person(2, amount="8")]
    world.run(LEADS)
    world.execute("ALTER TABLE fake.leads ALTER amount TYPE text USING amount::text")
    world.source.records["leads"][1] = person(2, amount="9.25", updated_at=NEW_YEAR)
    result = world.run(LEADS, mode="full")
    assert (
        "column amount is text in the table, not decimal any more; the table's type stands"
        in result.schema_changes
    )
    assert {row["id"]: row["amount"] for row in world.rows(LEADS)} == {1: "7.5", 2: "9.25"}


def test_every_row_tells_when_by_whom_and_how_it_was_written(world: World) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    first = {row["id"]: row["_run_id"] for row in world.rows(USERS)}
    assert len(set(first.values())) == 1
    world.source.records["users"] = [person(2, name="New")]
    world.run(USERS)
    (gone,) = world.rows(USERS, deleted=True)
    (row,) = world.rows(USERS)
    assert (gone["id"], gone["_deleted_proof"], row["_deleted_proof"]) == (1, "two_scans", None)
    assert row["_run_id"] == gone["_run_id"] != first[2]
    assert row["_synced_at"] == gone["_synced_at"] == gone["_deleted_at"]
    assert row["_row_hash"].startswith("1:")
