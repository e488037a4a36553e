"""What a test can see of a store at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from ingestion.pool.keys import PoolKeys
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask

EVERY = 10_000


@dataclass(frozen=True)
class Picture:
    """``tasks`` holds what the store knows of the ids that were asked for."""

    tasks: dict[str, WorkerTask]
    snapshot: PoolSnapshot

    @property
    def now(self) -> datetime:
        return self.snapshot.taken_at

    @property
    def active(self) -> list[str]:
        return [task.id for task in self.snapshot.active]

    @property
    def ready(self) -> list[str]:
        return [task.id for task in self.snapshot.queued]

    @property
    def delayed(self) -> list[str]:
        return [task.id for task in self.snapshot.delayed]

    def with_status(self, *statuses: TaskStatus) -> set[str]:
        return {task.id for task in self.tasks.values() if task.status in statuses}

    def state(self) -> object:
        """Everything that a refused or a repeated verb must leave as it was."""
        return (self.tasks, self.active, self.ready, self.delayed, self.snapshot.counters)


def look(store: PoolStore, ids: Iterable[str]) -> Picture:
    snapshot = store.snapshot(queue_limit=EVERY)
    open_ones = {t.id: t for t in (*snapshot.active, *snapshot.queued, *snapshot.delayed)}
    others = {task_id: store.get(task_id) for task_id in set(ids) - open_ones.keys()}
    return Picture(open_ones | {i: task for i, task in others.items() if task}, snapshot)


def check_keys(client: Redis, keys: PoolKeys, picture: Picture) -> None:
    """The structures in Redis say the same as the tasks, each of them."""
    active, leases, unconfirmed, waiting, delayed, *queues = _members(
        client,
        *(keys.active, keys.leases, keys.unconfirmed, keys.waiting, keys.delayed),
        *(keys.queue(crm.decode()) for crm in client.smembers(keys.queues)),
    )
    running = picture.with_status(TaskStatus.RUNNING)
    held = {i for i in running if picture.tasks[i].confirmed_at}
    assert (active, leases, unconfirmed) == (running, held, running - held)
    assert waiting | delayed == picture.with_status(TaskStatus.QUEUED)
    assert not waiting & delayed
    assert set().union(*queues) == waiting
    for ids in queues:
        assert len({picture.tasks[i].crm_source for i in ids}) == 1
    family = keys.task_family
    kept = {key.decode().removeprefix(family) for key in client.scan_iter(f"{family}*", count=9999)}
    assert kept == set(picture.tasks)


def _members(client: Redis, *sorted_sets: str) -> list[set[str]]:
    with client.pipeline(transaction=False) as pipeline:
        for key in sorted_sets:
            pipeline.zrange(key, 0, -1)
        return [{member.decode() for member in found} for found in pipeline.execute()]
