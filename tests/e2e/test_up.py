"""``manage.py up``: the whole system starts, is found by other commands, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from data_warehouse.environment import BASE_DIR
from ingestion import runfile
from tests.project_copy import copy_project

pytestmark = pytest.mark.e2e

PATIENCE_SECONDS = 180
PROGRAMS = {"guard", "redis", "sandbox", "worker", "beat", "web"}


@dataclass
class Up:
    """One clone's data, and the ``up`` that runs on it. ``project`` is where its code is."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    project: Path = BASE_DIR

    @property
    def var_dir(self) -> Path:
        return self.folder / "var"

    @property
    def errors(self) -> Path:
        """What ``up`` printed to stderr."""
        return self.folder / "up.err"

    @property
    def environment(self) -> dict[str, str]:
        """As in a new clone: nothing is configured."""
        tests_own = ("INSIDE_TESTS", "CACHE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
        kept = {name: value for name, value in os.environ.items() if name not in tests_own}
        return {
            **kept,
            "DOTENV_FILE": os.devnull,
            "VAR_DIR": str(self.var_dir),
            "LOG_DIR": str(self.folder / "logs"),
        }

    def start(self, *arguments: str) -> str:
        """Start it and wait until it is ready; what it printed to stdout so far."""
        with self.errors.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *arguments],
                cwd=self.project,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        printed = ""
        assert self.process.stdout
        for line in self.process.stdout:
            printed += line
            if line.startswith("Press Ctrl-C"):
                return printed
        pytest.fail(f"up ended before it was ready: {self.errors.read_text()}")

    def manage(self, *arguments: str, timeout: float = PATIENCE_SECONDS) -> Any:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.manage("up", "--status", "--json").stdout)
        return found

    def program(self, name: str) -> dict[str, Any]:
        return next(p for p in self.status()["processes"] if p["name"] == name)

    def groups(self) -> list[int]:
        """The process groups of all programs."""
        running = runfile.read(self.var_dir)
        assert running
        return [record.mark.pid for record in running.processes]

    def end(self, number: signal.Signals) -> int:
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


def group_is_empty(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.2)


@pytest.fixture
def new_up(tmp_path: Path) -> Iterator[Up]:
    up = Up(tmp_path)
    yield up
    if up.process and up.process.poll() is None:
        up.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up"))
    up.start("--rows", "5", "--empty")
    yield up
    if up.process and up.process.poll() is None:
        up.end(signal.SIGTERM)


def test_status_tells_url_processes_and_readiness(running: Up) -> None:
    answer = running.manage("up", "--status", "--json")
    status = json.loads(answer.stdout)

    assert answer.returncode == 0
    assert (status["state"], status["ready"], status["missing"]) == ("ready", True, [])
    assert {p["name"] for p in status["processes"] if p["running"]} == PROGRAMS
    where = urlsplit(status["url"])
    link = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    link.request("GET", "/health/ready")
    assert link.getresponse().status == 200


def test_secrets_are_for_the_owner_alone(running: Up) -> None:
    for name in ("operator-login", "secret-key", "redis-password", "redis/server.conf"):
        assert (running.var_dir / name).stat().st_mode & 0o077 == 0, name
    assert runfile.path_in(running.var_dir).stat().st_mode & 0o077 == 0


def test_another_command_finds_the_system_without_any_setting(running: Up) -> None:
    answer = running.manage("manage_worker_pool", "submit", "hubspot", "owners", "--wait")

    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "completed" in answer.stdout


def test_a_second_up_says_that_it_runs_already(running: Up) -> None:
    answer = running.manage("up")

    assert answer.returncode == 4
    assert "runs already" in answer.stderr


def test_a_killed_worker_is_started_again(running: Up) -> None:
    before = running.program("worker")

    os.killpg(before["pid"], signal.SIGKILL)

    wait_until(lambda: running.program("worker")["restarts"] == 1, "the restart")
    wait_until(lambda: bool(running.status()["ready"]), "readiness")
    assert running.program("worker")["pid"] != before["pid"]


def test_ctrl_c_ends_everything_also_what_does_not_react(running: Up) -> None:
    groups = running.groups()
    os.kill(running.program("beat")["pid"], signal.SIGSTOP)

    assert running.end(signal.SIGINT) == 0

    wait_until(lambda: all(map(group_is_empty, groups)), "the end of everything")
    assert not runfile.path_in(running.var_dir).exists()
    answer = running.manage("up", "--status")
    assert (answer.returncode, answer.stdout.splitlines()[0]) == (3, "stopped")


def test_a_killed_up_takes_everything_with_it_and_the_next_one_starts(new_up: Up) -> None:
    first = new_up.start("--no-sandbox")
    groups = new_up.groups()

    new_up.end(signal.SIGKILL)

    wait_until(lambda: all(map(group_is_empty, groups)), "the end of everything")
    second = new_up.start("--no-sandbox")
    assert new_up.end(signal.SIGINT) == 0
    assert "not shown again" in first
    assert "not shown again" not in second


def test_wrong_settings_are_all_named_and_nothing_starts(new_up: Up) -> None:
    wrong = {
        "HUBSPOT_ACCESS_TOKEN": "",
        "FIVE9_USERNAME": "somebody",
        "DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3",
        "CACHE_URL": "redis://127.0.0.1:1/1",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "WAREHOUSE_URL": "nonsense",
    }
    answer = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=BASE_DIR,
        env={**new_up.environment, **wrong},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )

    assert answer.returncode == 2
    for name in (
        "FIVE9_PASSWORD",
        "DATABASE_URL",
        "CACHE_URL",
        "CELERY_BROKER_URL",
        "WAREHOUSE_URL",
    ):
        assert name in answer.stderr
    assert not runfile.path_in(new_up.var_dir).exists()


def test_without_a_sandbox_up_says_so_and_starts_the_rest(tmp_path: Path) -> None:
    """As whoever installed the wheel has it: the product without its tool of development."""
    project = tmp_path / "project"
    copy_project(project, without="sandbox")
    up = Up(tmp_path, project=project)
    try:
        up.start()

        assert "there is no sandbox in this installation" in up.errors.read_text()
        assert {p["name"] for p in up.status()["processes"]} == PROGRAMS - {"sandbox"}
        assert up.manage("crm_sandbox").returncode == 1
        answer = up.manage("manage_worker_pool", "submit", "hubspot", "owners", "--wait")
        assert "HUBSPOT_ACCESS_TOKEN" in answer.stdout + answer.stderr
    finally:
        code = up.end(signal.SIGINT)
    assert code == 0
