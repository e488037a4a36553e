"""A full pool loses one key, or one member of one: each in turn, and nothing is missing afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, utc_now
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

AGAIN = Outcome(TaskStatus.FAILED, "HTTP 503", retry_in_seconds=600)
# What is no task and no limit: it is written again by whoever has it, or has served its time.
NOT_REBUILT = ("operation:", "stats", "workers", "finished", "set_aside", "probe", "legacy:")
# Fields of the configuration that only say when something was.
NOT_IN_FORCE = ("controls_changed_at", "last_order_us")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def fill(bench: FailoverTestbed) -> None:
    """One of everything: finished, running, sent, queued, in backoff, delayed, held, waiting for
    others, a limit, a pause."""
    bench.finish(_confirmed(bench))
    bench.finish(_confirmed(bench, max_attempts=3), AGAIN)
    _confirmed(bench)
    bench.submit()
    queued = [bench.submit(priority=number) for number in range(3)]
    bench.submit(not_before=utc_now() + timedelta(hours=1))
    bench.pool.hold_task(queued[0], change=ChangeRequest(by="ann"))
    bench.pool.set_crm_limit("genius", 2, change=ChangeRequest(by="ann"))
    bench.pool.pause("hubspot", change=ChangeRequest(by="ann"))
    waits = bench.pool.submit_task("hubspot", "contacts")
    bench.submit(after=[queued[1], waits])


def _confirmed(bench: FailoverTestbed, **options: Any) -> str:
    task_id = bench.submit(**options)
    bench.confirm(task_id)
    return task_id


def picture(bench: FailoverTestbed) -> dict[str, Any]:
    """What a user sees of tasks and limits."""
    snapshot = bench.pool.snapshot()
    controls = snapshot.controls
    return {
        "active": [(t.id, t.attempt, t.worker) for t in snapshot.active],
        "queued": [t.id for t in snapshot.queued],
        "waiting": sorted(
            (t.id, t.not_before, bool(t.held_at), sorted(t.after))
            for t in bench.pool.get_queued_tasks()
        ),
        "counts": (snapshot.queued_count, snapshot.delayed_count, snapshot.held_count),
        # The database has noted them a moment later than Redis.
        "controls": {n: (c.value, c.set_by, c.expires_at) for n, c in controls.named().items()},
        "aging": controls.priority_aging,
    }


def names(bench: FailoverTestbed) -> list[str]:
    everything = bench.keys.everything
    found = (key.decode().removeprefix(everything) for key in bench.redis.scan_iter("*"))
    return sorted(name for name in found if not name.startswith(NOT_REBUILT))


def members(bench: FailoverTestbed, key: str) -> list[bytes]:
    kind = bench.redis.type(key)
    if kind == b"zset":
        return list(bench.redis.zrange(key, 0, -1))
    if kind == b"set":
        return list(bench.redis.smembers(key))
    if key == bench.keys.config:
        fields = bench.redis.hkeys(key)
        return [field for field in fields if not field.decode().startswith(NOT_IN_FORCE)]
    return []


def remove(bench: FailoverTestbed, key: str, member: bytes) -> int:
    kind = bench.redis.type(key)
    if kind == b"zset":
        return int(bench.redis.zrem(key, member))
    if kind == b"set":
        return int(bench.redis.srem(key, member))
    return int(bench.redis.hdel(key, member.decode()))


def notice(bench: FailoverTestbed) -> None:
    """The next round of the monitor, and the verb after it."""
    bench.pool.run_monitor_round()
    bench.pool.get_stats()


def test_each_key_that_is_lost_comes_back(bench: FailoverTestbed) -> None:
    fill(bench)
    before = picture(bench)
    tried = names(bench)
    assert len(tried) > 15
    for name in tried:
        key = f"{bench.keys.everything}{name}"
        # A rebuild makes no key for what has ended.
        if not bench.redis.delete(key):
            continue
        notice(bench)
        assert picture(bench) == before, name


def test_each_member_that_is_lost_comes_back(bench: FailoverTestbed) -> None:
    fill(bench)
    before = picture(bench)
    tried = [
        (key, member)
        for name in names(bench)
        for key in [f"{bench.keys.everything}{name}"]
        for member in members(bench, key)
    ]
    assert len(tried) > 25
    for key, member in tried:
        if not remove(bench, key, member):
            continue
        notice(bench)
        if member.startswith(b"control:"):
            # No server evicts a field by itself; a hand may, and the doctor compares with the database.
            bench.pool.fix_stuck()
        assert picture(bench) == before, (key, member)


def test_a_lost_set_is_noticed_by_the_next_verb(bench: FailoverTestbed) -> None:
    fill(bench)
    waiting = {task.id for task in bench.pool.get_queued_tasks()}
    for key in (bench.keys.delayed, bench.keys.held, bench.keys.overlaps):
        assert bench.redis.delete(key) == 1
        assert {task.id for task in bench.pool.get_queued_tasks()} == waiting
