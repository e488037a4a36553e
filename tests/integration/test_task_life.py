"""The life of a task with a real Redis server and a real worker process. Nothing starts the
monitor here: all that happens, happens without it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ingestion.services.requests.routing import ROUTES, task_name
from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.integration.system import LEASE_SECONDS, System, running_system, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.worker]

LONG = 600  # steps; nobody waits for it
labels = count(1)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis
) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("system"), redis_server) as system:
        yield system


@pytest.fixture
def system(shared: System) -> Iterator[System]:
    """With a worker, and an empty pool afterwards."""
    if shared.worker is None:
        shared.start_worker()
    yield shared
    shared.call("cancel_all")
    wait_for(lambda: not shared.call("get_active_tasks"), what="an empty pool")


@pytest.fixture
def label() -> int:
    return next(labels)


def test_a_task_completes_with_its_counts_in_the_ledger(system: System, label: int) -> None:
    rows = system.call("rows")
    task_id = system.submit(label, steps=3, requested_by="ann")
    task = system.ended(task_id)
    assert task["status"] == "completed"
    assert task["worker"].startswith("celery@")
    row = system.closed_row(task_id)
    assert (row["status"], row["records_processed"], row["records_created"]) == ("success", 3, 3)
    assert system.call("rows") == rows + 1
    actors = system.call("actors", task_id)
    assert actors == {"submit": "ann", "complete": task["worker"]}


def test_a_failure_is_logged_once_with_all_ids(system: System, label: int) -> None:
    task_id = system.submit(label, parameters={"force": True})
    assert system.ended(task_id)["status"] == "failed"
    run = system.call("row", task_id)["id"]
    ids = {"task_id": task_id, "attempt": 1, "crm": "five9", "model": "contacts", "run": run}
    (failure,) = [e for e in events(system, "ingestion.log", task_id) if "exception" in e]
    assert {name: failure.get(name) for name in ids} == ids
    assert "hunter2222" not in failure["exception"]
    (ended,) = wait_for(  # the worker writes it after the task's slot is free
        lambda: [e for e in events(system, "celery.log", task_id) if "TaskFailed" in e["event"]],
        what="the worker's line of the failure",
    )
    assert {name: ended.get(name) for name in ids} == ids
    assert ended["level"] == "info"


def events(system: System, file: str, named: str) -> list[dict[str, Any]]:
    lines = (system.folder / "logs" / file).read_text().splitlines()
    return [json.loads(line) for line in lines if named in line]


def test_every_route_is_registered_in_a_plain_worker(system: System) -> None:
    names = wait_for(lambda: system.call("registered"), what="an answer of the worker")
    assert {task_name(*route) for route in ROUTES} <= set(names)
    assert {
        "ingestion.tasks.worker_pool_monitor",
        "ingestion.tasks.cleanup_stale_syncs",
    } <= set(names)


def test_never_more_than_two_run_and_the_order_is_kept(system: System) -> None:
    block = [next(labels), next(labels)]
    blockers = [system.submit(n, steps=15) for n in block]
    wanted = [(0, next(labels)), (5, next(labels)), (0, next(labels)), (5, next(labels))]
    ids = [system.submit(n, steps=3, priority=priority) for priority, n in wanted]
    for task_id in [*blockers, *ids]:
        assert system.ended(task_id)["status"] == "completed"
    mine = {*block, *(n for _, n in wanted)}
    starts = [r for r in system.runs() if r["label"] in mine]
    ends = [r for r in system.runs(what="end") if r["label"] in mine]
    changes = sorted([(r["at"], 1) for r in starts] + [(r["at"], -1) for r in ends])
    running = [sum(step for _, step in changes[: n + 1]) for n in range(len(changes))]
    assert max(running) == 2
    claimed = sorted(
        (system.task(i)["started_at"], n) for i, (_, n) in zip(ids, wanted, strict=True)
    )
    by_priority = [n for _, n in sorted(wanted, key=lambda pair: -pair[0])]
    assert [n for _, n in claimed] == by_priority


def test_a_message_that_comes_twice_runs_once(system: System, label: int) -> None:
    task_id = system.submit(label, steps=10)
    system.started(label)
    system.call("send_again", task_id)
    system.call("send_again", task_id)
    assert system.ended(task_id)["status"] == "completed"
    system.call("send_again", task_id)
    after = next(labels)
    system.ended(system.submit(after))
    assert len(system.runs(label)) == 1


def test_a_message_that_its_worker_never_began_comes_back(system: System) -> None:
    system.kill_worker()
    system.call("delay", "ingestion.tasks.worker_pool_monitor", {})
    assert system.call("take_a_message_and_die") == 0
    assert system.call("get_stats")["monitor"]["last_round_at"] is None
    system.start_worker()
    wait_for(
        lambda: system.call("get_stats")["monitor"]["last_round_at"], what="the monitor's round"
    )


def test_progress_can_be_seen_while_it_runs(system: System, label: int) -> None:
    task_id = system.submit(label, steps=LONG)
    progress = wait_for(lambda: system.task(task_id)["progress"], what="progress")
    assert progress["model"] == "contacts"
    assert progress["rows"] >= 1


def test_the_doctor_finds_nothing_while_syncs_run_and_wait(system: System) -> None:
    running, waiting = [next(labels), next(labels)], next(labels)
    for n in (*running, waiting):
        system.submit(n, steps=LONG)
    for n in running:
        system.started(n)
    assert system.call("findings") == {"findings": [], "notes": []}


def test_a_running_task_stops_when_asked_to(system: System, label: int) -> None:
    task_id = system.submit(label, steps=LONG)
    system.started(label)
    assert system.call("cancel_task", task_id, change={"by": "ann", "reason": "too slow"}) is True
    task = system.ended(task_id)
    assert (task["status"], task["error_message"]) == ("cancelled", "Cancelled by ann: too slow")
    row = system.closed_row(task_id)
    assert row["status"] == "cancelled"
    assert row["records_processed"] >= 1


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"force": True}, "Five9 answered 503, password=***"),
        ({"full": True}, "exit code 3"),
        ({"mode": "sideways"}, "delta, full, force7"),
    ],
)
def test_a_failure_is_a_failure_everywhere(
    system: System, label: int, parameters: dict[str, object], says: str
) -> None:
    task_id = system.submit(label, parameters=parameters)
    task = system.ended(task_id)
    row = system.closed_row(task_id)
    assert (task["status"], row["status"]) == ("failed", "failed")
    assert says in task["error_message"]
    assert row["error_message"] == task["error_message"]
    assert "hunter2222" not in system.worker_log()
    assert system.call("audited", task_id).count("fail") == 1


def test_a_transient_failure_waits_for_its_next_attempt(system: System, label: int) -> None:
    task_id = system.submit(label, parameters={"force": True}, max_attempts=2)
    queued = system.waiting_again(task_id)
    assert queued["attempt"] == 1
    assert queued["not_before"] is not None


def test_kill_9_of_the_child_fails_its_task_and_starts_the_next(system: System) -> None:
    killed, other, waiting = next(labels), next(labels), next(labels)
    first = system.submit(killed, steps=LONG)
    second = system.submit(other, steps=LONG)
    third = system.submit(waiting)
    os.kill(system.started(killed)["pid"], signal.SIGKILL)
    task = system.ended(first)
    assert task["status"] == "failed"
    assert task["error_message"] == "The worker process was killed (signal 9)."
    (worker, _) = task["worker"].split("/")
    assert system.closed_row(first)["status"] == "failed"
    assert system.call("actors", first)["fail"] == worker
    assert system.ended(third)["status"] == "completed"
    assert system.task(second)["status"] == "running"


def test_kill_9_of_the_child_leaves_another_attempt(system: System, label: int) -> None:
    task_id = system.submit(label, steps=LONG, max_attempts=2)
    os.kill(system.started(label)["pid"], signal.SIGKILL)
    queued = system.waiting_again(task_id)
    assert "signal 9" in queued["error_message"]


def test_kill_9_of_the_whole_worker_fails_its_tasks_within_the_lease(system: System) -> None:
    held, waiting = [next(labels), next(labels)], next(labels)
    ids = [system.submit(n, steps=LONG) for n in held]
    third = system.submit(waiting)
    for n in held:
        system.started(n)
    system.kill_worker()
    for task_id in ids:
        task = system.ended(task_id)
        assert task["status"] == "failed"
        assert f"lease of {LEASE_SECONDS} s" in task["error_message"]
        row = system.closed_row(task_id)
        assert (row["status"], row["error_message"]) == ("failed", task["error_message"])
    system.start_worker()
    assert system.ended(third)["status"] == "completed"


def test_a_task_called_directly_goes_through_the_pool(system: System, label: int) -> None:
    system.call(
        "delay", "ingestion.tasks.sync_five9_contacts", {"batch_size": label, "max_records": 2}
    )
    system.started(label)
    wait_for(lambda: system.runs(label, "end"), what="the end")
    wait_for(lambda: not system.call("get_active_tasks"), what="an empty pool")
    assert len(system.runs(label)) == 1


def test_a_submission_that_was_rolled_back_does_not_run(system: System) -> None:
    runs = len(system.runs())
    task_id = system.call("submit_and_roll_back")
    task = system.ended(task_id)
    assert task["status"] == "cancelled"
    assert "rolled back" in task["error_message"]
    assert len(system.runs()) == runs


def test_a_changed_limit_is_in_force_in_the_worker(system: System) -> None:
    numbers = [next(labels) for _ in range(3)]
    system.call("set_max_workers", 3, change={"by": "ann"})
    try:
        ids = [system.submit(n, steps=LONG) for n in numbers]
        for n in numbers:
            system.started(n)
        assert {system.task(i)["status"] for i in ids} == {"running"}
    finally:
        system.call("set_max_workers", 2)


def test_a_worker_outlives_a_restart_of_redis(tmp_path: Path) -> None:
    """And its running sync ends as if nothing had happened."""
    server = embedded_redis.start(tmp_path / "redis")
    try:
        environment = {"WORKER_POOL_LEASE_SECONDS": "60"}
        with running_system(tmp_path / "system", server, **environment) as system:
            system.start_worker()
            task_id = system.submit(1, steps=60)
            system.started(1)
            server.process.kill()
            server.process.wait(timeout=10)
            server = embedded_redis.start(tmp_path / "redis", port=server.port)
            assert system.ended(task_id)["status"] == "completed"
            assert system.ended(system.submit(2))["status"] == "completed"
            assert system.worker is not None
            assert system.worker.poll() is None
    finally:
        server.stop()
