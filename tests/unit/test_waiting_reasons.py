"""A pool in each state that keeps a task waiting: command line, JSON and metrics say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import manage, pool_in_memory, take

NETWORK = "127.0.0.0/8"
RUN_SECONDS = 600


@pytest.fixture
def pool(db: None, settings: Any) -> Iterator[WorkerPoolService]:
    """Two slots; five past runs of the one route that runs here, ten minutes each."""
    settings.INGESTION_METRICS_NETWORKS = [ip_network(NETWORK)]
    end = timezone.now() - timedelta(hours=1)
    for _ in range(5):
        SyncHistory.objects.create(
            crm_source="hubspot",
            sync_type="contacts",
            status="success",
            start_time=end - timedelta(seconds=RUN_SECONDS),
            end_time=end,
        )
    with pool_in_memory() as service:
        yield service


def running(pool: WorkerPoolService, count: int) -> list[str]:
    ids = [pool.submit_task("hubspot", "contacts") for _ in range(count)]
    for task_id in ids:
        take(pool, task_id)
    return ids


@dataclass(frozen=True)
class Waiting:
    """A task that waits, and what is to be said of it."""

    task_id: str
    holders: list[str]
    has_range: bool


def pool_full(pool: WorkerPoolService) -> Waiting:
    holders = running(pool, 2)
    return Waiting(pool.submit_task("hubspot", "contacts"), holders, has_range=True)


def crm_limit(pool: WorkerPoolService) -> Waiting:
    pool.set_crm_limit("hubspot", 1, change=ChangeRequest(by="ann", reason="slow API"))
    holders = running(pool, 1)
    return Waiting(pool.submit_task("hubspot", "contacts"), holders, has_range=True)


def crm_paused(pool: WorkerPoolService) -> Waiting:
    end = timezone.now() + timedelta(hours=1)
    pool.pause("hubspot", change=ChangeRequest(by="ann", reason="new token"), expires_at=end)
    return Waiting(pool.submit_task("hubspot", "contacts"), [], has_range=True)


def pool_paused(pool: WorkerPoolService) -> Waiting:
    pool.pause(change=ChangeRequest(by="ann", reason="deployment"))
    return Waiting(pool.submit_task("hubspot", "contacts"), [], has_range=False)


def held(pool: WorkerPoolService) -> Waiting:
    running(pool, 2)
    task_id = pool.submit_task("hubspot", "contacts")
    pool.hold_task(task_id, change=ChangeRequest(by="ann", reason="after the import"))
    return Waiting(task_id, [], has_range=False)


def not_before(pool: WorkerPoolService) -> Waiting:
    when = timezone.now() + timedelta(hours=1)
    return Waiting(pool.submit_task("hubspot", "contacts", not_before=when), [], has_range=True)


def no_worker(pool: WorkerPoolService) -> Waiting:
    pool.worker_gone("celery@test")
    return Waiting(pool.submit_task("hubspot", "contacts"), [], has_range=False)


def unknown_to_workers(pool: WorkerPoolService) -> Waiting:
    known = ["ingestion.tasks.sync_genius_all"]
    pool.store.worker_seen("celery@test", capacity=2, task_names=known)
    return Waiting(pool.submit_task("hubspot", "contacts"), [], has_range=False)


def degraded(pool: WorkerPoolService) -> Waiting:
    """The moment after Redis has gone: the ledger decides, and starts nothing yet."""
    store, since = pool.store, timezone.now()
    assert isinstance(store, MemoryPoolStore)
    pool.pause(change=ChangeRequest(by="test"))
    task_id = pool.submit_task("hubspot", "contacts")
    plain = store.snapshot

    def snapshot(*, queue_limit: int = 100) -> object:
        found = plain(queue_limit=queue_limit)
        return replace(
            found,
            controls=replace(found.controls, pause=None),
            effective_limit=0,
            degraded=True,
            degraded_since=since,
            degraded_reason="Redis cannot be reached.",
        )

    store.snapshot = snapshot  # type: ignore[method-assign, assignment]
    return Waiting(task_id, [], has_range=False)


STATES = [
    pool_full,
    crm_limit,
    crm_paused,
    pool_paused,
    held,
    not_before,
    no_worker,
    unknown_to_workers,
    degraded,
]
each_state = pytest.mark.parametrize("put_into", STATES, ids=lambda state: state.__name__)
State = Callable[[WorkerPoolService], Waiting]


def samples(name: str) -> dict[tuple[str, ...], float]:
    """A metric's values by those of its labels, in the order of their names."""
    text = Client(REMOTE_ADDR="127.0.0.1").get("/metrics").content.decode()
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def seconds_from_now(when: str) -> float:
    return (datetime.fromisoformat(when) - timezone.now()).total_seconds()


@each_state
def test_explain_says_it(pool: WorkerPoolService, put_into: State) -> None:
    waiting = put_into(pool)
    shape = manage("explain", waiting.task_id, "--json").shape
    assert shape["reason"]["code"] == put_into.__name__
    assert [holder["id"] for holder in shape["reason"]["holders"]] == waiting.holders
    assert all(holder["since"] for holder in shape["reason"]["holders"])
    assert (shape["start"] is not None) == waiting.has_range
    out = manage("explain", waiting.task_id).out
    assert f"Waits: {put_into.__name__}. " in out
    assert all(f"held by {holder}" in out for holder in waiting.holders)
    assert ("Start: in " in out) == waiting.has_range


@each_state
def test_status_says_it(pool: WorkerPoolService, put_into: State) -> None:
    waiting = put_into(pool)
    shape = manage("status", "--json").shape
    found = {task["id"]: task for name in ("queued", "delayed", "held") for task in shape[name]}
    wait = found[waiting.task_id]["wait"]
    assert wait["reason"]["code"] == put_into.__name__
    assert [holder["id"] for holder in wait["reason"]["holders"]] == waiting.holders
    assert (wait["start"] is not None) == waiting.has_range
    out = manage("status", "--verbose").out
    assert f"  waits: {put_into.__name__}. " in out
    assert ("  start: in " in out) == waiting.has_range


@each_state
def test_metrics_say_it(pool: WorkerPoolService, put_into: State) -> None:
    waiting = put_into(pool)
    key = ("hubspot", put_into.__name__)
    assert samples("worker_pool_waiting_tasks") == {key: 1}
    if waiting.holders:
        count = len(waiting.holders)
        assert samples("worker_pool_active_tasks") == {("hubspot", "contacts"): count}
    starts = samples("worker_pool_next_start_seconds")
    bounds = ("earliest", "latest") if waiting.has_range else ()
    assert starts.keys() == {(bound, *key) for bound in bounds}
    told = manage("explain", waiting.task_id, "--json").shape["start"]
    for bound in bounds:
        expected = pytest.approx(seconds_from_now(told[bound]), abs=60)
        assert starts[bound, *key] == expected


def test_the_range_names_what_it_was_learned_from(pool: WorkerPoolService) -> None:
    waiting = pool_full(pool)
    assert "from the last 5 runs of hubspot.contacts" in manage("explain", waiting.task_id).out


def test_without_past_runs_nothing_is_announced(pool: WorkerPoolService) -> None:
    SyncHistory.objects.filter(worker_pool_task_id=None).delete()
    waiting = pool_full(pool)
    assert "Start: cannot be known" in manage("explain", waiting.task_id).out


def test_a_task_that_runs_is_not_explained(pool: WorkerPoolService) -> None:
    (task_id,) = running(pool, 1)
    ran = manage("explain", task_id)
    assert (ran.code, "does not wait: it is running" in ran.message) == (4, True)


def test_a_task_deep_in_the_queue_is_explained(
    pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.services.waiting.verbs.FIRST_LOOK", 1)
    running(pool, 2)
    *_, last = [pool.submit_task("hubspot", "contacts") for _ in range(4)]
    assert pool.explain(last).position == 4
