"""Hosts have clocks of their own; PostgreSQL in place of Redis has one for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.jumping_clock import JUMP, RETRY_SECONDS
from tests.integration.system import ROOT

pytestmark = pytest.mark.postgres

Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def run(postgres_database: Callable[[], str], redis_server: EmbeddedRedis, tmp_path: Path) -> Run:
    """Runs a program of the tests on a ledger of its own; what it prints."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": postgres_database(),
        "REDIS_PORT": str(redis_server.port),
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_DIR": str(tmp_path / "logs"),
    }
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True)

    def run(module: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.program", f"tests.integration.{module}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def test_a_host_whose_clock_jumps_ends_nothing_and_delays_nothing(run: Run) -> None:
    found = run("jumping_clock")
    assert found["lost"] == []
    assert RETRY_SECONDS <= found["delay"] < JUMP.total_seconds() / 2
    assert found["stays_degraded"]


def test_what_a_host_with_a_wrong_clock_writes_has_the_time_of_the_database(run: Run) -> None:
    """Else a task that it has ended would be forgotten by the next rebuild."""
    found = run("wrong_clock")
    assert found["wrong_by"] < 60
    assert found["after_rebuild"] == ["completed", "failed"]
