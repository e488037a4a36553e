"""Which rows a run marks as deleted, on SQLite and on PostgreSQL."""

from __future__ import annotations

from ingestion.sync.common.source import Scope
from tests.fake_crm import (
    CALLS,
    LEADS,
    LINKS,
    NEW_YEAR,
    USERS,
    FakeDatabase,
    people,
    person,
)
from tests.sync_world import World, counts


def test_a_full_run_marks_what_is_gone(world: World) -> None:
    world.source.records["leads"] = people(3)
    world.run(LEADS)
    del world.source.records["leads"][0]
    assert world.run(LEADS).deleted == 0
    assert counts(world.run(LEADS, mode="full")) == (2, 0, 0, 1)
    assert world.ids(LEADS) == [2, 3]
    assert world.ids(LEADS, deleted=True) == [1]


def test_a_mark_stays_as_it_is(world: World) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    world.source.records["users"].pop()
    assert world.run(USERS).deleted == 1
    marked = world.rows(USERS, deleted=True)
    assert world.run(USERS).deleted == 0
    assert world.rows(USERS, deleted=True) == marked


def test_a_record_that_comes_back_loses_its_mark(world: World) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    gone = world.source.records["users"].pop()
    world.run(USERS)
    world.source.records["users"].append(gone)
    assert counts(world.run(USERS)) == (2, 0, 1, 0)
    assert world.ids(USERS) == [1, 2]


def test_a_cut_read_marks_nothing(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    assert world.run(USERS, max_records=1).deleted == 0
    assert world.run(USERS, start_date=NEW_YEAR).deleted == 0
    assert world.ids(USERS) == [1, 2, 3]


def test_an_empty_answer_is_partial_and_marks_nothing(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    world.source.records["users"].clear()
    result = world.run(USERS)
    assert result.deleted == 0
    assert "answered with no record where the warehouse has 3" in (result.warning or "")
    assert world.run(USERS, mode="full", force=True).deleted == 3
    assert world.ids(USERS) == []


def test_a_deletion_that_is_told_marks_the_row(world: World) -> None:
    world.source.records["calls"] = people(3)
    world.run(CALLS)
    world.source.records["calls"] = [
        person(1, _deleted_at=NEW_YEAR),
        {"id": 2, "_deleted_at": NEW_YEAR},
        {"id": 9, "_deleted_at": NEW_YEAR},
    ]
    assert world.run(CALLS).deleted == 2
    assert world.ids(CALLS, deleted=True) == [1, 2]
    kept = {row["id"]: row["name"] for row in world.rows(CALLS, deleted=True)}
    assert kept == {1: "Person 1", 2: "Person 2"}
    assert counts(world.run(CALLS)) == (3, 0, 0, 0)


def test_a_page_that_holds_all_of_an_owner_marks_the_owners_other_rows(world: World) -> None:
    def link(from_id: str, to_id: str) -> dict[str, str]:
        return {"from_id": from_id, "to_id": to_id}

    world.source.records["links"] = [link("1", "a"), link("1", "b"), link("2", "b")]
    world.run(LINKS)
    world.source.records["links"] = [link("1", "a")]
    world.source.scopes["links"] = Scope(("from_id",), frozenset({("1",)}))
    assert counts(world.run(LINKS)) == (1, 0, 0, 1)
    alive = sorted((row["from_id"], row["to_id"]) for row in world.rows(LINKS))
    assert alive == [("1", "a"), ("2", "b")]


def test_an_owner_that_has_nothing_left_loses_its_rows(world: World) -> None:
    world.source.records["links"] = [{"from_id": "1", "to_id": "a"}]
    world.run(LINKS)
    world.source.records["links"] = []
    world.source.scopes["links"] = Scope(("from_id",), frozenset({("1",)}))
    assert world.run(LINKS).deleted == 1


def test_a_source_that_lists_keys_finds_what_is_gone_in_a_delta_run(world: World) -> None:
    world.source = FakeDatabase()
    world.source.records["leads"] = people(4)
    world.run(LEADS)
    del world.source.records["leads"][0]
    assert world.run(LEADS).deleted == 1
    assert world.ids(LEADS) == [2, 3, 4]
