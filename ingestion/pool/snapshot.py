"""One frozen view of the pool: all that command line, API, dashboard and metrics read of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from ingestion.deprecated_names import with_old_keys
from ingestion.pool.controls import PoolControls
from ingestion.pool.task import WorkerTask
from ingestion.pool.waits import Reason, StartRange

TaskNames = Collection[str] | None


@dataclass(frozen=True)
class WorkerInfo:
    """A Celery worker that gave a sign of life. ``task_names`` are the syncs that it knows; None
    where it does not say, as older versions do not; nor do they say their ``release``.
    ``is_leaving``: it takes no more syncs, drained or being shut down."""

    name: str
    last_seen_at: datetime
    capacity: int
    is_online: bool
    task_names: frozenset[str] | None = None
    release: str = ""
    is_leaving: bool = False

    @classmethod
    def seen(
        cls,
        name: str,
        last_seen_at: datetime,
        capacity: int,
        *,
        is_recent: bool,
        task_names: frozenset[str] | None,
        release: str,
    ) -> Self:
        """As a store has it: with no capacity it has said goodbye, or says it again and again."""
        takes_syncs = capacity > 0
        return cls(
            name,
            last_seen_at,
            capacity,
            is_online=takes_syncs and is_recent,
            task_names=task_names,
            release=release,
            is_leaving=is_recent and not takes_syncs,
        )

    @property
    def host(self) -> str:
        """What stands behind the @ of a Celery worker's name."""
        return self.name.rpartition("@")[2]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "last_seen_at": self.last_seen_at.isoformat(),
            "capacity": self.capacity,
            "is_online": self.is_online,
            "is_leaving": self.is_leaving,
            "release": self.release,
        }


@dataclass(frozen=True)
class HostInfo:
    """The workers of one host together. ``capacity``: the processes of those online. ``running``:
    tasks that they have in hand, those of workers that take no more among them."""

    name: str
    workers_online: int
    workers_leaving: int
    capacity: int
    running: int
    releases: tuple[str, ...]
    last_seen_at: datetime

    def to_dict(self) -> dict[str, Any]:
        told = {"last_seen_at": self.last_seen_at.isoformat(), "releases": list(self.releases)}
        return {**asdict(self), **told}


def hosts_of(workers: Iterable[WorkerInfo], active: Iterable[WorkerTask]) -> tuple[HostInfo, ...]:
    """By name."""
    running = Counter(host_of(task.worker) for task in active if task.worker)
    by_host: dict[str, list[WorkerInfo]] = defaultdict(list)
    for worker in workers:
        by_host[worker.host].append(worker)
    return tuple(
        HostInfo(
            name,
            workers_online=sum(worker.is_online for worker in found),
            workers_leaving=sum(worker.is_leaving for worker in found),
            capacity=sum(worker.capacity for worker in found if worker.is_online),
            running=running[name],
            releases=tuple(sorted({w.release for w in found if w.is_online and w.release})),
            last_seen_at=max(worker.last_seen_at for worker in found),
        )
        for name, found in sorted(by_host.items())
    )


def host_of(holder: str) -> str:
    """The host of whoever holds a task: ``name@host/process``."""
    return holder.rsplit("/", 1)[0].rpartition("@")[2]


def knows(workers: Iterable[WorkerInfo], task_name: str) -> bool:
    """Whether one that is online knows this sync, or does not say. True while none is online: then
    that is why nothing starts."""
    online = [worker.task_names for worker in workers if worker.is_online]
    return not online or any(names is None or task_name in names for names in online)


@dataclass(frozen=True)
class LimitInfo:
    """The limit in force, and who set it; ``set_at`` is None while the default holds."""

    max_workers: int
    set_by: str = ""
    set_at: datetime | None = None
    reason: str = ""
    expires_at: datetime | None = None


def limit_info(controls: PoolControls, *, default_max_workers: int) -> LimitInfo:
    """The limit of the whole pool."""
    found = controls.max_workers
    if found is None:
        return LimitInfo(max_workers=default_max_workers)
    return LimitInfo(found.value, found.set_by, found.set_at, found.reason, found.expires_at)


@dataclass(frozen=True)
class DirectRun:
    """A sync that runs outside the pool and its limit. ``execution``: ``direct`` by a schedule in
    a Celery worker, ``shell`` from a command line. ``holder``: host and process id."""

    history_id: int
    crm_source: str
    sync_type: str
    execution: str
    started_at: datetime
    schedule_id: int | None = None
    holder: str = ""

    @property
    def route(self) -> str:
        return f"{self.crm_source}.{self.sync_type}"

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "started_at": self.started_at.isoformat()}


@dataclass(frozen=True)
class Explanation:
    """Why a task waits and when it will start. ``position`` counts from 1 through the whole queue;
    None for a held or delayed task, which has no place in it. ``start`` is None where it cannot be
    known."""

    task: WorkerTask
    position: int | None
    reason: Reason
    start: StartRange | None

    def wait(self) -> dict[str, Any]:
        """The JSON form without the task."""
        return {
            "position": self.position,
            "reason": self.reason.to_dict(),
            "start": self.start.to_dict() if self.start else None,
        }

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.task.to_dict(), **self.wait()}


@dataclass(frozen=True)
class PoolSnapshot:
    """The pool at one moment. ``queued`` holds the first tasks in their true order, then
    ``delayed`` those that wait for their not-before time, and ``held`` those that an operator
    holds; the counts are of all of them."""

    taken_at: datetime
    limit: LimitInfo
    effective_limit: int
    active: tuple[WorkerTask, ...]
    queued: tuple[WorkerTask, ...]
    delayed: tuple[WorkerTask, ...]
    queued_count: int
    delayed_count: int
    oldest_queued_at: datetime | None
    workers: tuple[WorkerInfo, ...]
    counters: dict[str, int] = field(default_factory=dict)
    last_monitor_at: datetime | None = None
    held: tuple[WorkerTask, ...] = ()
    held_count: int = 0
    queued_by_crm: Mapping[str, int] = field(default_factory=dict)
    controls: PoolControls = field(default_factory=PoolControls)
    dead_letters: dict[str, str] = field(default_factory=dict)
    # Redis or the ledger's database cannot be used; what is left goes on alone.
    degraded: bool = False
    degraded_since: datetime | None = None
    degraded_reason: str = ""
    # From the ledger, not from the store: syncs outside the pool, and beat's last sign of life.
    direct: tuple[DirectRun, ...] = ()
    last_beat_at: datetime | None = None
    # What an operator should know of the settings of the process that has taken this.
    warnings: tuple[str, ...] = ()
    # The CRMs that the sandbox serves: what they load is made up.
    sandboxed_crms: tuple[str, ...] = ()
    # Why the tasks wait that are shown here, by id.
    waits: Mapping[str, Explanation] = field(default_factory=dict)

    @property
    def active_count(self) -> int:
        return len(self.active)

    @property
    def hosts(self) -> tuple[HostInfo, ...]:
        return hosts_of(self.workers, self.active)

    @property
    def waiting_count(self) -> int:
        """How many tasks are QUEUED, the delayed and held ones among them."""
        return self.queued_count + self.delayed_count + self.held_count

    @property
    def available_workers(self) -> int:
        return max(0, self.limit.max_workers - self.active_count)

    @property
    def utilization(self) -> float:
        """Percent of the slots in use, 0 to 100 (more when the limit was lowered below it)."""
        return round(100 * self.active_count / self.limit.max_workers, 1)

    def knows(self, task_name: str) -> bool:
        """Whether a worker that is online knows this sync by its Celery name, or may."""
        return knows(self.workers, task_name)

    @property
    def no_worker_online(self) -> bool:
        """True when workers were seen before and none of them is alive now."""
        return bool(self.workers) and not any(w.is_online for w in self.workers)

    @property
    def runs_nothing(self) -> bool:
        """True when no worker is online, whether or not one was ever seen. While the pool is
        degraded nobody knows before the workers have reported to the ledger."""
        return not self.degraded and not any(w.is_online for w in self.workers)

    @property
    def monitor_age_seconds(self) -> float | None:
        """None while no monitor round was ever noted."""
        if self.last_monitor_at is None:
            return None
        return (self.taken_at - self.last_monitor_at).total_seconds()

    @property
    def beat_age_seconds(self) -> float | None:
        """None while beat has never sent anything."""
        if self.last_beat_at is None:
            return None
        return max(0.0, (self.taken_at - self.last_beat_at).total_seconds())

    @property
    def state(self) -> str:
        """``degraded``; else ``unknown`` when no worker is online; ``paused`` when the whole pool
        is; ``available`` when a slot is free; ``overloaded`` when more tasks wait than there are
        slots; else ``busy``."""
        if self.degraded:
            return "degraded"
        if self.runs_nothing:
            return "unknown"
        if self.controls.pause:
            return "paused"
        if self.available_workers:
            return "available"
        return "overloaded" if self.queued_count > self.limit.max_workers else "busy"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: snake_case, ISO 8601 UTC, seconds as numbers."""
        return {
            **self.figures(),
            "active": [t.to_dict() for t in self.active],
            "queued": self._waiting(self.queued),
            "delayed": self._waiting(self.delayed),
            "held": self._waiting(self.held),
        }

    def figures(self) -> dict[str, Any]:
        """The JSON form without its lists of tasks."""
        return with_old_keys(
            {
                "schema": 1,
                "taken_at": self.taken_at.isoformat(),
                "state": self.state,
                "max_workers": self.limit.max_workers,
                "effective_limit": self.effective_limit,
                "limit": {
                    "set_by": self.limit.set_by,
                    "set_at": _iso(self.limit.set_at),
                    "reason": self.limit.reason,
                    "expires_at": _iso(self.limit.expires_at),
                },
                "controls": self.controls.to_dict(),
                "active_count": self.active_count,
                "direct_count": len(self.direct),
                "queued_count": self.queued_count,
                "delayed_count": self.delayed_count,
                "held_count": self.held_count,
                "queued_by_crm": dict(self.queued_by_crm),
                "available_workers": self.available_workers,
                "utilization": self.utilization,
                "oldest_queued_at": _iso(self.oldest_queued_at),
                "direct": [run.to_dict() for run in self.direct],
                "workers": [worker.to_dict() for worker in self.workers],
                "hosts": [host.to_dict() for host in self.hosts],
                "counters": dict(self.counters),
                "monitor": {
                    "last_round_at": _iso(self.last_monitor_at),
                    "age_seconds": self.monitor_age_seconds,
                },
                "beat": {
                    "last_tick_at": _iso(self.last_beat_at),
                    "age_seconds": self.beat_age_seconds,
                },
                "dead_letters": dict(self.dead_letters),
                "degraded": self.degraded,
                "degraded_since": _iso(self.degraded_since),
                "degraded_reason": self.degraded_reason,
                "warnings": list(self.warnings),
                "sandboxed_crms": list(self.sandboxed_crms),
            }
        )

    def _waiting(self, tasks: Iterable[WorkerTask]) -> list[dict[str, Any]]:
        """Each task with its ``wait``: position, reason, start; null where the snapshot does not
        explain."""
        return [{**task.to_dict(), **_explained(self.waits.get(task.id))} for task in tasks]


def _explained(found: Explanation | None) -> dict[str, Any]:
    if found is None:
        return {"position": None, "wait": None}
    return {"position": found.position, "wait": found.wait()}


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None
