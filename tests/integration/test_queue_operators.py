"""Operators of one queue, on every store that the service may stand on, and across its changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ingestion.models import AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import Conflict
from ingestion.services.worker_pool import WorkerPoolService
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed
from tests.unit.pool_fixtures import Bench

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

Operators = tuple[WorkerPoolService, WorkerPoolService]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


@pytest.fixture(params=["memory", "redis", "degraded"])
def operators(request: pytest.FixtureRequest) -> Operators:
    """Two processes over one pool."""
    if request.param == "memory":
        memory = Bench()
        return memory.pool, memory.another_process()
    bench: FailoverTestbed = request.getfixturevalue("bench")
    bench.submit()
    if request.param == "degraded":
        bench.lose_redis()
    return bench.pool, bench.another_process()


def test_of_two_operators_one_is_heard_and_the_other_told(operators: Operators) -> None:
    ann, bob = operators
    ann.pause("genius", change=ChangeRequest(by="ann"))
    task_id = ann.submit_task("genius", "leads")
    seen_by_ann, seen_by_bob = (pool.get_task_status(task_id) for pool in operators)
    assert seen_by_ann is not None
    assert seen_by_ann == seen_by_bob
    moved = ann.set_priority(
        task_id,
        9,
        change=ChangeRequest(by="ann", reason="urgent", expected_revision=seen_by_ann.revision),
    )
    with pytest.raises(Conflict, match="queued now, at revision 2") as caught:
        bob.cancel_task(
            task_id,
            change=ChangeRequest(
                by="bob", reason="not needed", expected_revision=seen_by_ann.revision
            ),
        )
    assert (caught.value.status, caught.value.revision) == ("queued", moved.revision)
    assert bob.get_task_status(task_id) == moved
    heard = AuditRecord.objects.get(action="prioritize", target=task_id)
    told = AuditRecord.objects.get(action="conflict", target=task_id)
    assert (heard.actor, heard.after["priority"]) == ("ann", 9)
    assert (told.actor, told.reason, told.before["wanted"]) == ("bob", "not needed", "cancel")
    assert told.after == {"status": "queued", "revision": moved.revision}


def everything_set(bench: FailoverTestbed) -> list[str]:
    """A limit, two pauses, one with an end, and a queue whose order was changed."""
    bench.pool.set_crm_limit("hubspot", 1, change=ChangeRequest(by="ann", reason="slow API"))
    bench.pool.pause(
        "arrivy", change=ChangeRequest(by="ann"), expires_at=timezone.now() + timedelta(hours=1)
    )
    bench.pool.pause(change=ChangeRequest(by="ann", reason="deployment"))
    ids = [bench.submit() for _ in range(4)]
    bench.pool.hold_task(ids[0], change=ChangeRequest(by="bob", reason="wrong dates"))
    bench.pool.set_priority(ids[3], 5)
    bench.pool.move_to_front(ids[2])
    return [ids[2], ids[3], ids[1], ids[0]]


def order(bench: FailoverTestbed) -> list[str]:
    return [task.id for task in bench.pool.get_queued_tasks()]


def test_everything_comes_back_after_a_flush(bench: FailoverTestbed) -> None:
    expected = everything_set(bench)
    controls, tasks = bench.pool.controls().named(), bench.pool.get_queued_tasks()
    bench.redis.flushall()
    assert order(bench) == expected
    assert bench.pool.get_queued_tasks() == tasks
    assert {n: (c.value, c.set_by, c.reason, c.expires_at) for n, c in controls.items()} == {
        n: (c.value, c.set_by, c.reason, c.expires_at)
        for n, c in bench.pool.controls().named().items()
    }


def test_everything_goes_on_without_redis_and_back(bench: FailoverTestbed) -> None:
    first, second, third, held = everything_set(bench)
    bench.lose_redis()
    assert order(bench) == [first, second, third, held]
    assert set(bench.pool.controls().named()) == {"max_workers:hubspot", "pause", "pause:arrivy"}
    bench.pool.move_to_front(third, change=ChangeRequest(by="cid"))
    bench.pool.release_task(held, change=ChangeRequest(by="cid"))
    bench.pool.hold_task(first, change=ChangeRequest(by="cid"))
    bench.bring_redis_back()
    assert order(bench) == [third, second, held, first]
    assert bench.task(first).held_by == "cid"
    bench.pool.resume(change=ChangeRequest(by="cid"))
    assert {task.id for task in bench.pool.get_active_tasks()} == {third, second}
    assert set(bench.another_process().controls().named()) == {
        "max_workers:hubspot",
        "pause:arrivy",
    }
