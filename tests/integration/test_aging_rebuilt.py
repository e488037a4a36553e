"""What a level of priority is worth outlives the state in Redis, and is given to one that has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.models import ActiveStoreState
from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import PoolPolicy
from ingestion.services.worker_pool import WorkerPoolService
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        bench.pool.pause()
        yield bench


def strict_process(bench: FailoverTestbed) -> WorkerPoolService:
    """Whose environment differs."""
    bench.policy = PoolPolicy(priority_aging_seconds=0)
    bench.conf = replace(bench.conf, priority_aging_seconds=0)
    return bench.another_process()


def waiting(pool: WorkerPoolService) -> list[str]:
    return [task.id for task in pool.get_queued_tasks()]


def test_a_change_comes_back_after_a_flush(bench: FailoverTestbed) -> None:
    low, high = bench.submit(priority=0), bench.submit(priority=1)
    changed = bench.pool.set_priority_aging(
        1e-6, change=ChangeRequest("ann", "a test")
    ).priority_aging
    assert waiting(bench.pool) == [low, high]
    bench.redis.flushall()
    other = strict_process(bench)
    assert waiting(other) == [low, high]
    assert other.controls().priority_aging == changed
    assert changed.set_by == "ann"


def test_a_default_stays_after_a_flush_that_another_process_notices(bench: FailoverTestbed) -> None:
    bench.submit()
    other = strict_process(bench)
    bench.redis.flushall()
    assert other.controls().priority_aging.seconds == 3600
    assert other.controls().priority_aging.revision == 1


def test_it_stays_while_redis_is_away_and_when_it_is_back(bench: FailoverTestbed) -> None:
    low, high = bench.submit(priority=0), bench.submit(priority=1)
    bench.lose_redis()
    assert bench.pool.controls().priority_aging.seconds == 3600
    bench.pool.set_priority_aging(1e-6, change=ChangeRequest("ann"))
    assert waiting(bench.pool) == [low, high]
    bench.bring_redis_back()
    assert waiting(bench.pool) == [low, high]
    found = bench.pool.controls().priority_aging
    assert (found.set_by, found.is_rescoring) == ("ann", False)


def test_a_change_that_was_left_unfinished_is_done_when_redis_is_lost(
    bench: FailoverTestbed,
) -> None:
    low, high = bench.submit(priority=0), bench.submit(priority=1)
    bench.store.rescore = lambda *, at_most=1: False  # type: ignore[method-assign]
    bench.pool.set_priority_aging(1e-6, change=ChangeRequest("ann"))
    assert bench.pool.controls().priority_aging.is_rescoring
    bench.lose_redis()
    assert waiting(bench.pool) == [low, high]
    bench.bring_redis_back()
    found = bench.pool.controls().priority_aging
    assert (found.set_by, found.is_rescoring) == ("ann", False)


def test_a_state_of_an_older_version_gets_one_scale(bench: FailoverTestbed) -> None:
    """There the environment of each process had its own."""
    low, high = bench.submit(priority=-10), bench.submit(priority=5)
    bench.redis.hdel(bench.keys.config, "priority_aging")
    bench.redis.zadd(bench.keys.queue("genius"), {low: -9e15})
    ActiveStoreState.objects.update(aging_seconds=None)
    other = bench.another_process()
    other.process_queue()
    assert waiting(other) == [high, low]
    assert other.controls().priority_aging.revision == 1
