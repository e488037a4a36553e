"""Which rows a run marks as deleted, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from ingestion.sync.common.run import ModelResult, Verdict
from ingestion.sync.common.source import Model, Page, Scope, Window
from ingestion.sync.load.pipeline import run_model
from tests.fake_crm import (
    CALLS,
    LEADS,
    LINKS,
    NEW_YEAR,
    PERSON,
    USERS,
    FakeDatabase,
    FakeSource,
    FakeSummedDatabase,
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


def test_what_a_first_load_brings_as_deleted_counts_as_deleted(world: World) -> None:
    world.source.records["calls"] = [*people(2), person(3, _deleted_at=NEW_YEAR)]
    assert counts(world.run(CALLS)) == (3, 2, 0, 1)
    assert world.ids(CALLS, deleted=True) == [3]


def test_of_the_rows_that_a_run_marks_those_that_were_merged_say_so(world: World) -> None:
    deals = replace(CALLS, name="deals", columns={"id": "text"})
    gone = [{"id": key, "_deleted_at": NEW_YEAR} for key in ("old", "lost", "other")]
    world.source.records["deals"] = [{"id": key} for key in ("old", "lost", "other", "living")]
    world.run(deals)
    world.source.records["deals"] = gone[:1]
    world.run(deals)
    world.source.records["deals"] = gone
    world.source.merged = frozenset({"old", "lost", "living"})
    world.run(deals)
    assert proofs(world, deals) == {"old": "reported", "lost": "merged_into", "other": "reported"}
    assert world.ids(deals) == ["living"]


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


def test_keys_are_listed_at_an_interval(world: World) -> None:
    world.source = FakeDatabase()
    world.source.records["leads"] = people(4)
    world.run(LEADS)
    del world.source.records["leads"][0]
    assert world.run(LEADS).deleted == 0
    world.list_keys_every = timedelta(0)
    assert world.run(LEADS).deleted == 1
    assert world.ids(LEADS) == [2, 3, 4]


def test_of_keys_that_are_summed_up_only_ranges_that_differ_are_listed(world: World) -> None:
    world.source = source = FakeSummedDatabase()
    source.records["leads"] = [person(n, updated_at=NEW_YEAR) for n in (-5, 1, 2, 10_001, 30_001)]
    world.run(LEADS)
    source.records["leads"] = [r for r in source.records["leads"] if r["id"] not in (2, 30_001)]
    assert world.run(LEADS).deleted == 2
    assert source.listed == [0]
    assert world.ids(LEADS) == [-5, 1, 10_001]
    assert world.run(LEADS).deleted == 0
    assert source.listed == [0]


def test_a_key_that_goes_where_another_comes_is_found(world: World) -> None:
    world.source = FakeSummedDatabase()
    world.source.records["leads"] = people(4)
    world.run(LEADS)
    world.source.records["leads"][1:3] = [person(8)]
    assert counts(world.run(LEADS))[1:] == (1, 0, 2)
    assert world.ids(LEADS) == [1, 4, 8]


def test_a_source_that_lists_keys_finds_what_is_gone_in_a_delta_run(world: World) -> None:
    world.source, world.list_keys_every = FakeDatabase(), timedelta(0)
    world.source.records["leads"] = people(4)
    world.run(LEADS)
    del world.source.records["leads"][0]
    assert world.run(LEADS).deleted == 1
    assert world.ids(LEADS) == [2, 3, 4]


def proofs(world: World, model: Model) -> dict[int, str]:
    return {row["id"]: row["_deleted_proof"] for row in world.rows(model, deleted=True)}


def test_a_record_that_a_shifted_page_skipped_is_read_by_the_second_pass(world: World) -> None:
    """Record 1 goes while the first page is read: the second one begins one later."""
    world.source.records["users"] = people(250)
    world.run(USERS)
    whole = list(world.source.records["users"])
    shifted = [*whole[1:100], *whole[101:]]

    def once(model: str, number: int) -> None:
        world.source.on_page = lambda model, number: None
        world.source.records["users"] = whole[1:]

    world.source.records["users"] = shifted
    world.source.on_page = once
    result = world.run(USERS)
    assert (result.deleted, result.warning) == (1, None)
    assert proofs(world, USERS) == {1: "two_scans"}
    assert len(world.ids(USERS)) == 249


def test_what_comes_between_two_passes_is_loaded(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    world.source.records["users"] = people(2)
    world.source.on_page = lambda model, number: world.source.records.update(
        users=[*people(2), person(9)]
    )
    world.run(USERS)
    assert world.ids(USERS) == [1, 2, 9]


def test_a_run_that_misses_nothing_reads_once(world: World) -> None:
    world.source.records["users"] = people(3)
    for _ in range(3):
        world.run(USERS)
    assert len(world.source.windows) == 3


def test_a_database_is_asked_for_its_keys(world: World) -> None:
    world.source = FakeDatabase({"leads": people(3)})
    world.list_keys_every = timedelta(0)
    world.run(LEADS)
    del world.source.records["leads"][0]
    world.run(LEADS)
    assert proofs(world, LEADS) == {1: "looked_up"}


@pytest.mark.parametrize(("gone", "held"), [(19, False), (20, False), (21, True), (300, True)])
def test_many_deletions_at_once_are_held_back_until_they_are_accepted(
    world: World, gone: int, held: bool
) -> None:
    """More than a twentieth of 400, and 20 at least."""
    world.source.records["users"] = people(400)
    world.run(USERS)
    del world.source.records["users"][:gone]
    result = world.run(USERS)
    assert result.deleted == (0 if held else gone)
    assert (result.warning is not None) is held
    if held:
        assert f"{gone} of 400 records are not there any more" in (result.warning or "")
        assert world.run(USERS, mode="full", accept_deletions=True).deleted == gone
        assert world.run(USERS).warning is None
    assert len(world.ids(USERS)) == 400 - gone


def decided(world: World, kind: Literal["accepted", "dismissed"], count: int) -> ModelResult:
    run = replace(world.prepared(USERS), verdict=Verdict(kind, count))
    return run_model(run, ModelResult("users"))


def test_what_somebody_has_decided_holds_for_as_many(world: World) -> None:
    world.source.records["users"] = people(400)
    assert world.run(USERS).held_back is None  # a first load has nothing to miss
    assert world.run(USERS).held_back == 0
    del world.source.records["users"][:30]
    held = world.run(USERS)
    assert (held.held_back, held.living, held.deleted) == (30, 400, 0)
    assert "--dismiss-deletions users" in (held.warning or "")
    dismissed = decided(world, "dismissed", 30)
    assert (dismissed.held_back, dismissed.deleted, dismissed.warning) == (30, 0, None)
    assert decided(world, "dismissed", 29).warning is not None
    assert decided(world, "accepted", 29).deleted == 0
    accepted = decided(world, "accepted", 30)
    assert (accepted.held_back, accepted.deleted, accepted.warning) == (0, 30, None)


def test_few_records_are_not_held_back(world: World) -> None:
    world.source.records["users"] = people(30)
    world.run(USERS)
    del world.source.records["users"][:19]
    assert world.run(USERS).deleted == 19


def test_a_read_that_says_what_it_could_not_read_marks_nothing(world: World) -> None:
    class HalfRead(FakeSource):
        def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Any:
            yield from super().pages(model, window, batch_size=batch_size)
            yield Page((), unread="the other half")

    world.source.records["users"] = people(3)
    world.run(USERS)
    world.source = HalfRead({"users": people(2)})
    result = world.run(USERS)
    assert (result.deleted, result.warning) == (0, "the other half")


def test_a_delta_that_reads_nothing_marks_what_is_gone_and_takes_no_source_for_empty(
    world: World,
) -> None:
    changed = Model("leads", cursor="updated_at", incremental="run_start", columns=PERSON)
    world.source = source = FakeSummedDatabase()
    source.records["leads"] = people(4)
    world.run(changed)
    quiet = world.run(changed)
    assert (counts(quiet), quiet.warning) == ((0, 0, 0, 0), None)
    del source.records["leads"][0]
    found = world.run(changed)
    assert (found.deleted, found.warning) == (1, None)
    source.records["leads"].clear()
    emptied = world.run(changed)
    assert emptied.deleted == 0
    assert "answered with no record where the warehouse has 3" in str(emptied.warning)
    assert world.ids(changed) == [2, 3, 4]
