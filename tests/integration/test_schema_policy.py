"""What a sync may change in a table that is there, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ingestion.sync.common.run import ModelResult, Policy
from ingestion.sync.common.source import Model
from ingestion.sync.load.accept import NotProposed, Proposal, accept
from ingestion.sync.load.pipeline import run_model
from tests.fake_crm import LEADS, USERS, person
from tests.sync_world import World


def run(world: World, policy: Policy, model: Model = USERS, **options: Any) -> ModelResult:
    prepared = replace(world.prepared(model, **options), schema_policy=policy)
    return run_model(prepared, ModelResult(model.name))


def row(world: World, number: int = 1) -> dict[str, Any]:
    (found,) = (row for row in world.rows(USERS) if row["id"] == number)
    return found


def mapped(world: World, name: str) -> tuple[Any, ...]:
    (found,) = world.query(
        f"SELECT place, data_type, proposed_type FROM {world.table('_columns')}"
        f" WHERE column_name = '{name}'"
    )
    return found


@pytest.mark.parametrize("policy", ["evolve", "columns", "ask", "freeze"])
def test_a_table_that_is_not_there_yet_gets_all_there_is(world: World, policy: Policy) -> None:
    world.source.records["users"] = [person(1, age=0), person(2, age=1234.56)]
    assert run(world, policy).schema_changes == []
    assert [row(world, n)["age"] for n in (1, 2)] == [0, Decimal("1234.56")]


def test_evolve_widens_a_column_that_nobody_declares(world: World) -> None:
    world.source.records["users"] = [person(1, age=0)]
    run(world, "evolve")
    world.source.records["users"] = [person(1, age=0), person(2, age=1234.56)]
    assert "column age was bigint, it is decimal now" in run(world, "evolve").schema_changes
    assert [row(world, n)["age"] for n in (1, 2)] == [0, Decimal("1234.56")]
    assert run(world, "evolve").updated == 0


def test_columns_takes_new_fields_and_no_type(world: World) -> None:
    world.source.records["users"] = [person(1, age=0)]
    run(world, "columns")
    world.source.records["users"] = [person(1, age=1234.56, nick="Kim")]
    assert run(world, "columns").schema_changes == [
        "new column nick (text)",
        "new column _misfits (json)",
        "1 values of column age do not fit bigint (1 not_whole); they stand in _misfits",
        "column age would take all its values as decimal, which is proposed:"
        " manage.py manage_runs accept fake users age",
    ]
    assert (row(world)["age"], row(world)["nick"]) == (None, "Kim")
    assert row(world)["_misfits"] == {"age": {"reason": "not_whole", "value": 1234.56}}


def test_a_new_column_finds_its_type_whatever_the_policy(world: World) -> None:
    world.source.records["users"] = [person(1)]
    run(world, "columns")
    world.source.page_size = 1
    world.source.records["users"] = [person(1, age=0), person(2, age=1234.56)]
    run(world, "columns")
    assert [row(world, n)["age"] for n in (1, 2)] == [0, Decimal("1234.56")]


def test_freeze_loads_no_new_field_and_says_so(world: World) -> None:
    world.source.records["users"] = [person(1)]
    run(world, "freeze")
    world.source.declared = {"users": {"score": "bigint"}}
    world.source.records["users"] = [person(1, nick="Kim", name="Ann")]
    for _ in range(2):
        assert run(world, "freeze").schema_changes == [
            "the schema is frozen, so these new fields are not loaded: nick, score"
        ]
    assert row(world)["name"] == "Ann"
    assert {"nick", "score", "_overflow"}.isdisjoint(row(world))
    assert run(world, "evolve").updated == 1
    assert row(world)["nick"] == "Kim"


class TestAsk:
    def test_a_new_field_waits_in_the_overflow_until_somebody_says_yes(self, world: World) -> None:
        world.source.records["users"] = [person(1), person(2)]
        run(world, "ask")
        world.source.records["users"] = [person(1, nick="Kim"), person(2)]
        assert run(world, "ask").schema_changes[-2:] == [
            "field nick (text) is new and waits for a yes; its values stand in _overflow until"
            " then: manage.py manage_runs accept fake users nick",
            "what does not fit into the columns of the warehouse stands in _overflow",
        ]
        assert row(world)["_overflow"] == {"nick": "Kim"}
        assert mapped(world, "nick") == ("proposed", "text", None)
        assert run(world, "ask").updated == 0
        yes = accept(world.prepared(USERS), ["nick"])
        assert yes == [Proposal("nick", "nick", None, "text")]
        result = run(world, "ask")
        assert "new column nick (text), as was accepted; it is filled" in result.schema_changes
        assert (row(world)["nick"], row(world)["_overflow"]) == ("Kim", None)
        assert mapped(world, "nick") == ("column", "text", None)
        assert run(world, "ask").schema_changes == []

    def test_a_delta_fills_an_accepted_column_of_all_rows(self, world: World) -> None:
        world.source.records["leads"] = [person(n) for n in range(1, 4)]
        run(world, "ask", LEADS)
        world.source.records["leads"] = [person(n, nick=f"N{n}") for n in range(1, 4)]
        run(world, "ask", LEADS, mode="full")
        accept(world.prepared(LEADS), None)
        run(world, "ask", LEADS)
        assert {r["id"]: r["nick"] for r in world.rows(LEADS)} == {1: "N1", 2: "N2", 3: "N3"}

    def test_a_wider_type_waits_for_a_yes(self, world: World) -> None:
        world.source.records["users"] = [person(1, age=7), person(2, age=8)]
        run(world, "ask")
        world.source.records["users"] = [person(1, age=1234.56), person(2, age=8)]
        run(world, "ask")
        assert mapped(world, "age") == ("column", "bigint", "decimal")
        assert row(world)["age"] is None
        assert accept(world.prepared(USERS), None) == [Proposal("age", "age", "bigint", "decimal")]
        result = run(world, "ask")
        assert (result.updated, result.schema_changes) == (1, [])
        assert [row(world, n)["age"] for n in (1, 2)] == [Decimal("1234.56"), 8]
        assert row(world)["_misfits"] is None


def test_a_number_that_is_no_number_is_proposed_as_text_and_loses_no_digit(world: World) -> None:
    exact = Decimal("0.12345678901234567")
    world.source.records["users"] = [person(1, amount=exact), person(2, amount="12.50")]
    run(world, "evolve")
    world.source.records["users"] = [person(1, amount="N/A"), person(2, amount="12.50")]
    run(world, "evolve", max_records=1)
    world.source.records["users"] = [person(1, amount=exact), person(3, amount="N/A")]
    run(world, "evolve")
    assert mapped(world, "amount") == ("column", "decimal", "text")
    accept(world.prepared(USERS), ["amount"])
    found = {r["id"]: r["amount"] for r in world.rows(USERS, deleted=None)}
    assert found == {1: "0.12345678901234567", 2: "12.5", 3: None}
    run(world, "evolve")
    assert row(world, 3)["amount"] == "N/A"


def test_no_type_is_proposed_that_would_change_a_value(world: World) -> None:
    world.source.records["users"] = [person(1, updated_at="yesterday")]
    changes = run(world, "evolve").schema_changes
    assert changes == [
        "1 values of column updated_at do not fit timestamp (1 not_a_time); they stand in _misfits"
    ]
    with pytest.raises(NotProposed, match=r"no change is proposed for fake\.users"):
        accept(world.prepared(USERS), ["updated_at"])


def test_what_is_not_proposed_is_named_with_what_is(world: World) -> None:
    world.source.records["users"] = [person(1)]
    run(world, "ask")
    world.source.records["users"] = [person(1, nick="Kim")]
    run(world, "ask")
    with pytest.raises(
        NotProposed, match=r"no change of nik is proposed for fake\.users; .*: nick"
    ):
        accept(world.prepared(USERS), ["nik"])
