"""The order rule is changed while tasks wait, by processes that may die in the middle.

Over Redis, and over the ledger in its place; with both databases. The orders are worked out by hand
for five tasks, submitted an hour apart with the priorities 0, 1, 3, -5 and 0: a b c d e.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestion.services.system import embedded_redis
from tests.integration.aging_process import DIED
from tests.integration.system import ROOT
from tests.ledger_file import write_ledger

pytestmark = pytest.mark.redis

FIVE_WAIT = ("pause", *" hours=1 ".join(f"submit={n}" for n in (0, 1, 3, -5, 0)).split(), "hours=1")
HOURLY, STRICT = "cabed", "cbaed"


@dataclass
class Processes:
    environment: dict[str, str]

    def start(self, *steps: str) -> subprocess.CompletedProcess[str]:
        program = ["-m", "tests.program", "tests.integration.aging_process", *steps]
        return subprocess.run(
            [sys.executable, *program],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )

    def run(self, *steps: str) -> list[Any]:
        """What one process answers."""
        done = self.start(*steps)
        assert done.returncode == 0
        return list(json.loads(done.stdout))

    def die(self, *steps: str) -> None:
        assert self.start(*steps).returncode == DIED


@pytest.fixture
def processes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Processes]:
    decides, database = request.param
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.sqlite3'}",
        "VAR_DIR": str(tmp_path / "var"),
        "LOG_DIR": str(tmp_path / "logs"),
        "DEFAULT_AGING": "3600",
    }
    if database == "postgres":
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        environment["DATABASE_URL"] = new_database()
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
    else:
        write_ledger(tmp_path / "ledger.sqlite3")
    if decides == "ledger":
        yield Processes(environment)
        return
    server = embedded_redis.start(tmp_path, durable=False)
    yield Processes({**environment, "REDIS_PORT": str(server.port)})
    server.stop()


def over(*kinds: tuple[str, str]) -> pytest.MarkDecorator:
    """Who decides, and which database is the ledger's."""
    chosen = [
        pytest.param(kind, marks=[pytest.mark.postgres] if kind[1] == "postgres" else [])
        for kind in kinds
    ]
    return pytest.mark.parametrize("processes", chosen, indirect=True, ids="-".join)


def changed_by(found: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(found[name] for name in ("seconds", "revision", "set_by", "reason"))


@over(("redis", "sqlite"), ("redis", "postgres"), ("ledger", "sqlite"), ("ledger", "postgres"))
def test_there_and_back(processes: Processes) -> None:
    hourly, default, strict, zero, again, front, started = processes.run(
        *FIVE_WAIT,
        *("queue", "in_force"),
        *("change=0", "submit=-10", "queue", "in_force"),
        # A new one of 0 comes before the -10 that waits.
        *("hours=1", "change=3600", "submit=0", "queue"),
        *("front=d", "front=a", "change=0", "submit=1000", "queue"),
        *("let_go", "claim"),
    )
    assert (hourly, changed_by(default)) == (HOURLY, (3600, 1, "", ""))
    assert (strict, changed_by(zero)) == (f"{STRICT}f", (0, 2, "ann", "a test"))
    assert again == "cabegdf"
    assert front == "adhcbegf"
    assert started == ["a", "d"]


@over(("redis", "sqlite"), ("redis", "postgres"))
def test_a_crash_in_the_middle(processes: Processes) -> None:
    """Only Redis keeps scores: nothing starts, a submission has its place by the new rule, and
    whoever comes along goes on. A task a page; six pages are needed, and one to see the end."""
    processes.run(*FIVE_WAIT)
    processes.die("die_after_pages=2", "change=0")
    found, started = processes.run("let_go", "in_force", "claim")
    assert (found["seconds"], found["is_rescoring"]) == (0, True)
    assert started == []
    processes.die("die_after_pages=1", "hours=5", "submit=-10")
    nothing, *is_more_left, queue, started = processes.run("claim", *["page"] * 4, "queue", "claim")
    assert nothing == []
    assert is_more_left == [True, True, True, False]
    assert queue == f"{STRICT}f"
    assert started == ["c", "b"]


@over(("redis", "sqlite"), ("ledger", "postgres"))
def test_a_crash_before_the_store_has_heard(processes: Processes) -> None:
    """The old rule goes on until somebody comes along."""
    processes.run(*FIVE_WAIT)
    processes.die("die_before_the_store", "change=0")
    before, queue, found = processes.run("queue", "monitor", "queue", "in_force")
    assert before == HOURLY
    assert queue == STRICT
    assert changed_by(found) == (0, 2, "ann", "a test")
