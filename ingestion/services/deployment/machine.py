"""What this machine must give: room on its disks, and folders that can be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.core.checks import CheckMessage, Error, Warning

from ingestion.installation_conf import system_conf

LEAST_BYTES = 2 * 1024**3


def disk_problems() -> list[CheckMessage]:
    conf = system_conf()
    folders = {"VAR_DIR": conf.var_dir, "LOG_DIR": conf.log_dir}
    return [found for name, folder in folders.items() for found in _of(name, folder)]


def _of(name: str, folder: Path) -> Iterator[CheckMessage]:
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Error(
            f"{name}: {folder} cannot be written by this account.",
            hint="Let the account that runs the programs own it.",
            id="ingestion.E040",
        )
    elif (free := shutil.disk_usage(folder).free) < LEAST_BYTES:
        yield Warning(
            f"{name}: {folder} has {free / 1024**2:,.0f} MB left.",
            hint="Make room: SQLite, logs and loads under way need some.",
            id="ingestion.W040",
        )
