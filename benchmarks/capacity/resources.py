"""How much of each resource a load needs, and the load at which the resource is used up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.capacity.costs import Costs

DAY_SECONDS = 86_400.0
MICRO = 1e-6


@dataclass(frozen=True)
class Load:
    """``queued``: how many tasks wait when most do."""

    workers: int
    tasks_per_day: int
    task_seconds: float
    workers_per_host: int
    queued: int

    @property
    def per_second(self) -> float:
        return self.tasks_per_day / DAY_SECONDS

    @property
    def hosts(self) -> int:
        return math.ceil(self.workers / self.workers_per_host)

    @property
    def running(self) -> float:
        return min(self.workers, self.per_second * self.task_seconds)


@dataclass(frozen=True)
class Resource:
    """``fixed`` is needed whatever comes, ``growing`` at this load of what it ``grows_with``:
    ``tasks`` or ``workers``."""

    name: str
    fixed: float
    growing: float
    has: float
    unit: str
    grows_with: str = "tasks"

    @property
    def need(self) -> float:
        return self.fixed + self.growing

    @property
    def used(self) -> float:
        return self.need / self.has

    @property
    def times(self) -> float:
        """How many times this load of what it grows with uses all of it up."""
        return max(0.0, self.has - self.fixed) / self.growing


def resources(load: Load, costs: Costs) -> Iterator[Resource]:
    """In the order of a task's way through the system."""
    rate = load.per_second
    yield Resource("slots", 0, rate * load.task_seconds, load.workers, "slots")
    yield Resource("one process that submits", 0, rate * costs.submit_us * MICRO, 1, "processors")
    yield _redis_thread(load, costs)
    yield Resource(
        "Redis: memory",
        0,
        (
            load.queued * costs.redis_queued_bytes
            + rate * 60 * costs.retention_minutes * costs.redis_ended_bytes
        )
        / 1e9,
        costs.redis_gigabytes,
        "GB",
    )
    # Of each process one for the pool and one for the broker; of each host two more.
    clients = 2 * load.workers + 4 * load.hosts
    yield Resource(
        "Redis: connections",
        2 * costs.web_threads,
        clients,
        costs.max_clients,
        "clients",
        grows_with="workers",
    )
    yield Resource(
        "first messages after a standstill",
        0,
        load.workers * costs.send_us * MICRO,
        costs.dispatch_seconds,
        "seconds",
        grows_with="workers",
    )
    life_us = costs.postgres_submission_us + costs.postgres_life_us
    yield Resource(
        "PostgreSQL: processors", 0, rate * life_us * MICRO, costs.postgres_cores, "processors"
    )
    yield Resource(
        "PostgreSQL: commits", 0, rate * costs.commits, 1000 / costs.flush_ms, "commits/s"
    )
    yield Resource("PostgreSQL: WAL", 0, rate * costs.wal_bytes / 1e6, costs.wal_megabytes, "MB/s")
    yield Resource(
        "PostgreSQL: connections",
        costs.web_threads,
        load.workers + load.hosts,
        costs.max_connections,
        "sessions",
        grows_with="workers",
    )
    rows = load.tasks_per_day * costs.history_days
    yield Resource(
        "PostgreSQL: ledger", 0, rows * costs.ledger_bytes / 1e9, costs.disk_gigabytes, "GB"
    )


def _redis_thread(load: Load, costs: Costs) -> Resource:
    """Scripts follow each other in one thread."""
    each = (
        costs.redis_admit_us
        + costs.redis_confirm_us
        + costs.redis_finish_us
        + costs.redis_message_us
        + load.task_seconds / costs.heartbeat_seconds * costs.redis_heartbeat_us
    )
    ticks = load.hosts / costs.tick_seconds * costs.redis_tick_us
    walks = load.queued / costs.monitor_seconds * costs.redis_walk_us
    looks = costs.snapshots_a_second * load.running * costs.redis_snapshot_us
    return Resource(
        "Redis: scripts and messages",
        (ticks + walks) * MICRO,
        (load.per_second * each + looks) * MICRO,
        1,
        "threads",
    )
