"""One of two workers is emptied while the other goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import ROOT, WAIT_SECONDS, System, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker]


@pytest.fixture
def system(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    with running_system(tmp_path / "system", redis_server) as found:
        yield found


def pool_command(system: System, *words: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "manage.py", "manage_worker_pool", *words, "--json"],
        cwd=ROOT,
        env=system.process_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or done.stderr.splitlines()[-1])


def test_it_takes_nothing_new_and_finishes_what_it_runs(system: System) -> None:
    system.start_worker("-n", "one@host")
    running = system.submit(1, steps=30)
    wait_for(lambda: system.runs(1), what="the first sync on the first worker")
    first, system.worker = system.worker, None
    assert first is not None
    system.start_worker("-n", "two@host")
    try:
        wait_for(lambda: len(system.online()) == 2, what="both workers")

        code, said = pool_command(system, "drain", "--worker", "one@host", "--wait")

        assert (code, said["drained"]) == (0, True), said
        assert system.ended(running)["status"] == "completed"
        wait_for(
            lambda: [w["name"] for w in system.online()] == ["two@host"], what="its slots are gone"
        )
        later = [system.submit(label) for label in (2, 3, 4)]
        ended = [system.ended(task_id) for task_id in later]
        assert {task["worker"].rsplit("/", 1)[0] for task in ended} == {"two@host"}

        code, said = pool_command(system, "resume", "--worker", "one@host")
        assert code == 0, said
        wait_for(lambda: len(system.online()) == 2, what="it takes syncs again")
    finally:
        os.killpg(first.pid, signal.SIGTERM)
        first.wait(timeout=WAIT_SECONDS)


def test_a_name_that_nobody_has_is_told(system: System) -> None:
    system.start_worker("-n", "one@host")
    wait_for(system.online, what="the worker")
    code, said = pool_command(system, "drain", "--worker", "other@host")
    assert code == 3
    assert "No worker other@host answers" in said["error"]["message"]  # type: ignore[index]
