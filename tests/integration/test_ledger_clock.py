"""Hosts have clocks of their own; PostgreSQL in place of Redis has one for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.jumping_clock import JUMP, RETRY_SECONDS
from tests.integration.system import ROOT


@pytest.mark.postgres
def test_a_host_whose_clock_jumps_ends_nothing_and_delays_nothing(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": postgres_database(),
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_DIR": str(tmp_path / "logs"),
    }
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.program", "tests.integration.jumping_clock"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["lost"] == []
    assert RETRY_SECONDS <= found["delay"] < JUMP.total_seconds() / 2
    assert found["stays_degraded"]
