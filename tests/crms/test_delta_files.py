"""A CRM read by REST, one read by SQL and one of sheets, beside Delta files: after each state of its
life the files hold what the CRM holds, value by value. Kills are tried in test_load_killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crms.test_every_command import (
    Step,
    after_a_first_run,
    after_a_full_run,
    after_a_tick,
    after_deletions,
)
from tests.crms.test_schema_changes import CHANGES, Change
from tests.crms.test_schema_changes import (
    test_a_changed_field_is_loaded_and_told as changed_field_is_loaded_and_told,
)
from tests.crms.world import SyncCommandName, World

pytestmark = [pytest.mark.crms, pytest.mark.delta, pytest.mark.django_db(transaction=True)]

STATES: tuple[Step, ...] = (after_a_first_run, after_a_tick, after_deletions, after_a_full_run)
COMMANDS = [
    SyncCommandName("salesrabbit", "all"),
    SyncCommandName("genius", "leads"),
    SyncCommandName("gsheet", "all"),
]


@pytest.fixture
def empty_warehouse(tmp_path: Path) -> Callable[[], str]:
    return lambda: f"file://{tmp_path / 'warehouse'}"


@pytest.mark.parametrize(("crm", "command"), [pytest.param(c.crm, c, id=str(c)) for c in COMMANDS])
def test_the_files_equal_the_crm(world: World, command: SyncCommandName) -> None:
    for step in STATES:
        step(world, command)


@pytest.mark.parametrize(
    ("crm", "change"),
    [pytest.param(name.split()[0], change, id=name) for name, change in CHANGES.items()],
)
def test_a_changed_field_stands_in_the_files(world: World, change: Change) -> None:
    changed_field_is_loaded_and_told(world, change)
