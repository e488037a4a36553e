"""A pool whose store can be hurt from outside, in memory and in Redis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.utils import timezone
from redis import Redis

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.keys import PoolKeys
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.doctor.diagnosis import Finding
from ingestion.services.runs import celery_view
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_fixtures import CONF, Broker, Clock

HOLDER = "celery@host"
POLICY = PoolPolicy()


class Body(ABC):
    """A store that can be hurt from outside."""

    @property
    @abstractmethod
    def store(self) -> MemoryPoolStore | RedisPoolStore: ...

    @abstractmethod
    def let_pass(self, seconds: float) -> None: ...

    @abstractmethod
    def set_status(self, task_id: str, status: TaskStatus) -> None: ...

    @abstractmethod
    def lose_slot(self, task_id: str) -> None: ...

    @abstractmethod
    def lose_place(self, task_id: str) -> None: ...

    @abstractmethod
    def forget(self, task_id: str) -> None: ...

    @abstractmethod
    def start_unheard(self, task_id: str) -> None: ...


class MemoryBody(Body):
    def __init__(self) -> None:
        self._clock = Clock()
        self._store = MemoryPoolStore(POLICY, self._clock)

    @property
    def store(self) -> MemoryPoolStore:
        return self._store

    def let_pass(self, seconds: float) -> None:
        self._clock.advance(seconds=seconds)

    def set_status(self, task_id: str, status: TaskStatus) -> None:
        self._store._held[task_id].task.status = status

    def lose_slot(self, task_id: str) -> None:
        for order in (self._store._active, self._store._leases, self._store._unconfirmed):
            order.drop(task_id)

    def lose_place(self, task_id: str) -> None:
        self._store._leave_queue(self._store._held[task_id].task)

    def forget(self, task_id: str) -> None:
        self.lose_slot(task_id)
        self.lose_place(task_id)
        del self._store._held[task_id]

    def start_unheard(self, task_id: str) -> None:
        self._store._held[task_id].task.attempt = 1
        self.set_status(task_id, TaskStatus.RUNNING)


class RedisBody(Body):
    def __init__(self, client: Redis, keys: PoolKeys) -> None:
        self._client, self.keys = client, keys
        self._store = RedisPoolStore(client, keys, POLICY)

    @property
    def store(self) -> RedisPoolStore:
        return self._store

    def let_pass(self, seconds: float) -> None:
        self._store.clock_offset_seconds += seconds

    def set_status(self, task_id: str, status: TaskStatus) -> None:
        self._client.hset(self.keys.task(task_id), "status", status.value)

    def lose_slot(self, task_id: str) -> None:
        for key in (self.keys.active, self.keys.leases, self.keys.unconfirmed):
            self._client.zrem(key, task_id)

    def lose_place(self, task_id: str) -> None:
        for key in (self.keys.queue("genius"), self.keys.waiting, self.keys.delayed):
            self._client.zrem(key, task_id)

    def forget(self, task_id: str) -> None:
        self.lose_slot(task_id)
        self.lose_place(task_id)
        self._client.delete(self.keys.task(task_id))

    def start_unheard(self, task_id: str) -> None:
        self._client.hset(self.keys.task(task_id), "attempt", 1)
        self.set_status(task_id, TaskStatus.RUNNING)


@dataclass
class DoctorFixture:
    """A pool with two slots whose store can be hurt."""

    body: Body
    broker: Broker = field(default_factory=Broker)

    def __post_init__(self) -> None:
        self.pool = WorkerPoolService(self.body.store, conf=CONF, send=self.broker)

    def submit(self, count: int = 1) -> list[str]:
        return [self.pool.submit_task("genius", "all") for _ in range(count)]

    def hold(self, *task_ids: str) -> None:
        for task_id in task_ids:
            self.pool.confirm_task(task_id, attempt=1, worker=f"{HOLDER}/7", token="t")

    def held(self) -> str:
        (task_id,) = self.submit()
        self.hold(task_id)
        return task_id

    def waiting(self) -> str:
        """A task that waits behind two that are held."""
        first, second, third = self.submit(3)
        self.hold(first, second)
        return third

    def task(self, task_id: str) -> WorkerTask:
        task = self.body.store.get(task_id)
        assert task is not None
        return task

    def findings(self) -> set[tuple[str, str]]:
        return {(f.code, f.subject) for f in self.pool.examine().findings}

    def repair(self) -> tuple[Finding, ...]:
        return self.pool.repair(
            self.pool.examine().findings, change=ChangeRequest(by="ann", reason="night shift")
        )


def change_row(task_id: str, **values: object) -> None:
    SyncHistory.objects.filter(worker_pool_task_id=task_id).update(**values)


def grow_old(task_id: str) -> None:
    change_row(task_id, created_at=timezone.now() - timedelta(minutes=5))


def workers_hold(monkeypatch: pytest.MonkeyPatch, view: Mapping[str, frozenset[str]]) -> None:
    monkeypatch.setattr(celery_view, "in_hand", lambda: view)
