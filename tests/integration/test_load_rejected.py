"""One bad record never stops a model and is never lost in silence, on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingestion.sync.common.errors import TooManyRejected
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Model
from ingestion.sync.load.columns.batch import Batch
from ingestion.sync.load.pipeline import run_model, session_kind
from ingestion.sync.load.tables.session import RowRefused
from tests.fake_crm import LEADS, USERS, people, person
from tests.sync_world import World, counts

REJECTED = Model("_rejected")
NOBODY = {"id": None, "name": "Nobody", "token": "hush"}


def test_a_record_without_its_key_is_kept_aside_and_the_others_load(world: World) -> None:
    world.source.records["users"] = [person(1), NOBODY, person(2)]
    result = world.run(USERS)
    assert (result.created, result.failed) == (2, 1)
    assert result.warning == "1 records have no key (id) and stand in _rejected"
    assert world.ids(USERS) == [1, 2]
    (row,) = world.rows(REJECTED, deleted=None)
    assert (row["model"], row["record_key"], row["reason"]) == ("users", None, "no_key")
    assert row["raw"] == '{"id": null, "name": "Nobody", "token": "hush"}'
    assert row["run_id"] == {r["_run_id"] for r in world.rows(USERS)}.pop()


def test_a_second_pass_counts_a_rejected_record_once(world: World) -> None:
    """A record that is missing makes a full run read everything twice."""
    world.source.records["users"] = [person(1), person(2)]
    world.run(USERS)
    world.source.records["users"] = [person(1), NOBODY]
    result = world.run(USERS, mode="full")
    assert (result.deleted, result.failed) == (1, 1)
    assert result.warning == "1 records have no key (id) and stand in _rejected"
    assert len(world.rows(REJECTED, deleted=None)) == 1


def test_secrets_are_masked_in_what_is_kept_aside(world: World) -> None:
    world.source.records["users"] = [person(1), NOBODY]
    run = replace(world.prepared(USERS), mask=lambda text: text.replace("hush", "***"))
    run_model(run, ModelResult("users"))
    (row,) = world.rows(REJECTED, deleted=None)
    assert "hush" not in row["raw"]


def test_a_record_that_is_good_again_is_no_longer_kept_aside(world: World) -> None:
    long = "k" * 3_000
    world.source.records["users"] = [{"id": "a"}, {"id": long}]
    free = Model("users", incremental="run_start", deletions="never")
    assert world.run(free).warning == "1 records have a key that is too long and stand in _rejected"
    (row,) = world.rows(REJECTED, deleted=None)
    assert (row["record_key"], row["reason"]) == (long, "too_large")
    world.execute(f"UPDATE {world.table('_rejected')} SET record_key = 'b'")
    world.source.records["users"] = [{"id": "b"}]
    world.run(free)
    assert world.rows(REJECTED, deleted=None) == []


def test_a_whole_read_forgets_what_no_longer_comes(world: World) -> None:
    world.source.records["users"] = [person(1), NOBODY]
    world.run(USERS)
    world.run(USERS)
    assert len(world.rows(REJECTED, deleted=None)) == 1
    world.source.records["users"].pop()
    assert world.run(USERS).warning is None
    assert world.rows(REJECTED, deleted=None) == []


def test_a_row_of_a_rejected_record_is_not_marked_as_deleted(world: World) -> None:
    free = Model("users", columns={"id": "text"})
    world.source.records["users"] = [{"id": "a", "t": "x"}, {"id": "b", "t": "y"}]
    world.run(free)
    world.source.records["users"] = [{"id": "a", "t": "x"}, NOBODY, {"id": "b", "t": "y"}]
    assert counts(world.run(free)) == (2, 0, 0, 0)


def test_too_many_bad_records_load_nothing(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    world.source.records["users"] = [*people(1_000), *({"name": f"{n}"} for n in range(50))]
    with pytest.raises(TooManyRejected, match="50 of 1050 records of users cannot be loaded"):
        world.run(USERS)
    assert world.ids(USERS) == [1, 2, 3]
    assert len(world.rows(REJECTED, deleted=None)) == 50


@pytest.mark.parametrize(("good", "bad"), [(1_000, 49), (5_000, 50)])
def test_fewer_or_a_smaller_share_do_not(world: World, good: int, bad: int) -> None:
    world.source.records["users"] = [*people(good), *({"name": f"{n}"} for n in range(bad))]
    result = world.run(USERS)
    assert (result.created, result.failed) == (good, bad)


@pytest.mark.parametrize(
    ("value", "column", "stored", "misfits"),
    [
        ("half \ud83d an emoji", "name", "half  an emoji", None),
        ("a\x00b\x1bc", "name", "ab\x1bc", None),
        (math.nan, "amount", None, None),
        ("20223-01-01", "updated_at", None, {"reason": "out_of_range", "value": "20223-01-01"}),
        (
            "9999-12-31T23:59:59.999-08:00",
            "updated_at",
            None,
            {"reason": "out_of_range", "value": "9999-12-31T23:59:59.999-08:00"},
        ),
        ("12345678901234567890", "amount", Decimal("12345678901234567890"), None),
        ({"a": "\ud83d", "b": [math.nan]}, "name", '{"a": "", "b": [null]}', None),
    ],
)
def test_an_odd_value_stops_nothing(
    world: World, value: Any, column: str, stored: Any, misfits: Any
) -> None:
    world.source.records["users"] = [person(1), person(2, **{column: value})]
    assert counts(world.run(USERS)) == (2, 2, 0, 0)
    row = next(row for row in world.rows(USERS) if row["id"] == 2)
    assert row[column] == stored
    assert (row.get("_misfits") or {}).get(column) == misfits
    assert counts(world.run(USERS)) == (2, 0, 0, 0)


def test_a_time_at_the_end_of_the_calendar_is_no_watermark(world: World) -> None:
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    world.source.records["leads"] = [person(1), person(2, updated_at=last)]
    assert world.run(LEADS).watermark == "2026-01-01T00:01:00+00:00"
    assert world.ids(LEADS) == [1, 2]


def test_a_row_that_the_warehouse_refuses_is_found_among_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.source.records["users"] = people(10)
    world.source.records["users"][6]["name"] = "refuse me"
    session = session_kind(world.warehouse)
    stage = session.stage

    def picky(own: Any, name: str, batch: Batch) -> None:
        if "refuse me" in batch.columns["name"].to_pylist():
            raise RowRefused("invalid byte sequence")
        stage(own, name, batch)

    monkeypatch.setattr(session, "stage", picky)
    result = world.run(USERS)
    assert (result.created, result.failed) == (9, 1)
    assert result.warning == "1 records were refused by the warehouse and stand in _rejected"
    (row,) = world.rows(REJECTED, deleted=None)
    assert (row["record_key"], row["reason"]) == ("7", "refused")
    assert world.run(USERS).deleted == 0
