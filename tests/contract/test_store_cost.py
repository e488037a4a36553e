"""What a verb costs does not depend on how much waits: operations are counted, not seconds."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from ingestion.models import SyncHistory
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy, PoolStore, all_waiting
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services.ledger.state import new_row
from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stores import ANN, DONE, Pool, a_task, ledger_pool, own_keys, redis_pool

A_FEW = 4


@dataclass
class Counted:
    """A pool, and how many operations its server has carried out so far."""

    pool: Pool
    fill: Callable[[int], None]
    operations: Callable[[], int]
    many: int = 10_000

    def cost(self, act: Callable[[PoolStore], Any]) -> int:
        before = self.operations()
        act(self.pool.store)
        return self.operations() - before


def waiting(count: int) -> list[WorkerTask]:
    now = utc_now()
    return [a_task("hubspot", id=f"w{n:05}", queued_at=now) for n in range(count)]


def on_redis(server: EmbeddedRedis) -> Iterator[Counted]:
    client = Redis.from_url(server.url(3))

    def operations() -> int:
        stats: dict[str, Any] = client.info("commandstats")
        return sum(found["calls"] for name, found in stats.items() if name != "cmdstat_info")

    with own_keys(client) as keys:
        pool = redis_pool(client, PoolPolicy(), keys)
        store = RebuildableRedisStore(client, keys, PoolPolicy())

        def fill(count: int) -> None:
            store.rebuild(map(TaskRecord, waiting(count)), epoch=1, controls={})

        yield Counted(pool, fill, operations)
        pool.store.reset()
    client.close()


def on_the_ledger() -> Iterator[Counted]:
    with CaptureQueriesContext(connection) as queries:

        def fill(count: int) -> None:
            SyncHistory.objects.all().delete()
            SyncHistory.objects.bulk_create(map(new_row, map(TaskRecord, waiting(count))))

        yield Counted(ledger_pool(PoolPolicy()), fill, lambda: len(queries), many=1_000)


@pytest.fixture(
    params=[
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("ledger", marks=pytest.mark.django_db),
    ]
)
def counted(request: pytest.FixtureRequest) -> Iterator[Counted]:
    if request.param == "redis":
        yield from on_redis(request.getfixturevalue("redis_server"))
    else:
        yield from on_the_ledger()


Stop = Callable[[PoolStore], Any]


def pause(store: PoolStore) -> None:
    store.pause("hubspot", change=ANN)
    store.set_limit(1, change=ANN, crm_source="arrivy")


def limit(store: PoolStore) -> None:
    """One of its tasks runs, so that no other may."""
    store.set_limit(1, change=ANN, crm_source="hubspot")
    store.set_limit(3, change=ANN)
    assert [task.crm_source for task in store.claim(token=uuid.uuid4().hex)] == ["hubspot"]


def costs(counted: Counted, count: int, stop: Stop) -> dict[str, int]:
    """Of every verb that an operator or a worker uses, beside so many waiting tasks of a CRM that
    may start none; two tasks of another CRM start at once."""
    store = counted.pool.store
    store.reset()
    counted.fill(count)
    stop(store)
    one, other = (store.submit(a_task("genius", "leads", id=uuid.uuid4().hex)) for _ in range(2))
    told = {
        "submit": counted.cost(lambda s: s.submit(a_task("genius", "deals"))),
        "coalesce": counted.cost(
            lambda s: s.submit(a_task("hubspot"), on_overlap=OnOverlap.COALESCE)
        ),
        "hold": counted.cost(lambda s: s.hold("w00001", change=ANN)),
        "release": counted.cost(lambda s: s.release("w00001", change=ANN)),
        "prioritize": counted.cost(lambda s: s.prioritize("w00001", priority=4)),
        "move_to_front": counted.cost(lambda s: s.move_to_front("w00001")),
        "cancel": counted.cost(lambda s: s.cancel("w00001")),
        "pause": counted.cost(lambda s: s.pause("salespro", change=ANN)),
        "controls": counted.cost(lambda s: s.controls()),
        "claim": counted.cost(lambda s: s.claim(token=uuid.uuid4().hex)),
    }
    started = {task.id for task in store.active() if task.crm_source != "hubspot"}
    assert started == {one.id, other.id}
    counted.pool.confirm(one.id)
    told["finish"] = counted.cost(
        lambda s: s.finish(one.id, attempt=1, outcome=DONE, token=uuid.uuid4().hex)
    )
    told["snapshot"] = counted.cost(lambda s: s.snapshot(queue_limit=1))
    *_, last = all_waiting(store)
    told["ahead_of"] = counted.cost(lambda s: s.ahead_of(last))
    first = store.queue_page(limit=1).last
    told["queue_page"] = counted.cost(lambda s: s.queue_page(after=first, limit=1))
    return told


@pytest.mark.parametrize("stop", [pause, limit])
def test_many_tasks_of_a_crm_that_may_start_none_cost_nothing(counted: Counted, stop: Stop) -> None:
    """Ten thousand in Redis; over the ledger a thousand, which differ from a few as well."""
    costs(counted, A_FEW, stop)  # the server learns each script once
    assert costs(counted, counted.many, stop) == costs(counted, A_FEW, stop)
