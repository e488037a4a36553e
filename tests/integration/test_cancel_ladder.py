"""A sync that ignores being asked is stopped all the same, and nothing else of its worker is hurt."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import System, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker]

LONG = 600  # steps; nobody waits for it
STEP_SECONDS = "0.5"
IN_A_REQUEST, SWALLOWS_EXCEPTIONS = ("callrail", "calls"), ("callrail", "users")
SWALLOWS_EVERYTHING, IN_C_CODE = ("callrail", "tags"), ("callrail", "companies")
LOADS = ("callrail", "trackers")
labels = count(1)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    environment = {
        "WORKER_POOL_CANCEL_ASK_SECONDS": STEP_SECONDS,
        "WORKER_POOL_CANCEL_SOFT_SECONDS": STEP_SECONDS,
        "WORKER_POOL_CANCEL_TERM_SECONDS": STEP_SECONDS,
        "WORKER_POOL_LEASE_SECONDS": "30",
        "STUCK_FILE": str(folder / "stuck"),
    }
    with running_system(folder, redis_server, **environment) as system:
        system.start_worker()
        yield system


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    yield shared
    shared.call("cancel_all")
    wait_for(lambda: not shared.call("get_active_tasks"), what="an empty pool")


@pytest.fixture
def label() -> int:
    return next(labels)


def is_alive(pid: int) -> bool:
    """Zombies count as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it may end between opening and reading
        return False


def stuck(system: System, label: int, route: tuple[str, str]) -> tuple[str, int]:
    """A task and the process in which it is stuck."""
    task_id = system.submit(label, route=route)
    return task_id, system.started(label)["pid"]


@pytest.mark.parametrize("route", [IN_A_REQUEST, SWALLOWS_EXCEPTIONS])
def test_a_stuck_sync_is_interrupted_and_its_process_lives_on(
    system: System, label: int, route: tuple[str, str]
) -> None:
    task_id, pid = stuck(system, label, route)
    assert system.call("cancel_task", task_id, change={"by": "ann", "reason": "too slow"}) is True
    task = system.ended(task_id)
    assert (task["status"], task["error_message"]) == ("cancelled", "Cancelled by ann: too slow")
    assert system.closed_row(task_id)["status"] == "cancelled"
    assert system.runs(label, "end")
    assert is_alive(pid)


@pytest.mark.parametrize("route", [SWALLOWS_EVERYTHING, IN_C_CODE])
def test_a_sync_that_cannot_be_interrupted_is_killed(
    system: System, label: int, route: tuple[str, str]
) -> None:
    neighbour, waiting = next(labels), next(labels)
    beside = system.submit(neighbour, steps=LONG)
    beside_pid = system.started(neighbour)["pid"]
    task_id, pid = stuck(system, label, route)
    after = system.submit(waiting)
    system.call("cancel_task", task_id, change={"by": "ann", "reason": "stuck"})
    task = system.ended(task_id)
    assert task["status"] == "cancelled"
    assert task["error_message"].startswith("Cancelled by ann: stuck. The worker process was")
    row = system.closed_row(task_id)
    assert (row["status"], row["error_message"]) == ("cancelled", task["error_message"])
    assert not is_alive(pid)
    assert system.ended(after)["status"] == "completed"
    assert system.task(beside)["status"] == "running"
    assert system.runs(neighbour) == [system.started(neighbour)]
    assert is_alive(beside_pid)


@pytest.mark.parametrize(("route", "process_lives"), [(IN_A_REQUEST, True), (IN_C_CODE, False)])
def test_a_stale_sync_leaves_its_process(
    system: System, label: int, route: tuple[str, str], process_lives: bool
) -> None:
    task_id, pid = stuck(system, label, route)
    wait_for(lambda: system.call("cleanup_stale_active_tasks", 0.02), what="a stale task")
    task = system.ended(task_id)
    assert (task["status"], task["error_message"][:11]) == ("failed", "No progress")
    wait_for(lambda: system.runs(label, "end") or not is_alive(pid), what="an end of the process")
    assert is_alive(pid) is process_lives
    row = system.closed_row(task_id)
    assert (row["status"], row["error_message"]) == ("failed", task["error_message"])
    assert system.call("audited", task_id).count("fail") == 1


def test_no_other_sync_is_hit_while_many_are_stopped_at_their_end(
    tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    """The children go from one task to the next while the ladder is on its way, all of its steps
    within the time of a short sync: a step of the sync is longer than one of the ladder."""
    environment = {
        "WORKER_POOL_CANCEL_ASK_SECONDS": "0.1",
        "WORKER_POOL_CANCEL_SOFT_SECONDS": "0.1",
        "WORKER_POOL_CANCEL_TERM_SECONDS": "0.1",
        "FAKE_STEP_SECONDS": "0.25",
        "WORKER_POOL_DISPATCH_SECONDS": "5",
        "CELERY_TASK_DEFAULT_QUEUE": "race",
    }
    with running_system(tmp_path, redis_server, **environment) as system:
        system.start_worker()
        for first in range(1, 400, 20):
            stop_every_second_one(system, range(first, first + 20))
            if ladder_steps(system) > 20:
                return
        raise AssertionError("the ladder was hardly on its way")


def stop_every_second_one(system: System, labels_of_round: range) -> None:
    ids = {n: system.submit(n, steps=1 + n % 3) for n in labels_of_round}
    stopped = [n for n in ids if n % 2 == 0]
    for n in stopped:
        system.started(n)
        system.call("cancel_task", ids[n], change={"by": "ann"})
    for n, task_id in ids.items():
        status = system.ended(task_id)["status"]
        assert status == "completed" or (status == "cancelled" and n in stopped)
        assert len(system.runs(n)) == 1


def ladder_steps(system: System) -> int:
    log = (system.folder / "logs" / "ingestion.log").read_text()
    return log.count("must end and has not")


def test_a_late_signal_does_not_hurt_a_child_that_is_idle(system: System, label: int) -> None:
    system.ended(system.submit(label))
    pid = system.started(label)["pid"]
    os.kill(pid, signal.SIGUSR2)
    for n in [next(labels) for _ in range(6)]:
        assert system.ended(system.submit(n))["status"] == "completed"
    assert is_alive(pid)


def loaded_rows(system: System) -> list[Any]:
    found = next((system.folder / "var" / "warehouse").glob("*fake*"))
    with sa.create_engine(f"sqlite:///{found}").connect() as connection:
        return list(connection.execute(sa.text("SELECT id FROM leads ORDER BY id")).scalars())


def test_what_was_killed_while_it_loaded_is_loaded_by_the_next_run(
    system: System, label: int
) -> None:
    stuck_file = system.folder / "stuck"
    stuck_file.touch()
    task_id = system.submit(label, steps=500, route=LOADS)
    wait_for(lambda: system.runs(label, "loading"), what="a load that is stuck")
    system.call("cancel_task", task_id)
    assert system.ended(task_id)["status"] == "cancelled"
    stuck_file.unlink()
    again = system.submit(next(labels), steps=500, route=LOADS)
    assert system.ended(again)["status"] == "completed"
    assert system.closed_row(again)["status"] == "success"
    assert loaded_rows(system) == list(range(1, 501))
