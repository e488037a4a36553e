"""manage_worker_pool as people and scripts run it: a process, with a real Redis server."""

from __future__ import annotations

import json
import os
import pickle
import pty
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from ingestion.services.system import embedded_redis
from tests.ledger_file import write_ledger

ROOT = Path(__file__).resolve().parents[2]
# A deadline, not an expectation: it only ends a test whose command hangs.
DEADLINE_SECONDS = 60
READY = """
import json
import django
django.setup()
from django.test import Client
answer = Client().get("/health/ready", headers={"host": "localhost"})
print(json.dumps({"status": answer.status_code, **answer.json()}))
"""

pytestmark = pytest.mark.redis


@dataclass(frozen=True)
class System:
    """A database and a Redis server for processes of our own."""

    environment: dict[str, str]

    def manage(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.python("manage.py", *words, **settings)

    def pool(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return self.manage("manage_worker_pool", *words, **settings)

    def python(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", "manage_worker_pool", *words],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def on_terminal(self, *words: str, **settings: str) -> str:
        """What a terminal gets."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "manage.py", "manage_worker_pool", *words],
            cwd=ROOT,
            env={**self.environment, "TERM": "xterm-256color", "COLUMNS": "120", **settings},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            shown = _read_all(ours)
            process.wait(timeout=DEADLINE_SECONDS)
        return shown


def _read_all(terminal: int) -> str:
    """Until the other side is closed, which Linux tells by an error."""
    parts = []
    with os.fdopen(terminal, "rb", buffering=0) as stream:
        try:
            while part := stream.read(4096):
                parts.append(part)
        except OSError:
            pass
    return b"".join(parts).decode()


def environment(directory: Path, url: Callable[[int], str]) -> dict[str, str]:
    """Nothing of the developer's own settings that would change what is shown."""
    kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
        "DATABASE_URL": f"sqlite:///{directory / 'ledger.sqlite3'}",
        "CACHE_URL": url(1),
        "CELERY_BROKER_URL": url(0),
        "VAR_DIR": str(directory / "var"),
        "LOG_DIR": str(directory / "logs"),
    }


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, redis_server: embedded_redis.EmbeddedRedis
) -> System:
    folder = tmp_path_factory.mktemp("system")
    write_ledger(folder / "ledger.sqlite3")
    return System(environment(folder, redis_server.url))


@pytest.fixture(autouse=True)
def empty_pool(system: System, redis_server: embedded_redis.EmbeddedRedis) -> None:
    """Server and ledger are this test run's own; what is lost in one comes back from the other."""
    path = system.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as ledger, ledger:
        for table in ("synchistory", "poolreferee", "poolanswer"):
            ledger.execute(f"DELETE FROM ingestion_{table}")
    for database in (0, 1):
        with redis.Redis.from_url(redis_server.url(database)) as client:
            client.flushdb()


def submit(system: System, *words: str) -> str:
    ran = system.pool("submit", "hubspot", "all", *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def error_of(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(ran.stderr.splitlines()[-1])["error"]
    return error


def test_a_submitted_task_is_seen_by_the_next_process(system: System) -> None:
    task_id = submit(system, "--priority", "7", "--param", "full=true")
    shape = json.loads(system.pool("status", "--json").stdout)
    (task,) = shape["active"]
    assert (task["id"], task["priority"], task["parameters"]) == (task_id, 7, {"full": True})


def test_a_new_limit_is_in_force_in_the_next_process(system: System) -> None:
    try:
        assert system.pool("config", "--max-workers", "5").returncode == 0
        assert json.loads(system.pool("config", "--json").stdout)["max_workers"] == 5
    finally:
        system.pool("config", "--max-workers", "2")


def test_a_queued_task_is_cancelled_by_the_beginning_of_its_id(system: System) -> None:
    *_, last = [submit(system) for _ in range(3)]
    ran = system.pool("cancel", last[:8])
    assert (ran.returncode, ran.stdout) == (0, f"Task {last}: cancelled.\n")
    assert system.pool("cancel", last).returncode == 4


def test_a_reset_ends_everything(system: System) -> None:
    submit(system)
    assert system.pool("reset-state", "--force").returncode == 0
    assert json.loads(system.pool("status", "--json").stdout)["active"] == []


def test_what_is_pickled_is_told_and_read_on_request_alone(
    system: System, redis_server: embedded_redis.EmbeddedRedis
) -> None:
    """As ``cache.set`` of an older version left it."""
    entry = {"id": "old", "task_name": "ingestion.tasks.sync_hubspot_all", "status": "queued"}
    entry |= {"crm_source": "hubspot", "sync_type": "all", "submitted_at": "2026-01-01T10:00:00"}
    with redis.Redis.from_url(redis_server.url(1)) as client:
        client.set("{dw}:1:worker_pool:task_queue", pickle.dumps([entry]))
    told = "manage_worker_pool import-old-state"
    assert told in system.manage("check").stderr
    assert told in system.pool("status").stdout
    doctor = system.pool("doctor")
    assert told in doctor.stdout + doctor.stderr
    assert json.loads(system.pool("status", "--json").stdout)["active"] == []
    ran = system.pool("import-old-state", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["restored"]) == (0, 1)
    shape = json.loads(system.pool("status", "--json").stdout)
    assert ([task["id"] for task in shape["active"]], shape["warnings"]) == (["old"], [])


def test_a_pipe_gets_plain_lines(system: System) -> None:
    submit(system)
    ran = system.pool("status")
    assert "- Task " in ran.stdout
    assert ran.stdout.isascii()
    assert "\x1b" not in ran.stdout


def test_a_terminal_gets_tables_and_colour(system: System) -> None:
    submit(system)
    shown = system.on_terminal("status")
    assert re.search(r"\x1b\[3\dm", shown)
    assert "Active tasks" in shown


def test_no_color_is_honoured_on_a_terminal(system: System) -> None:
    assert "\x1b[32m" not in system.on_terminal("status", NO_COLOR="1")
    assert "\x1b[32m" not in system.on_terminal("status", "--no-color")
    assert "\x1b[31m" not in system.on_terminal("cancel", "ffffffff", NO_COLOR="1")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("status",), 5),
        (("status", "--no-color", "--settings=data_warehouse.settings", "-v0"), 5),
        (("status", "--check"), 5),
        (("nonsense",), 2),
        ((), 2),
        (("submit", "salesforce", "all"), 2),
        (("submit", "hubspot", "all", "--priority", "5000"), 2),
        (("submit", "hubspot", "all", "--params", "{nonsense"), 2),
        (("clear-queue",), 2),
        (("reset-state",), 2),
        (("cancel", "ffffffff"), 3),
    ],
)
def test_exit_codes(system: System, words: tuple[str, ...], code: int) -> None:
    ran = system.pool(*words)
    assert ran.returncode == code, ran.stderr
    assert bool(ran.stderr) == bool(code)
    assert "Traceback" not in ran.stderr


def test_nonsense_leaves_no_trace(system: System) -> None:
    before = json.loads(system.pool("status", "--json").stdout)
    ran = system.pool("submit", "salesforce", "all", "--json")
    assert (ran.stdout, error_of(ran)["code"]) == ("", "UNKNOWN_SOURCE")
    after = json.loads(system.pool("status", "--json").stdout)
    assert {**after, "taken_at": ""} == {**before, "taken_at": ""}


def test_a_continuous_monitor_writes_one_json_per_round_until_ctrl_c(system: System) -> None:
    with system.start("monitor", "--continuous", "--json", "--interval", "0.2") as process:
        assert process.stdout is not None
        rounds = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_SECONDS) == 130
    assert rounds[0]["taken_at"] < rounds[1]["taken_at"]


def test_a_reader_that_leaves_ends_the_monitor_quietly(system: System) -> None:
    with system.start("monitor", "--continuous", "--interval", "0.2") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=DEADLINE_SECONDS) == 141
        assert "Traceback" not in process.stderr.read()


def test_ctrl_c_while_waiting_leaves_the_task_running(system: System) -> None:
    with system.start("submit", "hubspot", "all", "--wait") as process:
        assert process.stderr is not None
        accepted, told = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=DEADLINE_SECONDS) == 130
        last = process.stderr.read()
    task_id = accepted.split()[1]
    assert "no worker has taken it yet" in told
    goes_on = f"The task goes on; cancel it with: manage.py manage_worker_pool cancel {task_id}"
    assert last.splitlines()[-1] == goes_on
    (task,) = json.loads(system.pool("list-tasks", "--active", "--json").stdout)["active"]
    assert task["id"] == task_id


def test_waiting_ends_with_the_task(system: System) -> None:
    with system.start("submit", "hubspot", "all", "--wait", "--json") as process:
        assert process.stderr is not None
        task_id = process.stderr.readline().split()[1]
        assert system.pool("cancel", task_id).returncode == 0
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    assert json.loads(out)["task"]["status"] == "cancelled"
    assert json.loads(err.splitlines()[-1])["error"]["code"] == "NOT_COMPLETED"


class TestWithoutRedis:
    def test_a_stopped_server_leaves_the_ledger(self, system: System, tmp_path: Path) -> None:
        server = embedded_redis.start(tmp_path / "redis", durable=False)
        there = {"CACHE_URL": server.url(1), "CELERY_BROKER_URL": server.url(0)}
        try:
            assert "none seen yet" in system.pool("status", **there).stdout
        finally:
            server.stop()
        ran = system.pool("status", "--json", **there)
        assert (ran.returncode, json.loads(ran.stdout)["state"]) == (0, "degraded")
        ran = system.pool("status", "--check", **there)
        assert (ran.returncode, "The pool is degraded since" in ran.stderr) == (1, True)
        assert system.pool("submit", "hubspot", "all", **there).returncode == 0

    def test_a_silent_server_leaves_the_ledger(self, system: System) -> None:
        """It takes connections and never answers; the command must not wait for ever."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/1"
            ran = system.pool("status", "--json", CACHE_URL=url)
            assert (ran.returncode, json.loads(ran.stdout)["state"]) == (0, "degraded")

    def test_without_the_ledger_too_it_is_unreachable(self, system: System, tmp_path: Path) -> None:
        gone = {
            "CACHE_URL": f"redis://127.0.0.1:{embedded_redis.free_port()}/1",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'no' / 'folder' / 'ledger.sqlite3'}",
        }
        ran = system.pool("status", "--json", **gone)
        assert (ran.returncode, ran.stdout) == (5, "")
        assert error_of(ran)["code"] == "LEDGER_UNAVAILABLE"
        assert system.pool("submit", "hubspot", "all", **gone).returncode == 5
        assert system.pool("doctor", **gone).returncode == 5

    def test_readiness_names_what_is_gone(self, system: System) -> None:
        gone = f"redis://:hunter2secret@127.0.0.1:{embedded_redis.free_port()}"
        ran = system.python("-c", READY, CACHE_URL=f"{gone}/1", CELERY_BROKER_URL=f"{gone}/0")
        shape = json.loads(ran.stdout)
        assert (shape["status"], shape["ready"]) == (503, False)
        assert {name: part["ok"] for name, part in shape["parts"].items()} == {
            "database": True,
            "cache": False,
            "broker": False,
            "worker": False,
        }
        assert "hunter2" not in ran.stdout


def test_readiness_wants_a_worker(system: System) -> None:
    parts = json.loads(system.python("-c", READY).stdout)["parts"]
    assert {name: part["ok"] for name, part in parts.items()} == {
        "database": True,
        "cache": True,
        "broker": True,
        "worker": False,
    }


def test_a_database_without_tables_says_what_to_run(system: System, tmp_path: Path) -> None:
    ran = system.pool("cancel", "ffffffff", DATABASE_URL=f"sqlite:///{tmp_path / 'new.sqlite3'}")
    assert (ran.returncode, "manage.py migrate" in ran.stderr) == (1, True)
    assert "Traceback" not in ran.stderr
