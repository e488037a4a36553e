"""A worker that is told to end, however, while syncs run: they are queued again and run on after
its restart. A worker that was paused stops what it no longer holds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import System, running_system, wait_for
from tests.integration.test_cancel_ladder import (
    IN_A_REQUEST,
    IN_C_CODE,
    LONG,
    SWALLOWS_EVERYTHING,
    is_alive,
    stuck,
)

pytestmark = [pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

TERM, QUIT, INT = signal.SIGTERM, signal.SIGQUIT, signal.SIGINT
SHUTDOWN_SECONDS = "4"
labels = count(1)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis
) -> Iterator[System]:
    environment = {
        "WORKER_POOL_SHUTDOWN_SECONDS": SHUTDOWN_SECONDS,
        "WORKER_POOL_LEASE_SECONDS": "20",
        "WORKER_POOL_DISPATCH_SECONDS": "30",
    }
    with running_system(tmp_path_factory.mktemp("system"), redis_server, **environment) as system:
        yield system


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    if shared.worker is None:
        shared.start_worker()
    yield shared
    shared.call("cancel_all")
    if shared.worker is not None:
        wait_for(lambda: not shared.call("get_active_tasks"), what="an empty pool")


def is_queued_again(system: System, task_id: str) -> None:
    """In the store and in the ledger, with its attempt not counted."""
    task, row = system.task(task_id), system.call("row", task_id)
    assert (task["status"], row["status"]) == ("queued", "queued")
    assert (task["attempt"], task["max_attempts"]) == (1, 2)
    assert task["error_message"] == "The worker was shut down while the sync ran."
    assert "fail" not in system.call("audited", task_id)


@pytest.mark.parametrize(
    ("first", "to_group", "then"),
    [
        pytest.param(TERM, False, None, id="warm"),
        pytest.param(TERM, True, None, id="warm, all processes"),
        pytest.param(INT, True, None, id="Ctrl-C"),
        pytest.param(INT, True, INT, id="Ctrl-C twice"),
        pytest.param(QUIT, False, None, id="cold"),
        pytest.param(QUIT, True, None, id="cold, all processes"),
        pytest.param(TERM, False, QUIT, id="warm, then cold"),
    ],
)
def test_running_syncs_are_queued_again(
    system: System, first: signal.Signals, to_group: bool, then: signal.Signals | None
) -> None:
    running, waiting = [next(labels), next(labels)], next(labels)
    ids = [system.submit(n, steps=LONG) for n in running]
    behind = system.submit(waiting)
    for n in running:
        system.started(n)
    system.signal_worker(first, group=to_group)
    if then is not None:
        system.signal_worker(then, group=to_group)
    system.worker_exit()
    assert system.online() == []
    for task_id, n in zip(ids, running, strict=True):
        is_queued_again(system, task_id)
        assert system.runs(n, "end"), "it was killed"
    assert [task["id"] for task in system.call("get_queued_tasks")] == [*ids, behind]


def test_they_run_on_first_after_the_restart(system: System) -> None:
    running, waiting = [next(labels), next(labels)], next(labels)
    ids = [system.submit(n, steps=15) for n in running]
    ids.append(system.submit(waiting))
    for n in running:
        system.started(n)
    system.signal_worker(TERM)
    system.worker_exit()
    system.start_worker()
    for task_id in ids:
        assert system.ended(task_id)["status"] == "completed"
        assert system.closed_row(task_id)["status"] == "success"
    assert [len(system.runs(n)) for n in [*running, waiting]] == [2, 2, 1]
    assert system.started(waiting)["at"] > max(system.runs(n)[-1]["at"] for n in running)


def test_stuck_syncs_do_not_hold_up_a_shutdown(system: System) -> None:
    """They are queued again, but for one that was cancelled."""
    system.call("set_max_workers", 4)
    try:
        routes = [IN_A_REQUEST, SWALLOWS_EVERYTHING, IN_C_CODE, IN_C_CODE]
        held = [stuck(system, next(labels), route) for route in routes]
        cancelled, _ = held[-1]
        system.call("cancel_task", cancelled, change={"by": "ann", "reason": "enough"})
        system.signal_worker(TERM)
        system.worker_exit()
    finally:
        system.call("set_max_workers", 2)
    assert not any(is_alive(pid) for _, pid in held)
    for task_id, _ in held[:-1]:
        is_queued_again(system, task_id)
    task = system.ended(cancelled)
    assert task["status"] == "cancelled"
    assert task["error_message"].startswith("Cancelled by ann: enough")
    assert system.closed_row(cancelled)["status"] == "cancelled"


def test_a_shutdown_by_remote_control_is_a_shutdown(system: System) -> None:
    task_id, _ = stuck(system, next(labels), IN_C_CODE)
    system.call("shut_down_workers")
    system.worker_exit()
    is_queued_again(system, task_id)


def test_a_stuck_sync_does_not_hold_up_a_hurried_shutdown(system: System) -> None:
    task_id, _ = stuck(system, next(labels), IN_C_CODE)
    system.signal_worker(QUIT)
    system.worker_exit()
    is_queued_again(system, task_id)


def test_an_idle_worker_ends_at_once(system: System) -> None:
    system.signal_worker(TERM, group=True)
    assert system.worker_exit() == 0
    assert system.online() == []


def test_a_term_that_is_remapped_is_no_failure_either(
    tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    environment = {
        "REMAP_SIGTERM": "SIGQUIT",
        "CELERY_TASK_DEFAULT_QUEUE": "remapped",
        "WORKER_POOL_SHUTDOWN_SECONDS": SHUTDOWN_SECONDS,
    }
    with running_system(tmp_path, redis_server, **environment) as system:
        system.start_worker()
        task_id = system.submit(1, steps=LONG)
        system.started(1)
        system.signal_worker(TERM, group=True)
        system.worker_exit()
        is_queued_again(system, task_id)


def test_a_worker_whose_broker_is_away_ends_as_well(
    tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    broker = embedded_redis.start(tmp_path / "broker", durable=False)
    environment = {"CELERY_BROKER_URL": broker.url(0)}
    try:
        with running_system(tmp_path / "system", redis_server, **environment) as system:
            system.start_worker()
            task_id = system.submit(1, steps=LONG)
            system.started(1)
            broker.process.kill()
            wait_for(lambda: "Cannot connect to" in system.worker_log(), what="a lost connection")
            system.signal_worker(TERM)
            system.worker_exit()
            is_queued_again(system, task_id)
    finally:
        broker.stop()


class TestPaused:
    """By SIGSTOP, for longer than its lease."""

    @pytest.fixture
    def system(self, tmp_path: Path, redis_server: EmbeddedRedis) -> Iterator[System]:
        environment = {
            "CELERY_TASK_DEFAULT_QUEUE": "paused",
            "WORKER_POOL_LEASE_SECONDS": "3",
            "WORKER_POOL_CANCEL_ASK_SECONDS": "0.5",
            "WORKER_POOL_CANCEL_SOFT_SECONDS": "0.5",
            "WORKER_POOL_CANCEL_TERM_SECONDS": "0.5",
        }
        with running_system(tmp_path, redis_server, **environment) as system:
            system.start_worker()
            yield system

    def test_a_worker_stops_its_sync_and_reports_nothing(self, system: System) -> None:
        task_id = system.submit(1, steps=LONG)
        system.started(1)
        system.signal_worker(signal.SIGSTOP, group=True)
        task = system.ended(task_id)
        assert "lease of 3 s" in task["error_message"]
        system.signal_worker(signal.SIGCONT, group=True)
        wait_for(lambda: system.runs(1, "end"), what="the end of the paused sync")
        assert system.ended(system.submit(2))["status"] == "completed"
        assert system.task(task_id) == task
        row = system.closed_row(task_id)
        assert (row["status"], row["error_message"]) == ("failed", task["error_message"])
        assert system.call("audited", task_id).count("fail") == 1

    def test_a_child_alone_does_not_keep_its_process(self, system: System) -> None:
        """Its worker goes on and gives the task its next attempt."""
        task_id = system.submit(1, steps=LONG, max_attempts=2)
        pid = system.started(1)["pid"]
        os.kill(pid, signal.SIGSTOP)
        assert "lease of 3 s" in system.waiting_again(task_id)["error_message"]
        wait_for(lambda: not is_alive(pid), what="the end of the paused process")
        assert system.task(task_id)["status"] == "queued"
        assert system.runs(1, "end") == []
