"""Rejected records are loaded again when they can be, on SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingestion.sync.common.errors import SyncBusy
from ingestion.sync.common.locks import lock
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import Model
from ingestion.sync.load.columns.batch import Batch
from ingestion.sync.load.columns.rejects import LONGEST_RAW
from ingestion.sync.load.pipeline import run_model, session_kind
from ingestion.sync.load.replay import Left, Replayed, replay
from ingestion.sync.load.tables.session import RowRefused
from tests.fake_crm import LEADS, USERS, person
from tests.sync_world import World

REJECTED = Model("_rejected")
NEW = {"amount": "12.50", "name": "refuse me"}


@pytest.fixture
def refusing(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The warehouse refuses every row of a name, until it is undone."""
    session = session_kind(world.warehouse)
    stage = session.stage

    def picky(own: Any, name: str, batch: Batch) -> None:
        if "refuse me" in batch.columns["name"].to_pylist():
            raise RowRefused("invalid byte sequence")
        stage(own, name, batch)

    with monkeypatch.context() as patched:
        patched.setattr(session, "stage", picky)
        yield patched


def again(world: World, model: Model = USERS, *, of_run: str | None = None, **options: Any) -> Any:
    return replay(replace(world.prepared(model), options=SyncOptions(**options)), of_run=of_run)


def rejected(world: World) -> list[dict[str, Any]]:
    return world.rows(REJECTED, deleted=None)


def test_a_record_that_is_no_longer_refused_is_loaded(world: World, refusing: Any) -> None:
    world.source.records["leads"] = [person(1), person(2, **NEW), person(3)]
    world.run(LEADS)
    refusing.undo()
    marks = world.query(f"SELECT value FROM {world.table('_watermarks')}")
    assert again(world, LEADS) == Replayed("leads", records=1, loaded=1, created=1)
    assert rejected(world) == []
    (row,) = (row for row in world.rows(LEADS) if row["id"] == 2)
    assert (row["name"], row["amount"]) == ("refuse me", Decimal("12.5"))
    moment = row["updated_at"].replace(tzinfo=UTC)
    assert moment == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert world.ids(LEADS) == [1, 2, 3]
    assert world.query(f"SELECT value FROM {world.table('_watermarks')}") == marks
    # As a sync would have loaded it.
    assert world.run(LEADS, mode="full").updated == 0


def test_an_older_row_of_it_is_changed(world: World, refusing: Any) -> None:
    world.source.records["users"] = [person(1), person(2)]
    world.run(USERS)
    world.source.records["users"] = [person(1), person(2, **NEW)]
    world.run(USERS)
    refusing.undo()
    assert again(world) == Replayed("users", records=1, loaded=1, updated=1)
    assert {row["id"]: row["name"] for row in world.rows(USERS)} == {1: "Person 1", 2: "refuse me"}


def test_what_still_cannot_be_loaded_stays_with_its_reason(world: World, refusing: Any) -> None:
    world.source.records["users"] = [person(1), person(2, **NEW), {"id": None, "name": "Nobody"}]
    world.run(USERS)
    before = rejected(world)
    report = again(world)
    assert (report.records, report.loaded) == (2, 0)
    assert {(left.key, left.reason) for left in report.left} == {(None, "no_key"), ("2", "refused")}
    assert rejected(world) == before
    refusing.undo()
    assert again(world).loaded == 1
    assert [row["reason"] for row in rejected(world)] == ["no_key"]
    assert world.ids(USERS) == [1, 2]


def test_a_dry_run_tries_and_changes_nothing(world: World, refusing: Any) -> None:
    world.source.records["users"] = [person(1), person(2, **NEW)]
    world.run(USERS)
    refusing.undo()
    assert again(world, dry_run=True).loaded == 1
    assert (len(rejected(world)), world.ids(USERS)) == (1, [1])


def test_only_what_one_run_has_rejected(world: World, refusing: Any) -> None:
    free = replace(USERS, incremental="run_start", deletions="never")
    for number in (2, 3):
        world.source.records["users"] = [person(1), person(number, **NEW)]
        run_model(replace(world.prepared(free), run_id=f"run {number}"), ModelResult("users"))
    refusing.undo()
    assert again(world, of_run="run 3").records == 1
    assert world.ids(USERS) == [1, 3]
    assert [row["record_key"] for row in rejected(world)] == ["2"]


def test_a_masked_or_cut_record_is_left_to_a_sync(world: World, refusing: Any) -> None:
    long = person(2, name="refuse me", note="n" * LONGEST_RAW)
    secret = person(3, name="refuse me", note="hush")
    world.source.records["users"] = [person(1, note="n"), long, secret]
    run = replace(world.prepared(USERS), mask=lambda text: text.replace("hush", "***"))
    run_model(run, ModelResult("users"))
    refusing.undo()
    report = again(world)
    assert {(left.key, left.reason) for left in report.left} == {("2", "cut"), ("3", "masked")}
    assert (report.loaded, world.ids(USERS), len(rejected(world))) == (0, [1], 2)


def test_a_field_that_no_run_has_loaded_is_left_to_a_sync(world: World, refusing: Any) -> None:
    world.source.records["users"] = [person(1), person(2, **NEW, seen="2026-01-01T00:00:00Z")]
    world.run(USERS)
    refusing.undo()
    world.execute(f"DELETE FROM {world.table('_columns')} WHERE source_name = 'seen'")
    assert again(world).left == [
        Left("2", "unknown_field", "no run has loaded seen yet: only a sync knows its type")
    ]


def test_records_of_a_release_that_did_not_say_whether_they_are_whole(
    world: World, refusing: Any
) -> None:
    world.source.records["users"] = [person(1), person(2, **NEW)]
    world.run(USERS)
    world.execute(f"ALTER TABLE {world.table('_rejected')} DROP COLUMN raw_form")
    assert [left.reason for left in again(world).left] == ["cut"]
    world.run(USERS, mode="full")
    refusing.undo()
    assert again(world).loaded == 1


def test_it_waits_for_the_lock_of_the_model(world: World, refusing: Any) -> None:
    world.source.records["users"] = [person(1), person(2, **NEW)]
    world.run(USERS)
    run = world.prepared(USERS)
    held = lock(
        run.name,
        warehouse=world.warehouse,
        lock_dir=run.lock_dir,
        wait_seconds=0,
        check=lambda: None,
    )
    with held, pytest.raises(SyncBusy):
        again(world)


def test_nothing_is_rejected_where_nothing_was_loaded(world: World) -> None:
    assert again(world) == Replayed("users")


def test_the_share_of_bad_records_that_fails_a_run_is_set(world: World) -> None:
    world.source.records["users"] = [person(1), {"id": None}, {"id": None, "name": "b"}]
    run = replace(world.prepared(USERS), rejected_records=3)
    assert run_model(run, ModelResult("users")).failed == 2
    run = replace(world.prepared(USERS), rejected_records=2, rejected_share=0.7)
    assert run_model(run, ModelResult("users")).failed == 2
    run = replace(world.prepared(USERS), rejected_records=2, rejected_share=0.66)
    with pytest.raises(Exception, match="2 of 3 records of users cannot be loaded"):
        run_model(run, ModelResult("users"))
