"""Several processes over one ledger: the limit holds, every task runs once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.system import ROOT
from tests.ledger_file import write_ledger

CROWD, EACH, LIMIT = 3, 10, 2


def environment(folder: Path, database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url,
        "VAR_DIR": str(folder / "var"),
        "LOG_DIR": str(folder / "logs"),
        "RUNS_FILE": str(folder / "runs.jsonl"),
    }


@pytest.mark.postgres
def test_a_sync_that_ends_while_the_ledger_takes_over_stays_ended(
    tmp_path: Path, postgres_database: Callable[[], str]
) -> None:
    """Its row is being given a new lease in that moment; what is written back must not undo the end."""
    env = environment(tmp_path, postgres_database())
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    program = [sys.executable, "-m", "tests.program", "tests.integration.ending_while_degraded"]
    done = subprocess.run(
        program, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, timeout=120
    )
    assert json.loads(done.stdout) == {
        "status": "partial",
        "pool_status": "completed",
        "ended": True,
    }


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_limit_holds_and_nothing_runs_twice(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    new_database: Callable[[], str]
    if kind == "postgres":
        new_database = request.getfixturevalue("postgres_database")
        env = environment(tmp_path, new_database())
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=env, check=True)
    else:
        write_ledger(tmp_path / "ledger.sqlite3")
        env = environment(tmp_path, f"sqlite:///{tmp_path / 'ledger.sqlite3'}")
    (tmp_path / "runs.jsonl").touch()
    words = [str(EACH), str(CROWD * EACH), str(LIMIT)]
    crowd = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.program", "tests.integration.ledger_load", *words],
            cwd=ROOT,
            env=env,
        )
        for _ in range(CROWD)
    ]
    assert [process.wait(timeout=120) for process in crowd] == [0] * CROWD
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    starts = Counter(line["id"] for line in lines if line["what"] == "start")
    assert len(starts) == CROWD * EACH
    assert set(starts.values()) == {1}
    running = most = 0
    for line in lines:
        running += 1 if line["what"] == "start" else -1
        most = max(most, running)
    assert most <= LIMIT
