"""``manage_runs`` on the command line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

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
    settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    found = crm("arrivy")
    source = FakeSource({"users": [{"id": 1, "name": "a"}, {"id": None, "name": "b"}]})
    warehouse = Warehouse(settings.INGESTION_WAREHOUSE_URL)
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


@pytest.fixture
def history() -> Iterator[list[SyncHistory]]:
    """Of HubSpot a failed and a good run of today, of Five9 one of last week."""
    now = timezone.now()
    with pool_in_memory():
        yield [
            SyncHistory.objects.create(
                crm_source=crm_source,
                sync_type=sync_type,
                status=status,
                start_time=now - ago,
                end_time=now - ago + timedelta(seconds=75),
                records_processed=rows,
                error_message=error,
            )
            for crm_source, sync_type, status, ago, rows, error in (
                ("five9", "contacts", "success", timedelta(days=7), 1200, None),
                ("hubspot", "deals", "failed", timedelta(hours=2), 0, "HubSpot answered 500."),
                ("hubspot", "contacts", "success", timedelta(hours=1), 7, None),
            )
        ]


class TestHistory:
    def numbers(self, *words: str) -> list[int]:
        return [run["id"] for run in shell(*words, "--json").shape["items"]]

    def test_lists_the_latest_first_by_the_filters_of_the_page(
        self, history: list[SyncHistory]
    ) -> None:
        old, failed, good = (run.pk for run in history)
        assert self.numbers("list") == [good, failed, old]
        assert self.numbers("list", "--crm", "HubSpot") == [good, failed]
        assert self.numbers("list", "--status", "failed") == [failed]
        assert self.numbers("list", "--type", "contacts", "--since", "1d") == [good]
        assert self.numbers("list", "--until", "1d") == [old]
        assert self.numbers("list", "--text", "answered 500") == [failed]

    def test_goes_on_at_its_cursor(self, history: list[SyncHistory]) -> None:
        first = shell("list", "--limit", "2", "--json").shape
        assert self.numbers("list", "--cursor", first["next_cursor"]) == [history[0].pk]

    def test_a_line_says_what_a_person_asks(self, history: list[SyncHistory]) -> None:
        (line,) = shell("list", "--status", "failed").out.splitlines()
        assert line.startswith(f"{history[1].pk} hubspot.deals failed 2")
        assert line.endswith("UTC, 1m 15s, 0 rows: HubSpot answered 500.")

    def test_says_what_was_probably_meant(self, history: list[SyncHistory]) -> None:
        unknown = shell("list", "--crm", "hubspt")
        assert (unknown.code, "did you mean 'hubspot'?" in unknown.err) == (2, True)
        assert "did you mean 'contacts'?" in shell("list", "--type", "contcts").err

    def test_shows_one(self, history: list[SyncHistory]) -> None:
        said = shell("show", str(history[1].pk)).out
        assert "Error: HubSpot answered 500." in said
        assert f"Log: manage.py manage_runs logs {history[1].pk}" in said
        assert shell("show", "99999").code == 3

    def test_tail_ends_with_the_latest(self, history: list[SyncHistory]) -> None:
        shown = shell("tail", "--limit", "2").out.splitlines()
        assert [int(line.split()[0]) for line in shown] == [history[1].pk, history[2].pk]

    def test_retries_those_of_a_filter_once_somebody_says_yes(
        self, history: list[SyncHistory]
    ) -> None:
        wanted = ("retry", "--status", "failed", "--since", "1d")
        refused = shell(*wanted)
        assert (refused.code, "--yes" in refused.err) == (2, True)
        again = shell(*wanted, "--yes", "--reason", "mended", "--json").shape
        assert len(again["submitted"]) == 1
        (task,) = SyncHistory.objects.filter(worker_pool_task_id__in=again["submitted"])
        assert (task.crm_source, task.sync_type) == ("hubspot", "deals")

    def test_retry_needs_numbers_or_a_filter(self, history: list[SyncHistory]) -> None:
        assert shell("retry").code == 2
        assert shell("retry", "99999").code == 3
        assert len(shell("retry", str(history[0].pk)).out.split()) == 1
