"""What an older version kept under the same names is taken over, once, and nothing is lost."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis

from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis import restoring
from ingestion.pool.task import TaskStatus
from tests.contract.stores import OpenPool, Pool, a_task


def old_entry(task_id: str, *, status: str, minute: int, **fields: object) -> dict[str, object]:
    """As an older version wrote it: other names, fields of its own, no zone."""
    return {
        "id": task_id,
        "task_name": "ingestion.tasks.sync_five9_contacts",
        "crm_source": "five9",
        "sync_type": "contacts",
        "status": status,
        "configuration": {"full": True},
        "submitted_at": f"2026-01-01T10:{minute:02}:00",
        "retries_left": 3,
        **fields,
    }


QUEUED = [old_entry("q2", status="queued", minute=2), old_entry("q1", status="queued", minute=1)]
ACTIVE = {"r1": old_entry("r1", status="running", minute=0, attempt=1, worker="w")}


@pytest.fixture(autouse=True)
def _warnings(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.fixture
def old_pool(open_redis_pool: OpenPool, client: Redis, keys: PoolKeys) -> Pool:
    """A new store over what an older version left: one list in JSON, one pickled object by id."""
    client.set(keys.queues, json.dumps(QUEUED))
    client.set(keys.active, pickle.dumps(ACTIVE))
    client.set(keys.stats, pickle.dumps({"total": 3}))
    pool = open_redis_pool()
    assert pool.queue() == ["q1", "q2"]
    assert pool.store.import_pickled() == (1, 0)
    return pool


def test_all_readable_tasks_are_queued_in_their_order(old_pool: Pool) -> None:
    assert old_pool.queue() == ["r1", "q1", "q2"]
    task = old_pool.task("q1")
    assert task.parameters == {"full": True}
    assert task.queued_at == datetime(2026, 1, 1, 10, 1, tzinfo=UTC)


def test_a_running_one_is_queued_with_its_attempt_kept(old_pool: Pool) -> None:
    task = old_pool.task("r1")
    assert (task.status, task.attempt, task.worker) == (TaskStatus.QUEUED, 1, None)


def test_it_is_told_once(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
) -> None:
    client.set(keys.queues, json.dumps(QUEUED))
    client.set(keys.active, pickle.dumps(ACTIVE))
    pool = open_redis_pool()
    pool.queue()
    assert pool.store.import_pickled() == (1, 0)
    assert pool.store.import_pickled() == (0, 0)
    pool.queue()
    assert caplog.text.count("took over 2 tasks of an older version") == 1
    assert caplog.text.count("took over 1 tasks of an older version") == 1


def test_the_old_form_is_moved_away_and_kept_a_while(
    old_pool: Pool, client: Redis, keys: PoolKeys
) -> None:
    old_pool.claim()
    assert client.type(keys.active) == b"zset"
    kept = f"{keys.legacy_family}imported:queues"
    assert json.loads(client.get(kept)) == QUEUED
    assert client.ttl(kept) > 86_400


def test_every_verb_may_be_the_first(old_pool: Pool) -> None:
    old_pool.store.submit(a_task(id="new"))
    assert old_pool.queue() == ["r1", "q1", "q2", "new"]


def test_a_second_process_imports_nothing_again(
    old_pool: Pool, open_redis_pool: OpenPool, client: Redis, keys: PoolKeys
) -> None:
    old_pool.claim()
    other = open_redis_pool()
    assert other.active() == {"r1", "q1"}
    assert other.counter("restored") == 3


def test_an_import_that_was_cut_short_is_done_again(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.set(keys.queues, json.dumps(QUEUED))
    pool = open_redis_pool()
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "restore", _away)
        with pytest.raises(PoolUnavailable):
            pool.queue()
    assert pool.queue() == ["q1", "q2"]


def _away(*_: object, **__: object) -> int:
    raise PoolUnavailable("away")


def test_what_is_written_later_is_taken_over_too(
    redis_only: Pool, client: Redis, keys: PoolKeys
) -> None:
    redis_only.queue()
    client.set(keys.queues, json.dumps(QUEUED))
    new = redis_only.submit()
    assert redis_only.queue() == ["q1", "q2", new]


def test_unreadable_entries_are_dead_lettered_one_by_one(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [*QUEUED, old_entry("bad", status="paused", minute=3), "nonsense", {"id": None}]
    client.set(keys.queues, pickle.dumps(entries))
    pool = open_redis_pool()
    assert pool.store.import_pickled() == (2, 3)
    assert pool.queue() == ["q1", "q2"]
    dead_letters = pool.store.snapshot().dead_letters
    assert set(dead_letters) == {"bad", "queues[3]", "queues[4]"}
    assert json.loads(dead_letters["bad"])["stored"]["status"] == "paused"
    assert "took over 2 tasks" in caplog.text
    assert "set 3 aside" in caplog.text


@pytest.mark.parametrize("stored", [b"\x80garbage", pickle.dumps(17), b"17", b""])
def test_what_is_no_list_at_all_is_dead_lettered_whole(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, stored: bytes
) -> None:
    client.set(keys.active, stored)
    pool = open_redis_pool()
    task_id = pool.submit()
    assert pool.claim() == [task_id]
    pool.store.import_pickled()
    assert set(pool.store.snapshot().dead_letters) == {"active"}
    assert client.get(f"{keys.legacy_family}imported:active") == stored


class Planted:
    """What somebody who can write into Redis would leave there."""

    def __init__(self, ran: Path) -> None:
        self._ran = ran

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (Path.touch, (self._ran,))


@pytest.mark.parametrize("structure", ["active", "queues", "stats"])
def test_nothing_that_was_planted_is_run(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, tmp_path: Path, structure: str
) -> None:
    ran = tmp_path / "ran"
    client.set(getattr(keys, structure), pickle.dumps([Planted(ran)]))
    pool = open_redis_pool()
    task_id = pool.submit()
    assert pool.claim() == [task_id]
    assert bool(pool.store.pickled_legacy()) == (structure != "stats")
    pool.store.import_pickled()
    assert not ran.exists()
    assert pool.store.pickled_legacy() == ()
    (*_, letter) = pool.store.snapshot().dead_letters.values() or ["names pathlib"]
    assert "names pathlib" in letter


def test_what_is_pickled_waits_until_somebody_asks_for_it(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
) -> None:
    client.set(keys.queues, pickle.dumps(QUEUED))
    client.set(keys.active, json.dumps(json.dumps(ACTIVE)))
    pool = open_redis_pool()
    assert pool.queue() == ["r1"]
    assert pool.store.pickled_legacy() == (f"{keys.legacy_family}pending:queues",)
    assert not pool.store.snapshot().dead_letters
    assert "no JSON and was not read" in caplog.text
    assert open_redis_pool().store.import_pickled() == (2, 0)
    assert pool.queue() == ["r1", "q1", "q2"]


def test_a_pickled_task_is_made_of_times_and_states(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys
) -> None:
    """An older version kept the objects themselves."""
    at = datetime(2026, 1, 1, 10, tzinfo=UTC)
    task = a_task(id="object", queued_at=at)
    entry = {**QUEUED[0], "submitted_at": at, "status": TaskStatus.QUEUED}
    client.set(keys.queues, pickle.dumps([task, entry]))
    pool = open_redis_pool()
    assert pool.store.import_pickled() == (2, 0)
    assert pool.task("object").queued_at == at
