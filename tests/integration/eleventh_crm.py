"""The life of new CRMs in a project of their own: check, load, change, load again, compare.

``python -m tests.integration.eleventh_crm NAME [NAME ...]`` runs in the project's folder, serves the
CRMs by the sandbox and prints what happened to each as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import django
from celery import current_app
from django.conf import settings
from django.core.management import call_command

ROWS = 40


def main(*names: str) -> None:
    django.setup()
    from sandbox.serving.server import SandboxServer

    call_command("migrate", verbosity=0)
    with SandboxServer(
        Path(settings.INGESTION_VAR_DIR) / "sandbox", names=names, rows=ROWS, port=0
    ) as server:
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        lives = {name: life_of(name, server) for name in names}
    sys.stdout.write(json.dumps(lives))


def life_of(name: str, server: Any) -> dict[str, Any]:
    from ingestion.services.requests.routing import resolve
    from ingestion.services.runs.check import check_crms

    route = resolve(name, "customers")
    found: dict[str, Any] = {
        "command": route.command,
        "has_task": route.task_name in current_app.tasks,
        "checks": {check.model: check.state for check in check_crms([name])},
        "held": server.sandboxes.counts()[name],
        "first": load(name),
        "equal_after_first": is_equal(name),
        "tick": server.sandboxes.tick((name,))[name],
        "delta": load(name),
        "full": load(name, full=True),
        "equal_after_full": is_equal(name),
        "again": load(name),
    }
    if server.sandboxes.by_name[name].wsgi() is not None:
        found["with_a_new_column"] = load_with_fault(name, server, "column")
    return found


def load_with_fault(name: str, server: Any, fault: str) -> dict[str, int]:
    """What a full run counts while the sandbox has a fault."""
    from sandbox.faults.injector import Fault

    server.faults.set([Fault(fault, name, None)])
    try:
        return load(name, full=True)
    finally:
        server.faults.set([])


def load(name: str, **options: Any) -> dict[str, int]:
    """What ``sync_<name>_all`` has counted."""
    from ingestion.services.runs.runner import RunHandle
    from ingestion.sync.common.progress import SilentReporter

    handle = RunHandle(SilentReporter())
    call_command(f"sync_{name}_all", run=handle, **options)
    assert handle.result is not None
    return dict(handle.result.counts)


def is_equal(name: str) -> bool:
    from ingestion.services.runs.verification import verify
    from ingestion.sync.common.progress import SilentReporter

    return all(report.is_equal for report in verify(name, None, SilentReporter()))


if __name__ == "__main__":
    main(*sys.argv[1:])
