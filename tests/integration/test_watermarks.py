"""What a watermark may hide: nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fake_crm import LEADS, people, person
from tests.sync_world import World


def test_a_source_that_was_set_back_is_read_whole(world: World) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    # A backup of two hours before: some rows are as they were, others are not there yet.
    world.source.records["leads"] = [person(n, name="As before") for n in range(-120, -117)]
    world.run(LEADS)
    assert world.ids(LEADS) == [-120, -119, -118]
    world.source.records["leads"] += [person(-110)]
    world.run(LEADS)
    assert world.ids(LEADS) == [-120, -119, -118, -110]
    assert world.source.windows[-1].since is not None


def test_a_source_that_was_set_back_a_little_is_read_whole(world: World) -> None:
    """Within the overlap the delta finds records, but none so late as its watermark."""
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.source.records["leads"] = [*people(4), person(-3)]
    world.run(LEADS)
    assert world.ids(LEADS) == [-3, 1, 2, 3, 4]


def test_a_delta_that_finds_its_watermark_again_stays_one(world: World) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.run(LEADS)
    assert len(world.source.windows) == 2


@pytest.mark.parametrize("options", [{"mode": "force7"}, {"max_records": 1}], ids=str)
def test_a_run_of_a_part_cannot_tell_that_the_source_was_set_back(
    world: World, options: dict[str, Any]
) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    world.run(LEADS, **options)
    assert [window.is_full for window in world.source.windows] == [True, False]


def test_the_newest_record_may_go(world: World) -> None:
    """The delta finds nothing so late, so everything is read, once."""
    world.source.records["leads"] = people(500)
    world.run(LEADS)
    del world.source.records["leads"][-1]
    world.run(LEADS)
    assert len(world.ids(LEADS)) == 499
    world.run(LEADS)
    # Once, and once more to prove that the record has gone.
    assert [w.is_full for w in world.source.windows] == [True, False, True, True, False]


@pytest.mark.parametrize(
    ("kind", "ahead"),
    [
        ("timestamp", datetime.now(UTC) + timedelta(days=1)),
        ("datetime", datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)),
        ("text", f"{int(datetime.now(UTC).timestamp()) + 86_400:08x}{'0' * 16}"),
        ("text", (datetime.now(UTC) + timedelta(days=1)).isoformat()),
        ("bigint", int(datetime.now(UTC).timestamp()) + 86_400),
    ],
    # By name: two processes that share the tests out must call them the same.
    ids=["moment", "local moment", "ObjectId", "ISO text", "epoch"],
)
def test_a_cursor_in_the_future_hides_nothing(world: World, kind: str, ahead: Any) -> None:
    model = replace(LEADS, columns={**LEADS.columns, "updated_at": kind}, overlap_seconds=0)
    world.source.records["leads"] = [person(1, updated_at=ahead)]
    world.run(model)
    assert world.run(model).watermark is None
    assert all(window.is_full for window in world.source.windows)
