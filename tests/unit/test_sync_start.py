"""What a sync command loads before it syncs, and a worker before it takes a task."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from celery import current_app
from django.core.checks import registry as check_registry

from ingestion import checks, tasks_enhanced
from ingestion.management.sync import SyncCommand
from ingestion.services.ingestion_adapter import IngestionAdapter
from tests.unit.pool_fixtures import Bench

CHECKED = """
import django, sys
django.setup()
from ingestion.management.commands.sync_genius_tags import Command
command = Command()
command.check(tags=command.requires_system_checks)
print([name for name in ("ingestion.urls", "ingestion.api", "ingestion.views", "ninja", "dlt", "pyarrow")
       if name in sys.modules])
"""


def test_a_sync_command_loads_no_page_no_api_and_no_loader() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "data_warehouse.settings"}
    done = subprocess.run(
        [sys.executable, "-c", CHECKED], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_a_sync_command_looks_at_settings_and_files() -> None:
    registered = {check: check.tags for check in check_registry.registry.get_checks()}
    asked = {c for c, tags in registered.items() if {*tags} & {*SyncCommand.requires_system_checks}}
    assert {checks.check_pool_settings, checks.check_warehouse_settings} <= asked
    assert checks.check_files in asked


@pytest.mark.django_db
def test_a_sync_is_prepared_before_its_task_is_confirmed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it imports, no signal stops it."""
    task_id = bench.pool.submit_task("genius", "leads")
    seen: list[tuple[str, str, str | None]] = []

    def note(crm_source: str, sync_type: str) -> None:
        seen.append((crm_source, sync_type, bench.pool.get_task_status(task_id).worker))

    monkeypatch.setattr(tasks_enhanced, "prepare", note)
    monkeypatch.setattr(IngestionAdapter, "run_source_ingestion", lambda *_, **__: None)
    monkeypatch.setattr(tasks_enhanced, "get_worker_pool", lambda: bench.pool)
    task = current_app.tasks["ingestion.tasks.sync_genius_leads"]
    task.push_request(hostname="w1")
    try:
        assert task.run(task_id=task_id, attempt=1) == "completed"
    finally:
        task.pop_request()
    assert seen == [("genius", "leads", None)]
