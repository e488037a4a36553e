"""What an older version kept under the same names is taken over, once, and nothing is lost."""

from __future__ import annotations

import json
import logging
import pickle
from datetime import UTC, datetime

import pytest
from redis import Redis

from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.keys import PoolKeys
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
    return open_redis_pool(decode_legacy=pickle.loads)


def test_all_readable_tasks_are_queued_in_their_order(old_pool: Pool) -> None:
    assert old_pool.queue() == ["r1", "q1", "q2"]
    task = old_pool.task("q1")
    assert task.parameters == {"full": True}
    assert task.queued_at == datetime(2026, 1, 1, 10, 1, tzinfo=UTC)


def test_a_running_one_is_queued_with_its_attempt_kept(old_pool: Pool) -> None:
    task = old_pool.task("r1")
    assert (task.status, task.attempt, task.worker) == (TaskStatus.QUEUED, 1, None)


def test_it_is_told_once(old_pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    old_pool.queue()
    old_pool.queue()
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
    other = open_redis_pool(decode_legacy=pickle.loads)
    assert other.active() == {"r1", "q1"}
    assert other.counter("restored") == 3


def test_an_import_that_was_cut_short_is_done_again(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.set(keys.queues, json.dumps(QUEUED))
    pool = open_redis_pool()
    with monkeypatch.context() as patched:
        patched.setattr(pool.store, "restore", _away)
        with pytest.raises(PoolUnavailable):
            pool.queue()
    assert pool.queue() == ["q1", "q2"]


def _away(*_: object) -> int:
    raise PoolUnavailable("away")


def test_what_is_written_later_is_taken_over_too(
    redis_only: Pool, client: Redis, keys: PoolKeys
) -> None:
    redis_only.queue()
    client.set(keys.queues, json.dumps(QUEUED))
    new = redis_only.submit()
    assert redis_only.queue() == ["q1", "q2", new]


def test_unreadable_entries_are_set_aside_one_by_one(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, caplog: pytest.LogCaptureFixture
) -> None:
    entries = [*QUEUED, old_entry("bad", status="paused", minute=3), "nonsense", {"id": None}]
    client.set(keys.queues, pickle.dumps(entries))
    pool = open_redis_pool(decode_legacy=pickle.loads)
    assert pool.queue() == ["q1", "q2"]
    set_aside = pool.store.snapshot().set_aside
    assert set(set_aside) == {"bad", "queues[3]", "queues[4]"}
    assert json.loads(set_aside["bad"])["stored"]["status"] == "paused"
    assert "took over 2 tasks" in caplog.text
    assert "set 3 aside" in caplog.text


@pytest.mark.parametrize("stored", [b"\x80garbage", pickle.dumps(17), b"17", b""])
def test_what_is_no_list_at_all_is_set_aside_whole(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys, stored: bytes
) -> None:
    client.set(keys.active, stored)
    pool = open_redis_pool(decode_legacy=pickle.loads)
    task_id = pool.submit()
    assert pool.claim() == [task_id]
    assert set(pool.store.snapshot().set_aside) == {"active"}
    assert client.get(f"{keys.legacy_family}imported:active") == stored


def test_without_a_decoder_only_json_is_read(
    open_redis_pool: OpenPool, client: Redis, keys: PoolKeys
) -> None:
    client.set(keys.queues, pickle.dumps(QUEUED))
    client.set(keys.active, json.dumps(json.dumps(ACTIVE)))
    pool = open_redis_pool()
    assert pool.queue() == ["r1"]
    assert set(pool.store.snapshot().set_aside) == {"queues"}
