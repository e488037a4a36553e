"""What a submission and a task's life may cost: statements, scripts, messages and sessions, counted.

More of them is slower on every machine, which a test of seconds would not tell for sure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingestion.services.system import embedded_redis
from tests.integration.system import ROOT
from tests.ledger_file import write_ledger

pytestmark = pytest.mark.redis

REST = {
    "submission": {"scripts": ["admit"], "sent": 0, "sessions": 0},
    "life": {"scripts": ["confirm", "finish"], "sent": 1, "sessions": 0},
    "ended": "completed",
}


def costs(folder: Path, ledger_url: str, server: embedded_redis.EmbeddedRedis) -> dict[str, Any]:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.pool.settings",
        "DATABASE_URL": ledger_url,
        "CACHE_URL": server.url(1),
        "CELERY_BROKER_URL": server.url(0),
        "BENCH_RUNS_FILE": str(folder / "runs"),
        "VAR_DIR": str(folder / "var"),
        "LOG_DIR": str(folder / "logs"),
    }
    if ledger_url.startswith("postgres"):
        migrate = [sys.executable, "manage.py", "migrate", "-v0"]
        subprocess.run(migrate, cwd=ROOT, env=env, check=True)
    program = [sys.executable, "-m", "tests.program", "tests.integration.budget_process"]
    done = subprocess.run(program, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written_indexes(database: str) -> dict[str, int]:
    """Into how many indexes of its table a new row of a waiting task, or of the audit, goes."""
    of_ended_or_scheduled = "%IS NOT NULL%"
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT tablename, count(*) FROM pg_indexes WHERE indexdef NOT LIKE %s"
            " AND tablename IN ('ingestion_synchistory', 'ingestion_auditrecord') GROUP BY 1",
            [of_ended_or_scheduled],
        )
        return dict(rows.fetchall())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[embedded_redis.EmbeddedRedis]:
    started = embedded_redis.start(tmp_path, durable=False)
    yield started
    started.stop()


def test_over_sqlite(tmp_path: Path, server: embedded_redis.EmbeddedRedis) -> None:
    write_ledger(tmp_path / "ledger.sqlite3")
    found = costs(tmp_path, f"sqlite:///{tmp_path / 'ledger.sqlite3'}", server)
    entered = [word for word in found["submission"].pop("statements") if word != "PRAGMA"]
    assert entered == ["BEGIN", "INSERT", "INSERT"]
    lived = found["life"].pop("statements")
    # The attempt; the end with its audit record; the start of the task that follows.
    assert [word for word in lived if word not in ("PRAGMA", "BEGIN")] == [
        "UPDATE",
        "UPDATE",
        "INSERT",
        "UPDATE",
    ]
    assert found == REST


@pytest.mark.postgres
def test_over_postgresql(
    tmp_path: Path,
    server: embedded_redis.EmbeddedRedis,
    postgres_database: Callable[[], str],
) -> None:
    database = postgres_database()
    found = costs(tmp_path, database, server)
    assert written_indexes(database) == {"ingestion_synchistory": 8, "ingestion_auditrecord": 3}
    # Of five threads one was first; then one has done it for the others.
    assert found.pop("together") == {
        "scripts": ["admit", "submit_many", "claim"],
        "entered": [1, 4],
        "actors_are_right": True,
        "queued": 5,
        "refused": [],
    }
    # Where that cannot be done for all, each is on its own, and one is refused.
    apart = found.pop("one_at_fault")
    assert sorted(apart.pop("scripts")) == ["admit"] * 4
    assert sorted(apart.pop("entered")) == [1, 1, 1, 1, 1, 4]
    assert apart == {"actors_are_right": True, "queued": 4, "refused": ["refused: thread 2"]}
    assert found["submission"].pop("statements") == ["WITH"]
    assert found["life"].pop("statements") == ["SET", "WITH", "UPDATE"]
    assert found == REST
