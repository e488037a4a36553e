"""What web, worker and beat say on stdout: one event a line, at LOG_LEVEL and in LOG_FORMAT."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis, free_port
from tests.integration.system import ROOT, WAIT_SECONDS, System, wait_for

pytestmark = pytest.mark.redis

Line = dict[str, Any]
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "data_warehouse")


@pytest.fixture
def system(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    queue = {"CELERY_TASK_DEFAULT_QUEUE": f"logs-{tmp_path.name}"}
    found = System(tmp_path / "system", redis_server, environment=queue)
    found.prepare()
    yield found
    found.stop()


@contextmanager
def speaking(system: System, *command: str, **settings: str) -> Iterator[Callable[[], list[str]]]:
    """A program of the system, and the lines that it has said on stdout so far."""
    said = system.folder / "said"
    with said.open("wb") as out, (system.folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**system.process_environment, **settings},
            stdout=out,
            stderr=errors,
        )
    try:
        yield lambda: said.read_text().splitlines()
    finally:
        process.terminate()
        process.wait(timeout=WAIT_SECONDS)


def found_in(lines: Callable[[], list[str]], is_it: Callable[[Line], bool], what: str) -> Line:
    """The first such event. Every line until then is one object."""

    def look() -> Line | None:
        return next((event for event in map(json.loads, lines()) if is_it(event)), None)

    found = wait_for(look, what=what)
    assert found is not None
    return found


def test_a_worker_says_what_it_runs(system: System) -> None:
    with speaking(system, *CELERY, "worker", LOG_FORMAT="json") as lines:
        task_id = system.submit(1)
        assert system.ended(task_id)["status"] == "completed"
        ended = found_in(
            lines, lambda e: e["event"].endswith(" is completed"), "the end of the sync"
        )
        begun = found_in(lines, lambda e: " begins, attempt 1 of " in e["event"], "its begin")
    for event in (begun, ended):
        assert (event["task_id"], event["attempt"]) == (task_id, 1)
        assert (event["crm"], event["model"]) == ("five9", "contacts")
        assert event["run"] == system.call("row", task_id)["id"]
        assert event["level"] == "info"


def test_beat_says_what_it_sends(system: System) -> None:
    settings = {"LOG_FORMAT": "json", "WORKER_POOL_MONITOR_SECONDS": "1"}
    with speaking(system, *CELERY, "beat", **settings) as lines:
        found_in(lines, lambda e: "Sending due task" in e["event"], "a task that beat sends")


def test_beat_waits_for_its_database(system: System, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/away/ledger", "LOG_FORMAT": "json"}
    with speaking(system, *CELERY, "beat", WORKER_POOL_MONITOR_SECONDS="1", **settings) as lines:
        found_in(lines, lambda e: e["event"].startswith("beat waits for"), "its word that it waits")
        (tmp_path / "new").mkdir()
        copyfile(system.ledger_file, tmp_path / "new" / "ledger")
        (tmp_path / "new").rename(tmp_path / "away")
        found_in(lines, lambda e: "Sending due task" in e["event"], "a task that beat sends")


def test_beat_can_be_ended_while_it_waits(system: System, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/away/ledger", "LOG_FORMAT": "json"}
    with speaking(system, *CELERY, "beat", **settings) as lines:  # which ends it, and waits
        found_in(lines, lambda e: e["event"].startswith("beat waits for"), "its word that it waits")


def test_web_says_who_asked_for_what(system: System) -> None:
    port = free_port()
    web = (sys.executable, "-m", "data_warehouse.web", "--listen", f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/login/?next=/&token=s3cr3t"

    def is_answered() -> bool:
        try:
            return bool(urllib.request.urlopen(url, timeout=WAIT_SECONDS).status == 200)
        except OSError:
            return False

    with speaking(system, *web, LOG_FORMAT="json") as lines:
        wait_for(is_answered, what="an answer")
        found = found_in(lines, lambda e: e.get("path") == "/login/", "the line of the request")
        assert "s3cr3t" not in "".join(lines())
    assert (found["method"], found["status"], found["client"]) == ("GET", 200, "127.0.0.1")


def test_the_level_and_the_form_for_people_count_too(system: System) -> None:
    with speaking(system, *CELERY, "worker", LOG_LEVEL="WARNING") as lines:
        task_id = system.submit(1)
        assert system.ended(task_id)["status"] == "completed"
        quiet = lines()
    assert not [line for line in quiet if "[info" in line]
    with speaking(system, *CELERY, "worker") as lines:
        task_id = system.submit(1)
        wait_for(
            lambda: [line for line in lines() if " is completed" in line and task_id in line],
            what="the end of the sync",
        )
