"""``manage_runs`` on the command line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from ingestion.management.commands import manage_runs
from ingestion.models import AuditRecord, SyncHistory
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from tests.fake_crm import FakeSource
from tests.unit.pool_shell import Ran, pool_in_memory

pytestmark = pytest.mark.django_db


def shell(*words: str) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    command = manage_runs.Command(stdout=out, stderr=err)
    command._called_from_command_line = True
    try:
        call_command(command, *words)
    except SystemExit as left:
        return Ran(out.getvalue(), err.getvalue(), int(left.code or 0))
    return Ran(out.getvalue(), err.getvalue(), 0)


@pytest.fixture
def rejected(settings: Any, tmp_path: Path) -> Iterator[Run]:
    """One user of Arrivy is loaded; of two others one has no key, and one is only kept aside."""
    settings.WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    settings.WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    found = crm("arrivy")
    source = FakeSource({"users": [{"id": 1, "name": "a"}, {"id": None, "name": "b"}]})
    warehouse = Warehouse(settings.WAREHOUSE_URL)
    run = Run(
        crm=found,
        model=replace(found.model("users"), deletions="never"),
        source=source,
        options=SyncOptions(),
        warehouse=warehouse,
        pipelines_dir=tmp_path / "pipelines",
    )
    run_model(run, ModelResult("users"))
    with warehouse.dataset("arrivy").engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO _rejected (model, fingerprint, record_key, raw, raw_form, reason, run_id)"
            """ VALUES ('users', 'f', '7', '{"id": 7, "name": "c"}', 'whole', 'refused', 'r')"""
        )
    warehouse.close()
    with pool_in_memory():
        yield run


def names(run: Run) -> list[str]:
    warehouse = Warehouse(run.warehouse.url.render_as_string(hide_password=False))
    with warehouse.dataset("arrivy").engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT name FROM users ORDER BY id")
        names = [str(row[0]) for row in found]
    warehouse.close()
    return names


def test_replays_and_says_what_is_left(rejected: Run) -> None:
    ran = shell("replay", "arrivy", "users", "--reason", "mended")
    assert ran.out.splitlines() == [
        "arrivy.users: 1 of 2 loaded (1 new, 0 changed), 1 left",
        "- no key: no_key: a record has no key (id)",
    ]
    assert (ran.code, ran.err) == (1, "Error: 1 record cannot be loaded.\n")
    assert names(rejected) == ["a", "c"]
    record = AuditRecord.objects.get(action="replay")
    assert (record.target, record.reason) == ("arrivy.users", "mended")
    assert record.after == {"records": 2, "loaded": 1, "left": 1}


def test_of_one_run_by_its_number_as_json(rejected: Run) -> None:
    row = SyncHistory.objects.create(
        crm_source="arrivy", sync_type="users", performance_metrics={"run_id": "r"}
    )
    ran = shell("replay", "--run", str(row.pk), "--json")
    assert ran.code == 0
    (model,) = ran.shape["models"]
    assert (model["crm_source"], model["model"]) == ("arrivy", "users")
    assert (model["records"], model["loaded"], model["left"]) == (1, 1, [])
    assert shell("replay", "--run", str(row.pk)).out == "No record is rejected.\n"


def test_a_dry_run_changes_nothing(rejected: Run) -> None:
    ran = shell("replay", "--dry-run")
    assert ran.out.startswith("arrivy.users: 1 of 2 would be loaded")
    assert names(rejected) == ["a"]
    assert not AuditRecord.objects.filter(action="replay").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("replay", "nobody"), "unknown CRM 'nobody'"),
        (("replay", "arrivy", "none"), "arrivy has no model 'none'"),
        (("replay", "--run", "77"), "the history has no run 77 that wrote rows"),
    ],
)
def test_what_there_is_not_is_not_found(
    rejected: Run, words: tuple[str, ...], message: str
) -> None:
    ran = shell(*words)
    assert ran.code == 3
    assert message in ran.err
