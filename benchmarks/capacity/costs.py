"""What one task, one worker and one look cost, with where the figure is from. Each is a parameter."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

MEASURED = "benchmarks.capacity.measure"
COUNTED = "pg_total_relation_size, 100 000 rows"
PROFILE = "benchmarks/PROFILE.md"
DEFAULT = "default of the server"
SETTING = "default of .env"
ASSUMED = "assumed"


def cost(default: float, source: str, meaning: str) -> Any:
    return field(default=default, metadata={"source": source, "meaning": meaning})


@dataclass(frozen=True)
class Costs:
    """Units are in the names; ``redis_*`` is processor time of the server, the network included."""

    redis_admit_us: float = cost(139, MEASURED, "script of a submission")
    redis_confirm_us: float = cost(65, MEASURED, "script when a worker begins")
    redis_finish_us: float = cost(263, MEASURED, "script that ends a task and starts the next")
    redis_message_us: float = cost(83, MEASURED, "message through the broker, sent and taken")
    redis_heartbeat_us: float = cost(46, MEASURED, "script that renews a lease")
    redis_tick_us: float = cost(145, MEASURED, "sign of life of a host, and repairs")
    redis_snapshot_us: float = cost(9, MEASURED, "a snapshot, for each running task")
    redis_walk_us: float = cost(
        21, PROFILE, "a waiting task, when the monitor walks through the queue"
    )
    redis_queued_bytes: float = cost(864, PROFILE, "memory of a waiting task")
    redis_ended_bytes: float = cost(760, MEASURED, "memory of an ended task")
    postgres_submission_us: float = cost(1440, PROFILE, "processor time of a submission")
    postgres_life_us: float = cost(3700, PROFILE, "processor time of a task's life")
    wal_bytes: float = cost(8860, PROFILE, "WAL of a submission and a task's life")
    commits: float = cost(4, PROFILE, "one of a submission, three of a life")
    ledger_bytes: float = cost(1230, COUNTED, "a ledger row and its audit record, with indexes")
    send_us: float = cost(1600, PROFILE, "send_task in the process that starts a task")
    submit_us: float = cost(4400, PROFILE, "submission one by one, client and servers")
    heartbeat_seconds: float = cost(30, SETTING, "a third of WORKER_POOL_LEASE_SECONDS")
    tick_seconds: float = cost(10, SETTING, "a ninth of WORKER_POOL_LEASE_SECONDS")
    monitor_seconds: float = cost(300, SETTING, "WORKER_POOL_MONITOR_SECONDS")
    retention_minutes: float = cost(60, SETTING, "WORKER_POOL_RETENTION_MINUTES")
    dispatch_seconds: float = cost(60, SETTING, "WORKER_POOL_DISPATCH_SECONDS")
    history_days: float = cost(90, SETTING, "HISTORY_RETENTION_DAYS")
    max_connections: float = cost(100, DEFAULT, "max_connections of PostgreSQL")
    max_clients: float = cost(10_000, DEFAULT, "maxclients of Redis")
    postgres_cores: float = cost(8, ASSUMED, "processors of PostgreSQL")
    flush_ms: float = cost(1, ASSUMED, "flush of its disk, one commit each")
    wal_megabytes: float = cost(50, ASSUMED, "WAL that its disk and replicas take a second")
    disk_gigabytes: float = cost(1000, ASSUMED, "disk of the ledger")
    redis_gigabytes: float = cost(8, ASSUMED, "memory of Redis")
    web_threads: float = cost(32, ASSUMED, "threads of all web processes")
    snapshots_a_second: float = cost(1, ASSUMED, "looks at the whole pool; web processes share one")


def described() -> list[tuple[str, float, str, str]]:
    """Name, default, source, meaning."""
    return [
        (one.name, getattr(Costs, one.name), one.metadata["source"], one.metadata["meaning"])
        for one in fields(Costs)
    ]
