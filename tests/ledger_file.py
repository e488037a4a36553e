"""Ledgers in SQLite files, with all tables and without rows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests import settings  # noqa: F401 - names the folder of the tests, for programs without pytest

ROOT = Path(__file__).parents[1]


def write_ledger(path: Path) -> None:
    """A copy of one that was migrated once for all tests, as that takes seconds."""
    shutil.copyfile(_migrated(), path)


@cache
def _migrated() -> Path:
    path = Path(os.environ["VAR_DIR"]) / "migrated.sqlite3"
    path.parent.mkdir(parents=True, exist_ok=True)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{path}",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    return path
