"""A run that is killed at any statement or moment leaves a warehouse that the next run makes equal;
the watermark is never ahead of the rows. On every warehouse."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from ingestion.sync.common.files import delta_tables
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import session_kind
from tests.fake_crm import LEADS, NEW_YEAR, USERS, FakeDatabase, people, person
from tests.sync_world import World

# So many first loads are killed before one may come to its end.
FIRST_LOADS = 10
MOST_STATEMENTS = 200
STATEMENTS = ("execute", "rows", "stage", "insert", "make_unique")
COMMITS = ("declare", "create", "replace", "add_columns", "merge", "replace_part")
DEADLINE_SECONDS = 120
MOMENTS = 20
RECORDS, CHANGED_RECORDS = 1_500, 500


def mortal(statement: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    """The statement, before which the process kills itself once ``left`` has come to 0."""

    def counted(*arguments: Any, **named: Any) -> Any:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return statement(*arguments, **named)

    return counted


def ends_before(number: int, world: World, model: Model, options: dict[str, Any]) -> bool:
    """Run in a process of its own, which dies at its statement ``number`` if it comes so far."""
    process = begun(world, model, options, dies_at=number)
    process.join(DEADLINE_SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


def begun(world: World, model: Model, options: dict[str, Any], **how: int) -> BaseProcess:
    """A run in a process of its own. The library of Delta forbids to fork a process that used it."""
    context = multiprocessing.get_context("spawn" if world.warehouse.is_delta else "fork")
    given = (world.source, world.url, world.pipelines_dir, world.lock_wait_seconds)
    process = context.Process(
        target=child, args=(given, world.list_keys_every, model, options), kwargs=how
    )
    process.start()
    return process


def child(
    given: tuple[Any, ...],
    list_keys_every: timedelta,
    model: Model,
    options: dict[str, Any],
    dies_at: int | None = None,
) -> None:
    source, url, pipelines_dir, lock_wait_seconds = given
    warehouse = Warehouse(url)
    world = World(source, url, pipelines_dir, warehouse, lock_wait_seconds, list_keys_every)
    if dies_at is not None:
        kinds: list[tuple[Any, Sequence[str]]] = [(session_kind(warehouse), STATEMENTS)]
        if warehouse.is_delta:
            kinds.append((delta_tables.Commits, COMMITS))
        left = itertools.count(dies_at, -1)
        for kind, names in kinds:
            for name in names:
                setattr(kind, name, mortal(getattr(kind, name), left))
    world.run(model, **options)


@pytest.mark.parametrize(
    ("model", "options"),
    [(LEADS, {}), (LEADS, {"mode": "full"}), (USERS, {"force": True})],
    ids=["delta", "full", "force"],
)
def test_a_run_killed_at_any_statement_is_made_good_by_the_next(
    world: World, model: Model, options: dict[str, Any]
) -> None:
    """In each round a record is changed and one is added."""
    # PostgreSQL notices a moment later that the process is gone, and releases its lock.
    world.lock_wait_seconds = 30
    records = world.source.records[model.name] = [person(0)]
    for number in range(MOST_STATEMENTS):
        at = NEW_YEAR + timedelta(minutes=number, seconds=30)
        records[0] = person(0, name=f"Round {number}", updated_at=at)
        records.append(person(number + 1))
        if ends_before(number, world, model, options):
            break
        if number > FIRST_LOADS:
            world.run(model)
            assert_equal(world, model)
    assert FIRST_LOADS < number < MOST_STATEMENTS - 1
    assert_equal(world, model)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["first load", "delta", "full"])
def test_a_run_killed_at_a_random_moment_is_made_good_by_the_next_delta(
    world: World, kind: str
) -> None:
    """In each round a third of the records is changed, one is added and one goes."""
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed {seed}")  # noqa: T201
    draw, killed = random.Random(seed), 0
    source = FakeDatabase({LEADS.name: people(RECORDS)})
    world = replace(world, source=source, lock_wait_seconds=30, list_keys_every=timedelta(0))
    options = {"mode": "full"} if kind == "full" else {}
    world.run(LEADS)
    seconds = how_long(world, options, is_first=kind == "first load")
    for number in range(1, MOMENTS + 1):
        change(source, draw, number)
        if kind == "first load":
            world.drop_dataset()
        killed += is_killed(world, options, after_seconds=draw.random() * seconds)
        assert_watermark_is_not_ahead(world)
        world.run(LEADS)
        assert_equal(world, LEADS)
    assert killed


def how_long(world: World, options: dict[str, Any], *, is_first: bool) -> float:
    """The seconds that a run to its end takes."""
    change(world.source, random.Random(0), 0)
    if is_first:
        world.drop_dataset()
    begun = time.monotonic()
    assert not is_killed(world, options, after_seconds=DEADLINE_SECONDS)
    return time.monotonic() - begun


def change(source: FakeDatabase, draw: random.Random, number: int) -> None:
    records = source.records[LEADS.name]
    at = NEW_YEAR + timedelta(days=2, minutes=number)
    for record in draw.sample(records, CHANGED_RECORDS):
        record.update(name=f"Round {number}", updated_at=at)
    records.remove(draw.choice(records))
    records.append(person(RECORDS + number + 1, updated_at=at))


def is_killed(world: World, options: dict[str, Any], *, after_seconds: float) -> bool:
    """Run in a process of its own, which is killed after a time if it lives so long."""
    process = begun(world, LEADS, options)
    process.join(after_seconds)
    process.kill()
    process.join(DEADLINE_SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def assert_watermark_is_not_ahead(world: World) -> None:
    """What changed up to the watermark stands in the table as it is."""
    dataset = world.warehouse.dataset("fake")
    if not dataset.has_table("_watermarks"):
        return
    table = world.table("_watermarks")
    for (value,) in world.query(f"SELECT value FROM {table} WHERE value IS NOT NULL"):
        found = {row["id"]: row["name"] for row in world.rows(LEADS)}
        for record in world.source.records[LEADS.name]:
            if record["updated_at"] <= datetime.fromisoformat(value):
                assert found.get(record["id"]) == record["name"]


def assert_equal(world: World, model: Model) -> None:
    found = [(row["id"], row["name"]) for row in world.rows(model)]
    expected = [(record["id"], record["name"]) for record in world.source.records[model.name]]
    assert sorted(found) == sorted(expected)
