"""Loads that run at the same time, each in a process of its own, into one warehouse."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import verify
from ingestion.sync.common.progress import Reporter, SilentReporter
from tests.crms.processes import DEADLINE_SECONDS, Work, finish, start
from tests.crms.world import SyncCommandName, sandboxes

pytestmark = [pytest.mark.crms, pytest.mark.django_db]

ROUNDS = 20
ROWS = 40
TWO_MODELS_OF_ONE_CRM = (
    SyncCommandName("hubspot", "contacts"),
    SyncCommandName("hubspot", "deals"),
)
MODELS_OF_FOUR_CRMS = (
    SyncCommandName("hubspot", "tickets"),
    SyncCommandName("genius", "leads"),
    SyncCommandName("callrail", "calls"),
    SyncCommandName("gsheet", "leads"),
)


@pytest.mark.parametrize(
    "commands",
    [TWO_MODELS_OF_ONE_CRM, MODELS_OF_FOUR_CRMS],
    ids=["two models of one CRM", "models of four CRMs"],
)
def test_loads_at_the_same_time_lose_and_double_no_row(
    commands: Sequence[SyncCommandName],
    empty_warehouse: Callable[[], str],
    tmp_path: Path,
    settings: Any,
) -> None:
    """Each round begins with an empty warehouse, so that the first loads of a dataset, which make
    it, meet each other too; the second loads of a round merge into what is there."""
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    crms = sorted({command.crm for command in commands})
    with sandboxes(*crms, folder=tmp_path / "sandbox", rows=ROWS) as server:
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        for _ in range(ROUNDS):
            settings.INGESTION_WAREHOUSE_URL = empty_warehouse()
            _load_at_once(commands)
            _assert_equal(commands)
            server.sandboxes.tick()
            _load_at_once(commands)
            _assert_equal(commands)


def _load_at_once(commands: Sequence[SyncCommandName]) -> None:
    """None begins before all are ready."""
    barrier = multiprocessing.get_context("fork").Barrier(len(commands))

    def loading(command: SyncCommandName) -> Work:
        def load(reporter: Reporter) -> None:
            barrier.wait(DEADLINE_SECONDS)
            call_command(str(command), run=RunHandle(reporter, opens_history=False))

        return load

    finish([start(loading(command), SilentReporter()) for command in commands])


def _assert_equal(commands: Sequence[SyncCommandName]) -> None:
    for command in commands:
        (report,) = verify(command.crm, command.model, SilentReporter())
        assert report.is_equal, report.to_dict()
        assert report.warehouse_rows > 0
