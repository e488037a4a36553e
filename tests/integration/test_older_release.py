"""A rolling update: a worker of an earlier release, from git, beside one of today, over one ledger and
one Redis that have been migrated already."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import WAIT_SECONDS, System, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

LONG = 600
LABELS = range(1, 21)


@pytest.fixture
def system(
    tmp_path: Path, redis_server: EmbeddedRedis, earlier_release_dir: Path
) -> Iterator[System]:
    """With the older worker alone."""
    bounds = {"WORKER_POOL_SHUTDOWN_SECONDS": "4", "FAKE_STEP_SECONDS": "0.05"}
    with running_system(tmp_path / "system", redis_server, **bounds) as found:
        found.start_worker("-n", "older@%h", release=earlier_release_dir)
        yield found


@pytest.fixture
def older(system: System) -> Iterator[subprocess.Popen[bytes]]:
    found, system.worker = system.worker, None
    assert found is not None
    yield found
    if found.poll() is None:
        os.killpg(found.pid, signal.SIGKILL)
        found.wait(timeout=WAIT_SECONDS)


def start_newer(system: System) -> None:
    system.start_worker("-n", "newer@%h")
    wait_for(lambda: len(system.online()) == 2, what="both workers")


def lose_state(system: System) -> None:
    """All keys of this system, as a FLUSHALL takes them."""
    with closing(Redis.from_url(system.redis.url(1))) as client:
        prefix = system.process_environment["CACHE_KEY_PREFIX"]
        client.delete(*client.scan_iter(match=f"{prefix}*", count=1000))


def all_ran_once(system: System, ids: list[str]) -> set[str]:
    """Which workers ran them."""
    ended = [system.ended(task_id) for task_id in ids]
    assert {task["status"] for task in ended} == {"completed"}, system.worker_log()
    assert [len(system.runs(label)) for label in LABELS] == [1] * len(LABELS)
    assert {system.closed_row(task_id)["status"] for task_id in ids} == {"success"}
    return {task["worker"].split("@")[0] for task in ended}


def test_an_older_worker_serves_the_new_release(
    system: System, older: subprocess.Popen[bytes]
) -> None:
    """The web process is updated first, the workers follow."""
    assert all_ran_once(system, [system.submit(label) for label in LABELS]) == {"older"}


def test_both_share_the_work_and_the_state_survives_its_loss(
    system: System, older: subprocess.Popen[bytes]
) -> None:
    start_newer(system)
    ids = [system.submit(label, steps=4) for label in LABELS]
    wait_for(lambda: len(system.runs()) > 4, what="some starts")
    lose_state(system)
    assert all_ran_once(system, ids) <= {"older", "newer"}
    starts, ends = system.runs(), system.runs(what="end")
    moments = sorted([(r["at"], 1) for r in starts] + [(r["at"], -1) for r in ends])
    running = [sum(step for _, step in moments[: n + 1]) for n in range(len(moments))]
    assert max(running) <= 2, "more at once than MAX_SYNC_WORKERS"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_what_an_older_worker_leaves_runs_on_a_newer_one(
    system: System, older: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    held = system.submit(1, steps=LONG, max_attempts=2)
    system.started(1)
    start_newer(system)
    waiting = system.submit(2)
    if number is signal.SIGKILL:
        os.killpg(older.pid, number)
    else:
        older.send_signal(number)
    older.wait(timeout=WAIT_SECONDS)
    assert system.ended(waiting)["status"] == "completed", system.worker_log()
    wait_for(lambda: len(system.runs(1)) == 2, what="the second attempt", seconds=120)
    task = system.task(held)
    assert task["status"] == "running"
    assert task["worker"].startswith("newer@")
    system.call("cancel_task", held)
    assert system.ended(held)["status"] == "cancelled"
