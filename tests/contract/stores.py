"""Pools of every kind behind one face, whose time passes when a test says so."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import fakeredis
from redis import Redis

from ingestion.pool.change import ChangeRequest
from ingestion.pool.keys import PoolKeys
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import Outcome, PoolPolicy, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.infra.redis_pools import SlotConnectionPool
from ingestion.services.ledger.store import LedgerPoolStore
from tests.redis_servers import HOST, PASSWORD, RedisCluster

ANN, BOB = ChangeRequest(by="ann"), ChangeRequest(by="bob")
DONE = Outcome(TaskStatus.COMPLETED)
FAILED = Outcome(TaskStatus.FAILED, "HTTP 500 from the CRM")
AGAIN = Outcome(TaskStatus.FAILED, "HTTP 503 from the CRM", retry_in_seconds=20)

EARNED = Outcome(TaskStatus.FAILED, "HTTP 503", retry_in_seconds=0, is_earned=True)
INTERRUPTED = Outcome(TaskStatus.FAILED, "The worker was shut down.", is_interruption=True)

# One slot for all tests: a client of the cluster follows one.
CLUSTER_TAG = "contract"

OrderVerb = Callable[[PoolStore, str, ChangeRequest, int], WorkerTask]
# What operators do to one task that waits, with a small number where the verb takes one.
ORDER_VERBS: dict[str, OrderVerb] = {
    "hold": lambda store, task_id, change, _: store.hold(task_id, change=change),
    "release": lambda store, task_id, change, _: store.release(task_id, change=change),
    "prioritize": lambda store, task_id, change, number: store.prioritize(
        task_id, priority=number, change=change
    ),
    "move_to_front": lambda store, task_id, change, _: store.move_to_front(task_id, change=change),
}


def a_task(crm_source: str = "hubspot", sync_type: str = "contacts", **fields: Any) -> WorkerTask:
    return WorkerTask(
        id=fields.pop("id", None) or str(uuid.uuid4()),
        task_name=f"ingestion.tasks.sync_{crm_source}_{sync_type}",
        crm_source=crm_source,
        sync_type=sync_type,
        **fields,
    )


@dataclass
class Pool:
    """A store with short words for what tests do over and over."""

    store: PoolStore
    let_pass: Callable[[float], None]

    def submit(self, crm_source: str = "hubspot", **fields: Any) -> str:
        return self.store.submit(a_task(crm_source, **fields)).id

    def claim(self) -> list[str]:
        return [task.id for task in self.store.claim(token=uuid.uuid4().hex)]

    def running(self, **fields: Any) -> str:
        """A task that was claimed and is not confirmed yet."""
        task_id = self.submit(**fields)
        assert task_id in self.claim()
        return task_id

    def confirm(self, task_id: str, *, worker: str = "w1@host", token: str = "") -> WorkerTask:
        return self.store.confirm(
            task_id,
            attempt=self.task(task_id).attempt,
            worker=worker,
            token=token or uuid.uuid4().hex,
        )

    def held(self, **fields: Any) -> str:
        """A task that a worker holds."""
        task_id = self.running(**fields)
        self.confirm(task_id)
        return task_id

    def finish(self, task_id: str, outcome: Outcome = DONE) -> WorkerTask:
        return self.store.finish(
            task_id, attempt=self.task(task_id).attempt, outcome=outcome, token=uuid.uuid4().hex
        ).task

    def finished(self, outcome: Outcome = DONE) -> str:
        task_id = self.held()
        self.finish(task_id, outcome)
        return task_id

    def task(self, task_id: str) -> WorkerTask:
        task = self.store.get(task_id)
        assert task is not None
        return task

    def status(self, task_id: str) -> TaskStatus:
        return self.task(task_id).status

    def queue(self) -> list[str]:
        return [task.id for task in self.store.queued()]

    def active(self) -> set[str]:
        return {task.id for task in self.store.active()}

    def counter(self, name: str) -> int:
        return self.store.snapshot().counters.get(name, 0)


OpenPool = Callable[..., Pool]


def memory_pool(policy: PoolPolicy) -> Pool:
    passed = [0.0]

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    return Pool(MemoryPoolStore(policy, lambda: utc_now() + timedelta(seconds=passed[0])), let_pass)


def ledger_pool(policy: PoolPolicy) -> Pool:
    """Needs a database."""
    passed = [0.0]

    def let_pass(seconds: float) -> None:
        passed[0] += seconds

    store = LedgerPoolStore(policy, clock=lambda: utc_now() + timedelta(seconds=passed[0]))
    return Pool(store, let_pass)


def redis_pool(client: Redis, policy: PoolPolicy, keys: PoolKeys, **options: Any) -> Pool:
    store = RedisPoolStore(client, keys, policy, **options)

    def let_pass(seconds: float) -> None:
        store.clock_offset_seconds += seconds

    return Pool(store, let_pass)


@contextmanager
def own_keys(client: Redis) -> Iterator[PoolKeys]:
    """Keys for one test alone; nothing is left of them."""
    own = f"t{uuid.uuid4().hex[:10]}"
    is_cluster = isinstance(client.connection_pool, SlotConnectionPool)
    keys = PoolKeys(f"{{{CLUSTER_TAG}}}:{own}:" if is_cluster else f"{{{own}}}:1:")
    yield keys
    for key in client.scan_iter(match=f"{keys.prefix}*", count=10_000):
        client.delete(key)


def cluster_client(cluster: RedisCluster) -> Redis:
    nodes = [(HOST, server.port) for server in cluster.servers]
    return Redis(
        connection_pool=SlotConnectionPool(
            nodes=nodes, slot_of=f"{{{CLUSTER_TAG}}}", password=PASSWORD
        )
    )


def fake_client() -> Redis:
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())
