"""Long lists: page by page behind a place, and how many tasks stand before one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from ingestion.pool.queue_place import NoPlace, QueuePlace, first_of
from ingestion.pool.redis.lua_scripts import load_scripts
from ingestion.pool.store import PoolPolicy, all_waiting
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import OpenPool, Pool, a_task, ledger_pool, own_keys, redis_pool

AGINGS = pytest.mark.parametrize("aging_seconds", [3600, 0])


def crowd(pool: Pool, count: int = 60) -> None:
    """Of three CRMs, of several priorities, submitted within less than a millisecond; some are
    delayed, some held, one stands in front."""
    now = utc_now()
    tasks = [
        a_task(
            ("a", "b", "c")[n % 3],
            id=f"{n * 7919 % 1000:03}",
            priority=(0, 0, 2, -1)[n % 4],
            queued_at=now - timedelta(microseconds=n * 13 % 400),
            not_before=now + timedelta(hours=1 + n % 2) if n % 10 == 0 else None,
        )
        for n in range(count)
    ]
    pool.store.restore(tasks)
    for task in tasks[3::12]:
        pool.store.hold(task.id)
    pool.store.move_to_front(tasks[5].id)


def pages(pool: Pool, limit: int) -> Iterator[list[str]]:
    after = None
    while True:
        page = pool.store.queue_page(after=after, limit=limit)
        assert len(page.tasks) == len(page.places) <= limit
        yield [task.id for task in page.tasks]
        if page.last is None:
            return
        assert page.places[-1] == page.last
        after = QueuePlace.from_text(page.last.to_text())


@AGINGS
class TestPages:
    @pytest.mark.parametrize("limit", [1, 7, 500])
    def test_they_hold_each_task_once_in_its_order(
        self, open_pool: OpenPool, aging_seconds: float, limit: int
    ) -> None:
        pool = open_pool(PoolPolicy(priority_aging_seconds=aging_seconds))
        crowd(pool)
        found = [task_id for page in pages(pool, limit) for task_id in page]
        assert found == pool.queue()
        assert [task.id for task in all_waiting(pool.store)] == pool.queue()

    def test_a_page_is_found_by_its_number_however_far_back(
        self, open_pool: OpenPool, aging_seconds: float
    ) -> None:
        pool = open_pool(PoolPolicy(priority_aging_seconds=aging_seconds))
        crowd(pool, 900)
        whole = pool.queue()
        for offset in (0, 499, 501, 700, 735, 740, 800, 899, 900):
            found = [task.id for task in pool.store.queued(offset=offset, limit=5)]
            assert found == whole[offset : offset + 5]

    def test_each_counts_those_before_it(self, open_pool: OpenPool, aging_seconds: float) -> None:
        pool = open_pool(PoolPolicy(priority_aging_seconds=aging_seconds))
        crowd(pool)
        ready = [t for t in pool.store.queued() if not t.is_held and not t.not_before]
        assert len(ready) > 40
        for position, task in enumerate(ready):
            ahead = pool.store.ahead_of(task)
            assert sum(ahead.values()) == position
            before = [other.crm_source for other in ready[:position]]
            assert ahead == {crm: before.count(crm) for crm in sorted(set(before))}


class TestWhatChangesMeanwhile:
    def test_who_leaves_the_head_moves_no_page(self, pool: Pool) -> None:
        pool.store.pause(None)
        ids = [pool.submit(("a", "b")[n % 2]) for n in range(9)]
        first = pool.store.queue_page(limit=4)
        for task_id in ids[1:4]:
            pool.store.cancel(task_id)
        second = pool.store.queue_page(after=first.last, limit=4)
        assert [task.id for task in second.tasks] == ids[4:8]

    def test_an_empty_queue_is_one_empty_page(self, pool: Pool) -> None:
        page = pool.store.queue_page()
        assert (page.tasks, page.last) == ((), None)

    def test_a_list_may_begin_with_a_part(self, pool: Pool) -> None:
        pool.store.pause(None)
        pool.submit()
        later = pool.submit(not_before=utc_now() + timedelta(hours=1))
        held = pool.submit()
        pool.store.hold(held)
        for part, ids in (("delayed", [later, held]), ("held", [held])):
            page = pool.store.queue_page(after=first_of(part))
            assert [task.id for task in page.tasks] == ids

    def test_the_place_of_a_task_that_is_not_there_yet_is_counted(self, pool: Pool) -> None:
        pool.store.pause(None)
        for n in range(6):
            pool.submit(("a", "b")[n % 2])
        new = a_task("c", queued_at=utc_now() + timedelta(seconds=1))
        assert pool.store.ahead_of(new) == {"a": 3, "b": 3}
        new.priority = 1000
        assert pool.store.ahead_of(new) == {}


class TestLooking:
    """What only looks writes nothing."""

    READS = ("active", "controls", "queued", "queue_page", "ahead_of", "snapshot", "read")

    @pytest.mark.redis
    def test_redis_refuses_no_look_that_may_not_write(self, redis_server: EmbeddedRedis) -> None:
        client = Redis.from_url(redis_server.url(3))
        with own_keys(client) as keys:
            pool = redis_pool(client, PoolPolicy(), keys)
            crowd(pool)
            pool.store.pause("a", expires_at=utc_now() + timedelta(seconds=5))
            pool.let_pass(10)
            found: Any = pool.store
            scripts = found._scripts._scripts
            for name in self.READS:
                source = load_scripts()[name].source
                scripts[name] = lambda keys, args, source=source: client.eval_ro(
                    source, len(keys), *keys, *args
                )
            look(pool)
            assert pool.store.controls().crm_pauses == {}
        client.close()

    @pytest.mark.django_db
    def test_the_ledger_is_only_read(self) -> None:
        pool = ledger_pool(PoolPolicy())
        crowd(pool)
        with CaptureQueriesContext(connection) as queries:
            look(pool)
        verbs = {query["sql"].split()[0].upper() for query in queries}
        assert verbs == {"SELECT"}
        assert not [query for query in queries if "FOR UPDATE" in query["sql"].upper()]


def look(pool: Pool) -> None:
    first, *_ = pool.store.queued(offset=2, limit=3)
    pool.store.snapshot(queue_limit=10)
    pool.store.queue_page(after=pool.store.queue_page(limit=5).last, limit=5)
    pool.store.ahead_of(first)
    pool.store.get(first.id)
    pool.store.active()
    pool.store.controls()


class TestPlaces:
    def test_a_place_is_a_text_and_back(self) -> None:
        place = QueuePlace(
            "ready", -6_000_000_000_000_001, 1_796_025_377_858_252, str(uuid.uuid4())
        )
        assert QueuePlace.from_text(place.to_text()) == place

    @pytest.mark.parametrize(
        "text",
        ["", "ready", "ready.1.2", "ready.1.2.", "done.1.2.x", "ready.x.2.id", "ready.1.-2.id",
         "ready.--1.2.id", "ready.1.2." + 65 * "x", f"ready.{10**19}.2.id", "ready.¹.2.id"],
    )  # fmt: skip
    def test_any_other_text_is_none(self, text: str) -> None:
        with pytest.raises(NoPlace):
            QueuePlace.from_text(text)


def test_the_task_of_an_unknown_crm_stands_behind_all(pool: Pool) -> None:
    pool.store.pause(None)
    pool.submit()
    other = WorkerTask("x", "t", "nowhere", "all", queued_at=utc_now() + timedelta(seconds=2))
    assert pool.store.ahead_of(other) == {"hubspot": 1}
