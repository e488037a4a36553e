"""The service as it is in production, over a Redis server that a test stops and flushes; only the
broker is a memory."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Connection, ConnectionPool, Redis
from redis.exceptions import TimeoutError

from ingestion.conf import PoolConf
from ingestion.models import ActiveStoreState, SyncHistory
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.failover import active_store, failover, transitions
from ingestion.services.failover.store import FailoverStore
from ingestion.services.ledger.state import enter_unknown
from ingestion.services.ledger.store import LedgerPoolStore
from ingestion.services.requests.submission import Submission
from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.services.tasks import submissions
from ingestion.services.worker_pool import WorkerPoolService
from tests.integration.system import wait_for
from tests.unit.pool_fixtures import CONF, Broker

DONE = Outcome(TaskStatus.COMPLETED, result={"status": "success", "counts": {"processed": 5}})
SOCKET_SECONDS = 1.2


class PatientConnection(Connection):
    """Counts how often it waited for an answer in vain, SOCKET_SECONDS each time."""

    waits = 0

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except TimeoutError:
            PatientConnection.waits += 1
            raise


@dataclass
class Server:
    """A Redis server that loses everything when it is stopped."""

    folder: Path
    running: EmbeddedRedis | None = None
    port: int = field(default_factory=embedded_redis.free_port)

    def start(self) -> None:
        self.running = embedded_redis.start(self.folder, port=self.port, durable=False)

    def stop(self) -> None:
        if self.running is not None:
            self.running.process.kill()
            self.running.process.wait(timeout=10)
            self.running = None

    def client(self) -> Redis:
        pool = ConnectionPool(
            PatientConnection,
            port=self.port,
            db=1,
            retry=None,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
        )
        return Redis(connection_pool=pool)


@dataclass
class FailoverTestbed:
    server: Server
    conf: PoolConf = CONF
    policy: PoolPolicy = field(default_factory=PoolPolicy)
    broker: Broker = field(default_factory=Broker)
    keys: PoolKeys = field(default_factory=lambda: PoolKeys("{dw}:1:"))

    def __post_init__(self) -> None:
        self.redis = self.server.client()
        self.pool = self.another_process()

    @property
    def store(self) -> FailoverStore:
        found: Any = self.pool.store
        assert isinstance(found, FailoverStore)
        return found

    def another_process(self) -> WorkerPoolService:
        in_redis = RebuildableRedisStore(
            self.server.client(), self.keys, self.policy, enter=enter_unknown
        )
        store = FailoverStore(in_redis, LedgerPoolStore(self.policy), self.policy)
        return WorkerPoolService(store, conf=self.conf, send=self.broker)

    def submit(self, **options: Any) -> str:
        return self.pool.submit_task("genius", "leads", **options)

    def submit_many(self, count: int) -> list[str]:
        """Without looking at the queue afterwards."""
        asked = [Submission("genius", "leads")] * count
        good = submissions.prepare_all(asked, usual_attempts=self.conf.max_attempts)
        return [became.task_id for became in submissions.submit_all(self.store, good)]

    def confirm(self, task_id: str, *, token: str = "", pool: Any = None) -> WorkerTask:
        return (pool or self.pool).confirm_task(
            task_id,
            attempt=self.task(task_id).attempt,
            worker="w1",
            token=token or uuid.uuid4().hex,
        )

    def finish(self, task_id: str, outcome: Outcome = DONE) -> WorkerTask:
        return self.pool.finish_task(task_id, attempt=self.task(task_id).attempt, outcome=outcome)

    def task(self, task_id: str) -> WorkerTask:
        task = self.pool.get_task_status(task_id)
        assert task is not None
        return task

    def row(self, task_id: str) -> SyncHistory:
        return SyncHistory.objects.get(worker_pool_task_id=task_id)

    def run_some(self, count: int) -> list[str]:
        """As workers would: confirm and finish so many that were sent, the first first."""
        ran: list[str] = []
        while len(ran) < count:
            task = next(t for t in self.pool.get_active_tasks() if not t.confirmed_at)
            self.confirm(task.id)
            self.finish(task.id)
            ran.append(task.id)
        return ran

    def is_degraded(self) -> bool:
        return self.pool.snapshot().degraded

    def lose_redis(self) -> None:
        """Stopped, noticed, and the first quiet seconds are over."""
        self.server.stop()
        assert self.is_degraded()
        wait_for(lambda: not self._is_quiet(), what="the end of the quiet time")

    def bring_redis_back(self) -> None:
        self.server.start()
        wait_for(lambda: not self.is_degraded(), what="the way back to Redis")

    def _is_quiet(self) -> bool:
        return self.pool.snapshot().effective_limit == 0


@contextmanager
def quick_failover() -> Iterator[None]:
    """The same changes, sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transitions, "QUIET_SECONDS", 0.3)
        patch.setattr(transitions, "STAY_SECONDS", 0.2)
        patch.setattr(active_store, "LOOK_SECONDS", 0.1)
        patch.setattr(failover, "PROBE_SECONDS", 0.1)
        yield


@contextmanager
def failover_testbed(folder: Path) -> Iterator[FailoverTestbed]:
    server = Server(folder)
    server.start()
    try:
        with quick_failover():
            yield FailoverTestbed(server)
    finally:
        server.stop()


def epoch() -> int:
    return ActiveStoreState.objects.look().epoch
