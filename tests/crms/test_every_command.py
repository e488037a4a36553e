"""Every sync command, on both warehouses: after each state of a CRM's life the warehouse holds
what the CRM holds, value by value. ``make crms`` shows the whole as a table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingestion.services.runs.verification import ModelReport
from tests.crms.conftest import Tell
from tests.crms.world import (
    BATCH_SIZE,
    SyncCommandName,
    World,
    all_commands,
    found_gone_by_full,
)

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]

Step = Callable[[World, SyncCommandName], None]


def test_there_are_71_commands_and_those_of_new_crms() -> None:
    assert len(all_commands()) >= 71


@pytest.mark.parametrize(
    ("crm", "command"), [pytest.param(c.crm, c, id=str(c)) for c in all_commands()]
)
def test_the_warehouse_equals_the_crm(world: World, command: SyncCommandName, tell: Tell) -> None:
    for state, step in STATES.items():
        with tell(command, state):
            step(world, command)


def after_a_first_run(world: World, command: SyncCommandName) -> None:
    world.run(command.sync_type)
    reports = world.differences(command.model)
    assert_equal(reports)
    assert sum(report.warehouse_rows for report in reports) > 0


def after_a_tick(world: World, command: SyncCommandName) -> None:
    """New and changed records are there; what is gone too, except where only a full run can tell."""
    world.tick()
    world.run(command.sync_type)
    late = found_gone_by_full(command.crm)
    for report in world.differences(command.model):
        if report.model in late:
            report.extra = 0
        assert_equal([report])


def after_deletions(world: World, command: SyncCommandName) -> None:
    world.tick()
    world.run(command.sync_type, **what_finds_deletions(world, command))
    assert_equal(world.differences(command.model))


def after_a_full_run(world: World, command: SyncCommandName) -> None:
    world.tick()
    world.run(command.sync_type, full=True)
    assert_equal(world.differences(command.model))


def after_a_run_killed_while_it_read(world: World, command: SyncCommandName) -> None:
    world.tick()
    options = {**what_finds_deletions(world, command), "batch_size": BATCH_SIZE}
    world.run_killed("extract", middle_model(world, command), command.sync_type, **options)
    world.run(command.sync_type, **options)
    assert_equal(world.differences(command.model))


def after_a_run_killed_while_it_loaded(world: World, command: SyncCommandName) -> None:
    """``force``: every row is loaded, so that there is a load to die in."""
    world.tick()
    model = middle_model(world, command)
    world.run_killed("load", model, command.sync_type, full=True, force=True)
    world.run(command.sync_type, full=True)
    assert_equal(world.differences(command.model))


STATES: dict[str, Step] = {
    "first": after_a_first_run,
    "tick": after_a_tick,
    "deleted": after_deletions,
    "full": after_a_full_run,
    "killed reading": after_a_run_killed_while_it_read,
    "killed loading": after_a_run_killed_while_it_loaded,
}


def what_finds_deletions(world: World, command: SyncCommandName) -> dict[str, bool]:
    late = found_gone_by_full(command.crm)
    return {"full": True} if late & set(world.models_of(command.sync_type)) else {}


def middle_model(world: World, command: SyncCommandName) -> str:
    models = world.models_of(command.sync_type)
    return models[len(models) // 2]


def assert_equal(reports: list[ModelReport]) -> None:
    unequal = [report.to_dict() for report in reports if not report.is_equal]
    assert not unequal
    assert not [report.not_offered for report in reports if report.not_offered]
