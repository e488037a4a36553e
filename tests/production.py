"""The settings of a site in production mode, for the processes that a test starts."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from data_warehouse.environment import BASE_DIR

SITE = "warehouse.example.com"


def production_environment(folder: Path, **settings: str) -> dict[str, str]:
    """As an operator sets it behind a proxy on the same machine; ``folder`` takes var/ and logs/."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("INSIDE_TESTS", "DEBUG")}
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
        "DJANGO_ENV": "production",
        "DOTENV_FILE": os.devnull,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ALLOWED_HOSTS": f"{SITE},127.0.0.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "VAR_DIR": str(folder / "var"),
        "LOG_DIR": str(folder / "logs"),
        **settings,
    }


def manage(
    *words: str, environment: Mapping[str, str], project: Path = BASE_DIR
) -> subprocess.CompletedProcess[str]:
    """``manage.py`` in a process of its own, whatever its exit code."""
    return run("manage.py", *words, environment=environment, project=project)


def run(
    *words: str, environment: Mapping[str, str], project: Path = BASE_DIR
) -> subprocess.CompletedProcess[str]:
    """Python with these words, in the folder of ``project``."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
