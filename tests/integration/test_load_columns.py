"""Which column a field is landed in, and of which type: decided once, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from ingestion.services.runs.verification import verify_model
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.source import Model
from tests.fake_crm import FAKE, USERS, person
from tests.sync_world import World, counts

COLUMNS = Model("_columns")
FREE = Model("users")


def test_a_field_added_beside_one_of_a_like_name_gets_a_column_of_its_own(world: World) -> None:
    world.source.records["users"] = [
        {"id": 1, "lead_source": "Google"},
        {"id": 2, "lead_source": "Bing"},
    ]
    world.run(FREE)
    world.source.records["users"][1] = {"id": 2, "lead___source": "SCORE-7", "lead_source": "Bing"}
    world.run(FREE)
    rows = {row["id"]: row for row in world.rows(FREE)}
    assert (rows[1]["lead_source"], rows[2]["lead_source"]) == ("Google", "Bing")
    assert (rows[1]["lead_source_26c68c"], rows[2]["lead_source_26c68c"]) == (None, "SCORE-7")


def test_fields_that_change_their_order_keep_their_columns(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "Amount %": "5", "Amount $": "100"}]
    world.run(FREE)
    before = world.rows(FREE)
    world.source.records["users"] = [{"Amount $": "100", "id": 1, "Amount %": "5"}]
    assert counts(world.run(FREE)) == (1, 0, 0, 0)
    assert world.rows(FREE) == before
    assert mapped(world) == {
        "id": "id",
        "Amount %": "amountx",
        "Amount $": "amountx_630b0c",
    }


def test_names_in_other_scripts_are_transliterated(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "姓名": "Li", "Größe": "L", "Ёлка": "x"}]
    world.run(FREE)
    assert mapped(world) == {
        "id": "id",
        "姓名": "xing_ming",
        "Größe": "grosse",
        "Ёлка": "elka",
    }


def test_a_field_named_like_a_column_of_ours_is_renamed(world: World) -> None:
    names = ("_row_hash", "_synced_at", "_run_id", "_misfits", "_overflow", "ctid")
    world.source.records["users"] = [{"id": 1, **dict.fromkeys(names, "theirs")}]
    assert counts(world.run(FREE)) == (1, 1, 0, 0)
    found = mapped(world)
    for name in names:
        assert found[name].startswith(f"{name}_")
        assert world.rows(FREE)[0][found[name]] == "theirs"


def test_a_field_never_lands_in_a_column_that_people_have_added(world: World) -> None:
    world.source.records["users"] = [{"id": 1}]
    world.run(FREE)
    execute(world, "ALTER TABLE {users} ADD COLUMN note text")
    execute(world, "UPDATE {users} SET note = 'call back'")
    world.source.records["users"] = [{"id": 1, "note": "from the CRM"}]
    world.run(FREE)
    (row,) = world.rows(FREE)
    assert row["note"] == "call back"
    assert row[mapped(world)["note"]] == "from the CRM"


def test_an_undeclared_column_that_began_whole_takes_fractions(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "fee": 0}, {"id": 2, "fee": 7}]
    world.run(FREE)
    world.source.records["users"] += [{"id": 3, "fee": 1234.56}, {"id": 4, "fee": 2**70}]
    result = world.run(FREE)
    assert counts(result) == (4, 2, 0, 0)
    assert "column fee was bigint, it is decimal now" in result.schema_changes
    fees = [str(row["fee"]) for row in sorted(world.rows(FREE), key=lambda row: row["id"])]
    assert fees == ["0", "7", "1234.56", "1180591620717411303424"]
    assert counts(world.run(FREE)) == (4, 0, 0, 0)


def test_a_column_widens_within_one_run(world: World) -> None:
    world.source.page_size = 2_000
    world.source.records["users"] = [{"id": n, "fee": n} for n in range(1, 2_001)]
    world.source.records["users"].append({"id": 2_001, "fee": 0.5})
    assert counts(world.run(FREE)) == (2_001, 2_001, 0, 0)
    fees = {row["id"]: str(row["fee"]) for row in world.rows(FREE)}
    assert (fees[1], fees[2_000], fees[2_001]) == ("1", "2000", "0.5")


def test_a_fraction_does_not_widen_a_column_that_is_declared_whole(world: World) -> None:
    world.source.declared = {"users": {"age": "bigint"}}
    world.source.records["users"] = [person(1, age=30), person(2, age=30.5)]
    world.run(USERS)
    rows = {row["id"]: row for row in world.rows(USERS)}
    assert rows[2]["age"] is None
    assert rows[2]["_misfits"] == {"age": {"reason": "not_whole", "value": 30.5}}


def test_a_key_of_twenty_digits_is_kept(world: World) -> None:
    world.source.declared = {"users": {"id": "bigint"}}
    world.source.records["users"] = [{"id": 18446744073709551615, "name": "last"}, {"id": 1}]
    assert counts(world.run(FREE)) == (2, 2, 0, 0)
    assert sorted(str(row["id"]) for row in world.rows(FREE)) == ["1", "18446744073709551615"]
    assert counts(world.run(FREE)) == (2, 0, 0, 0)


def mapped(world: World) -> dict[str, str]:
    rows = world.rows(COLUMNS, deleted=None)
    return {row["source_name"]: row["column_name"] for row in rows if row["model"] == "users"}


def execute(world: World, statement: str) -> None:
    world.execute(statement.format(users=world.table("users")))


def test_a_column_that_waits_for_a_value_is_made_with_the_first_one(world: World) -> None:
    waiting = replace(USERS, only_filled=True, columns={"id": "bigint"})
    declared = {f"field_{n}": "text" for n in range(1_650)}
    world.source.declared = {"users": {**declared, "born": "date", "amount": "decimal"}}
    empty = {**dict.fromkeys(declared), "field_2": "", "born": None, "amount": None}
    world.source.records["users"] = [person(1) | empty, person(2) | empty | {"field_1": "x"}]
    assert world.run(waiting).schema_changes == []
    columns = set(world.rows(USERS)[0]) - {"_overflow", "_misfits"}
    assert {name for name in columns if not name.startswith("_")} == {
        "id", "name", "updated_at", "field_1",
    }  # fmt: skip
    world.source.records["users"][0] |= {"born": "2026-12-31", "amount": "12.50", "field_2": "y"}
    assert set(world.run(waiting).schema_changes) == {
        "new column born (date)",
        "new column amount (decimal)",
        "new column field_2 (text)",
    }
    row = next(row for row in world.rows(USERS) if row["id"] == 1)
    assert (row["born"], row["amount"], row["field_2"]) == (
        date(2026, 12, 31),
        Decimal("12.5"),
        "y",
    )
    assert verify_model(FAKE, waiting, world.source, world.warehouse, SilentReporter()).is_equal
