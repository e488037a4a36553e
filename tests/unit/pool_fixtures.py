"""A pool over memory, with a clock that a test moves and a broker that only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingestion.conf import PoolConf
from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.worker_pool import WorkerPoolService

CONF = PoolConf(
    max_workers=2,
    lease_seconds=90,
    stale_minutes=30,
    dispatch_seconds=60,
    retention_minutes=60,
    max_attempts=1,
    priority_aging_seconds=3600,
    monitor_seconds=120,
    worker_concurrency=12,
    cancel_ask_seconds=30,
    cancel_soft_seconds=10,
    cancel_term_seconds=10,
    shutdown_seconds=20,
)


DONE = Outcome(
    TaskStatus.COMPLETED,
    result={
        "status": "partial",
        "counts": {"processed": 5, "created": 3, "updated": 2, "deleted": 0, "failed": 0},
        "warning": "contacts: no rows where there always were some",
        "metrics": {"models": [{"model": "contacts"}]},
    },
)
FAILED = Outcome(TaskStatus.FAILED, "it broke")


class Clock:
    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass
class Broker:
    """Remembers what was sent; ``error`` is raised instead, after it was delivered or not."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    error: Exception | None = None

    def __call__(self, task: WorkerTask) -> None:
        if self.error:
            raise self.error
        self.sent.append((task.id, task.attempt))

    @property
    def ids(self) -> list[str]:
        return [task_id for task_id, _ in self.sent]


class LostStore:
    """Stands before a store; every verb fails while ``is_lost``."""

    def __init__(self, store: MemoryPoolStore) -> None:
        self._store = store
        self.is_lost = False

    @property
    def epoch(self) -> int | None:
        """No question to the server."""
        return self._store.epoch

    def __getattr__(self, name: str) -> object:
        if self.is_lost:
            raise PoolUnavailable("connection refused")
        return getattr(self._store, name)


@dataclass
class Bench:
    """Everything a test of the service touches."""

    clock: Clock = field(default_factory=Clock)
    broker: Broker = field(default_factory=Broker)
    conf: PoolConf = CONF

    def __post_init__(self) -> None:
        policy = PoolPolicy(default_max_workers=self.conf.max_workers)
        self.memory = MemoryPoolStore(policy, self.clock)
        self.store = LostStore(self.memory)
        self.pool = WorkerPoolService(self.store, conf=self.conf, send=self.broker)

    def another_process(self) -> WorkerPoolService:
        return WorkerPoolService(self.store, conf=self.conf, send=self.broker)

    def confirm(self, task_id: str, attempt: int = 1) -> WorkerTask:
        return self.pool.confirm_task(task_id, attempt=attempt, worker="w1", token="t1")


def row_of(task_id: str) -> SyncHistory:
    return SyncHistory.objects.get(worker_pool_task_id=task_id)


def actions() -> list[str]:
    """What was audited, in order."""
    return list(AuditRecord.objects.order_by("id").values_list("action", flat=True))
