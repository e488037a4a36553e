"""The pool under the other pools of Celery: real workers, whose first syncs begin at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import ROOT, System, running_system

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]


@pytest.fixture
def system(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    with running_system(tmp_path / "system", redis_server) as found:
        yield found


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_the_first_syncs_of_a_worker_succeed(system: System, pool: str) -> None:
    """Two at once, before anything was imported or configured by an earlier one."""
    labels = range(1, 5)
    ids = [
        system.call("submit_task", "five9", "contacts", {"batch_size": label, "max_records": 3})
        for label in labels
    ]
    system.start_worker("--pool", pool)
    for task_id, label in zip(ids, labels, strict=True):
        assert system.ended(task_id)["status"] == "completed", system.worker_log()
        assert len(system.runs(label)) == 1
        assert system.closed_row(task_id)["status"] == "success"


def test_a_pool_of_threads_is_refused_in_one_sentence(system: System) -> None:
    words = [sys.executable, "-m", "celery", "-A", "data_warehouse", "worker", "--pool", "threads"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=system.process_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "A worker with --pool=thread cannot run syncs: take --pool=prefork" in done.stderr
    assert "Traceback" not in done.stderr
