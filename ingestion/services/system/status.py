"""What ``manage.py up --status`` tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ingestion import runfile
from ingestion.services.system.login import FILE_NAME
from ingestion.services.system.readiness import missing_parts, web_answer


def system_status(var_dir: Path) -> dict[str, Any]:
    """``{"schema", "state", "ready", "missing", "url", "started_at", "login_file", "pid",
    "processes": [{"name", "pid", "running", "restarts", "started_at"}]}``.

    ``state``: stopped, starting, ready or stopping; ``missing``: what keeps it from being ready.
    """
    running = runfile.read_running(var_dir)
    if running is None:
        return _status("stopped", ["nothing runs; start it with: make up"], None, var_dir)
    missing = missing_parts(web_answer(running.url)) if running.url else ["web: not started yet"]
    missing += [f"{p.name}: not running" for p in running.processes if not p.mark.is_alive]
    return _status(running.state, missing, running, var_dir)


def _status(
    state: str, missing: list[str], running: runfile.RunFile | None, var_dir: Path
) -> dict[str, Any]:
    login = var_dir / FILE_NAME
    return {
        "schema": 1,
        "state": state,
        "ready": state == "ready" and not missing,
        "missing": missing,
        "url": running.url if running else None,
        "started_at": running.started_at if running else None,
        "login_file": str(login) if login.exists() else None,
        "pid": running.main.pid if running else None,
        "processes": [_process(record) for record in running.processes] if running else [],
    }


def _process(record: runfile.ProcessRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "pid": record.mark.pid,
        "running": record.mark.is_alive,
        "restarts": record.restarts,
        "started_at": record.started_at,
    }
