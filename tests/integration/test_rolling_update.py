"""Workers of two versions beside each other: the newer one has a CRM that the older one has not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import WAIT_SECONDS, System, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker]

ACME = ("acme", "all")
ACME_TASK = "ingestion.tasks.sync_acme_all"
OLDER, NEWER = {"NEW_CRM": ""}, {"NEW_CRM": "1"}


@pytest.fixture
def system(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    """The web process is updated first: it takes what its workers do not know yet."""
    with running_system(tmp_path / "system", redis_server, **NEWER) as found:
        yield found


def test_a_new_crm_waits_for_a_worker_that_knows_it(system: System) -> None:
    system.start_worker("-n", "older@%h", **OLDER)
    new = [system.submit(label, route=ACME) for label in (1, 2, 3)]
    known = system.submit(4)

    assert system.ended(known)["status"] == "completed", system.worker_log()
    for task_id in new:
        assert system.task(task_id)["status"] == "queued"
        why = system.call("why_waiting", task_id)
        assert why["code"] == "unknown_to_workers"
        assert f"cannot run {ACME_TASK}" in why["sentence"]
    (warning,) = [w for w in system.call("get_stats")["warnings"] if "Restart the Celery" in w]
    assert warning.startswith(f"No worker online can run {ACME_TASK};")
    assert warning in system.call("findings")["notes"]
    assert system.runs(1) == []

    older, system.worker = system.worker, None
    assert older is not None
    system.start_worker("-n", "newer@%h", **NEWER)
    try:
        for task_id in new:
            ended = system.ended(task_id)
            assert ended["status"] == "completed", ended["error_message"]
        assert [len(system.runs(label)) for label in (1, 2, 3, 4)] == [1, 1, 1, 1]
        assert "Restart the Celery" not in " ".join(system.call("get_stats")["warnings"])
    finally:
        os.killpg(older.pid, signal.SIGTERM)
        older.wait(timeout=WAIT_SECONDS)
    wait_for(lambda: len(system.online()) == 1, what="the older worker's goodbye")
    last = system.submit(5, route=ACME)
    assert system.ended(last)["status"] == "completed"
