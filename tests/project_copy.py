"""A copy of this project, for tests that change it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from data_warehouse.environment import BASE_DIR
from tests.missing import cannot_have


def copy_project(folder: Path, *, without: str | None = None) -> None:
    """Copy what git has and what it would take, except the top-level folder ``without``."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        cannot_have("The list of the project's files", problem)
    for name in filter(None, listed.stdout.split("\0")):
        if (BASE_DIR / name).is_file() and Path(name).parts[0] != without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(BASE_DIR / name, folder / name)
