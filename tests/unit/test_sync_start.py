"""What a sync command loads before it syncs."""

from __future__ import annotations

import os
import subprocess
import sys

from django.core.checks import registry as check_registry

from ingestion import checks
from ingestion.management.sync import SyncCommand

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
