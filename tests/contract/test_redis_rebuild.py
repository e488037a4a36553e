"""What a store in Redis notices of a lost state, and how it is built again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from ingestion.pool.controls import Control, Named
from ingestion.pool.errors import AlreadyConfirmed, StateLost
from ingestion.pool.keys import PoolKeys
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import AGAIN, ANN, DONE, INTERRUPTED, Pool, a_task

EPOCH = 4


@pytest.fixture
def store(client: Redis, keys: PoolKeys) -> RebuildableRedisStore:
    return RebuildableRedisStore(client, keys, PoolPolicy())


def rebuilt(
    store: RebuildableRedisStore,
    *tasks: TaskRecord,
    epoch: int = EPOCH,
    controls: Named | None = None,
) -> Pool:
    store.rebuild(tasks, epoch=epoch, controls=controls or {})
    return Pool(store.at(epoch), lambda seconds: None)


@pytest.fixture
def pool(store: RebuildableRedisStore) -> Pool:
    """An empty pool that was built once."""
    return rebuilt(store)


def held_task(**fields: object) -> WorkerTask:
    long_ago = utc_now() - timedelta(hours=1)
    return a_task(
        status=TaskStatus.RUNNING,
        attempt=2,
        max_attempts=3,
        worker="w1",
        started_at=long_ago,
        confirmed_at=long_ago,
        last_heartbeat=long_ago,
        lease_expires_at=long_ago,
        **fields,
    )


class TestLoss:
    def test_without_a_state_nothing_is_done(self, store: RebuildableRedisStore) -> None:
        fresh = store.at(EPOCH)
        for verb in (
            lambda: fresh.submit(a_task()),
            lambda: fresh.claim(token="t"),
            lambda: fresh.get("x"),
            fresh.reap,
            fresh.snapshot,
            fresh.limit,
        ):
            with pytest.raises(StateLost):
                verb()
        assert store.active() == store.queued() == ()

    def test_the_state_of_another_epoch_is_none(self, store: RebuildableRedisStore) -> None:
        rebuilt(store, epoch=5)
        with pytest.raises(StateLost, match="another one was built"):
            store.at(4).claim(token="t")

    def test_a_flush_is_noticed_by_every_verb(self, pool: Pool, client: Redis) -> None:
        task_id = pool.held()
        client.flushdb()
        with pytest.raises(StateLost):
            pool.store.heartbeat(task_id, attempt=1)
        with pytest.raises(StateLost):
            pool.store.finish(task_id, attempt=1, outcome=DONE, token="f")

    @pytest.mark.parametrize("name", ["active", "leases", "unconfirmed", "config"])
    def test_a_lost_set_of_running_tasks_is_noticed(
        self, pool: Pool, client: Redis, keys: PoolKeys, name: str
    ) -> None:
        pool.held()
        pool.running()
        client.delete(getattr(keys, name))
        with pytest.raises(StateLost):
            pool.claim()

    @pytest.mark.parametrize(
        "lost",
        [
            lambda k: k.queue("hubspot"),
            lambda k: k.waiting,
            lambda k: k.queues,
            lambda k: k.delayed,
            lambda k: k.held,
            lambda k: k.overlaps,
        ],
    )
    def test_with_a_lost_set_of_waiting_tasks_nothing_is_done(
        self, pool: Pool, client: Redis, keys: PoolKeys, lost: Callable[[PoolKeys], str]
    ) -> None:
        pool.submit()
        pool.submit("genius", not_before=utc_now() + timedelta(hours=1))
        pool.store.hold(pool.submit(), change=ANN)
        assert client.delete(lost(keys)) == 1
        for verb in (pool.claim, pool.submit, pool.store.snapshot, pool.store.reap):
            with pytest.raises(StateLost):
                verb()

    def test_a_lost_task_starts_nothing_in_its_place(
        self, pool: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        first = pool.submit()
        pool.submit()
        client.delete(keys.task(first))
        assert pool.claim() == []
        assert pool.store.is_incomplete  # type: ignore[attr-defined]
        assert pool.store.at(None).snapshot().dead_letters == {}  # type: ignore[attr-defined]

    def test_a_lost_running_task_keeps_its_slot_whoever_looks(
        self, pool: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        task_id = pool.held()
        client.delete(keys.task(task_id))
        with pytest.raises(StateLost):
            pool.store.snapshot()
        with pytest.raises(StateLost):
            pool.store.active()
        assert client.zscore(keys.active, task_id) is not None

    def test_a_key_of_another_type_is_a_loss(
        self, pool: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        client.delete(keys.active)
        client.rpush(keys.active, "what is this")
        with pytest.raises(StateLost):
            pool.submit()

    @pytest.mark.redis
    def test_a_server_that_was_started_again_is_not_believed(
        self, redis_server: EmbeddedRedis, keys: PoolKeys
    ) -> None:
        """As after a restart from an old copy: the state is there, but not this server's."""
        client = Redis.from_url(redis_server.url(3))
        pool = rebuilt(RebuildableRedisStore(client, keys, PoolPolicy()))
        pool.submit()
        client.hset(keys.config, "run_id", "0" * 40)
        with pytest.raises(StateLost, match="started again"):
            pool.claim()
        client.delete(*client.keys(f"{keys.prefix}*"))


class TestRebuild:
    def test_what_waits_takes_its_exact_place(self, store: RebuildableRedisStore) -> None:
        now = utc_now()
        low = a_task(queued_at=now - timedelta(minutes=2), attempt=1, max_attempts=3)
        high = a_task("genius", queued_at=now - timedelta(minutes=1), priority=5)
        later = a_task(queued_at=now, not_before=now + timedelta(hours=1), parameters={"n": 1})
        pool = rebuilt(store, *map(TaskRecord, (later, low, high)))
        assert list(pool.store.queued()) == [high, low, later]
        assert pool.store.submit(a_task()).queued_at > later.queued_at
        assert pool.claim() == [high.id, low.id]
        assert pool.task(low.id).attempt == 2

    def test_what_runs_holds_its_slot_with_a_new_lease(self, store: RebuildableRedisStore) -> None:
        task = held_task(parameters={"full": True}, cancel_requested_at=utc_now())
        pool = rebuilt(
            store,
            TaskRecord(task, confirm_token="t1"),
            TaskRecord(a_task()),
            controls={"max_workers": Control(1)},
        )
        assert pool.claim() == []
        assert pool.store.reap().ended == ()
        found = pool.store.heartbeat(task.id, attempt=2)
        assert (found.worker, found.parameters) == ("w1", {"full": True})
        assert found.cancel_requested_at == task.cancel_requested_at
        assert pool.store.confirm(task.id, attempt=2, worker="w1", token="t1").worker == "w1"
        with pytest.raises(AlreadyConfirmed):
            pool.store.confirm(task.id, attempt=2, worker="w2", token="t2")

    def test_a_holder_whose_token_is_unknown_is_the_only_one(
        self, store: RebuildableRedisStore
    ) -> None:
        task = held_task()
        pool = rebuilt(store, TaskRecord(task))
        with pytest.raises(AlreadyConfirmed):
            pool.store.confirm(task.id, attempt=2, worker="w2", token="t2")

    @pytest.mark.parametrize("outcome", [INTERRUPTED, AGAIN], ids=["interrupted", "again"])
    def test_what_runs_can_be_queued_again(
        self, store: RebuildableRedisStore, outcome: Outcome
    ) -> None:
        task = held_task()
        pool = rebuilt(store, TaskRecord(task, confirm_token="a"))
        pool.store.pause(None, change=ANN)
        assert pool.finish(task.id, outcome).status == TaskStatus.QUEUED
        assert pool.queue() == [task.id]

    def test_what_no_worker_has_confirmed_is_sent_again_at_once(
        self, store: RebuildableRedisStore
    ) -> None:
        task = a_task(status=TaskStatus.RUNNING, attempt=1, started_at=utc_now())
        pool = rebuilt(store, TaskRecord(task))
        assert [t.id for t in pool.store.reap().unconfirmed] == [task.id]
        assert pool.confirm(task.id).status == TaskStatus.RUNNING

    def test_what_has_ended_is_retained(self, store: RebuildableRedisStore) -> None:
        task = a_task(status=TaskStatus.COMPLETED, completed_at=utc_now(), result={"rows": 1})
        pool = rebuilt(store, TaskRecord(task))
        assert pool.task(task.id) == task
        assert pool.active() == set()

    def test_what_has_ended_is_retained_from_its_end_on(self, store: RebuildableRedisStore) -> None:
        ends = [utc_now() - timedelta(minutes=minutes) for minutes in (30, 10)]
        tasks = [a_task(status=TaskStatus.COMPLETED, completed_at=end) for end in ends]
        pool = rebuilt(store, *map(TaskRecord, tasks))
        assert pool.store.forget_finished(max_age_seconds=20 * 60) == 1
        assert [pool.store.get(task.id) for task in tasks] == [None, tasks[1]]

    def test_a_new_task_stands_behind_all_that_waited(self, store: RebuildableRedisStore) -> None:
        """However wrong the clock was by which they took their places."""
        old = a_task(queued_at=utc_now() + timedelta(hours=1))
        pool = rebuilt(store, TaskRecord(old))
        assert pool.store.submit(a_task()).queued_at > old.queued_at

    def test_nothing_is_left_of_the_state_before(
        self, store: RebuildableRedisStore, client: Redis, keys: PoolKeys
    ) -> None:
        old = rebuilt(store, epoch=3)
        old.store.set_limit(7, change=ANN)
        old.store.worker_seen("w1", capacity=2)
        ids = [old.held(), old.finished(), old.submit(), old.submit("genius")]
        pool = rebuilt(store)
        assert [pool.store.get(i) for i in ids] == [None] * 4
        snapshot = pool.store.snapshot()
        assert (snapshot.active, snapshot.queued, snapshot.limit.max_workers) == ((), (), 2)
        assert [(w.name, w.capacity) for w in snapshot.workers] == [("w1", 2)]
        assert snapshot.counters["submitted"] == 4
        assert not client.keys(f"{keys.task_family}*")

    def test_what_is_left_tells_which_tasks_have_moved_since(
        self, store: RebuildableRedisStore
    ) -> None:
        again = a_task(status=TaskStatus.QUEUED, attempt=1, max_attempts=3)
        pool = rebuilt(store, TaskRecord(again))
        pool.store.pause(None, change=ANN)
        waits = pool.submit()
        as_known = [(again.id, "queued", 1), (waits, "queued", 0)]
        moved = [(again.id, "queued", 0), (waits, "running", 1)]
        assert list(store.unwritten(as_known, of_epoch=EPOCH)) == []
        found = store.unwritten(moved, of_epoch=EPOCH)
        assert [task.id for task in found] == [again.id, waits]

    def test_the_limit_comes_back_with_who_and_when(self, store: RebuildableRedisStore) -> None:
        limit = Control(5, "ann", utc_now(), "month's end")
        store.rebuild([], epoch=EPOCH, controls={"max_workers": limit})
        assert store.at(EPOCH).controls().max_workers == limit

    def test_the_later_of_two_rebuilds_wins(self, store: RebuildableRedisStore) -> None:
        mine, other = a_task(), a_task()

        def tasks() -> object:
            yield TaskRecord(mine)
            store.rebuild([TaskRecord(other)], epoch=5, controls={})

        with pytest.raises(StateLost):
            store.rebuild(tasks(), epoch=EPOCH, controls={})  # type: ignore[arg-type]
        assert [t.id for t in store.at(5).queued()] == [other.id]
        with pytest.raises(StateLost):
            store.at(EPOCH).queued()

    def test_nothing_is_done_before_it_is_complete(self, store: RebuildableRedisStore) -> None:
        old = rebuilt(store, epoch=3)

        def tasks() -> object:
            for epoch in (3, EPOCH):
                with pytest.raises(StateLost):
                    store.at(epoch).claim(token="t")
            yield TaskRecord(a_task())

        old.submit()
        store.rebuild(tasks(), epoch=EPOCH, controls={})  # type: ignore[arg-type]
        assert len(store.at(EPOCH).queued()) == 1

    def test_a_server_that_takes_no_writes_fails_the_probe(
        self, store: RebuildableRedisStore
    ) -> None:
        store.probe()
