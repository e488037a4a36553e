"""Two workers, each for a queue of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import WAIT_SECONDS, System, running_system, wait_for
from tests.integration.test_drain_of_a_worker import pool_command

pytestmark = [pytest.mark.redis, pytest.mark.worker]


@pytest.fixture
def system(tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
    queues = {
        "CELERY_TASK_DEFAULT_QUEUE": "queues-small",
        "CELERY_SYNC_QUEUES": "five9.contacts:queues-big",
    }
    with running_system(tmp_path / "system", redis_server, **queues) as found:
        yield found


def online(system: System) -> list[str]:
    return sorted(worker["name"] for worker in system.online())


def test_a_sync_goes_to_the_worker_of_its_queue(system: System) -> None:
    """The small worker, whose syncs fail for want of credentials, takes no big sync: that waits for the big one; drained, this
    one comes back to its own queue alone."""
    system.start_worker("-n", "small@host", "--queues", "queues-small")
    wait_for(lambda: online(system) == ["small@host"], what="the small worker")
    small, system.worker = system.worker, None
    assert small is not None
    try:
        big = system.submit(1)
        other = system.ended(system.submit(2, route=("genius", "leads")))
        assert other["worker"].rsplit("/", 1)[0] == "small@host"
        assert system.task(big)["status"] == "queued"
        assert "from the queue queues-big" in system.call("get_stats")["warnings"][0]

        system.start_worker("-n", "big@host", "--queues", "queues-big")
        assert system.ended(big)["worker"].rsplit("/", 1)[0] == "big@host"
        assert system.call("get_stats")["warnings"] == []

        for verb, left in (("drain", ["small@host"]), ("resume", ["big@host", "small@host"])):
            code, said = pool_command(system, verb, "--worker", "big@host")
            assert code == 0, said
            wait_for(lambda left=left: online(system) == left, what=f"the end of {verb}")
        again = [system.submit(3), system.submit(4, route=("hubspot", "deals"))]
        assert [system.ended(task_id)["worker"].rsplit("/", 1)[0] for task_id in again] == [
            "big@host",
            "small@host",
        ]
    finally:
        os.killpg(small.pid, signal.SIGTERM)
        small.wait(timeout=WAIT_SECONDS)
