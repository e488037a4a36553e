"""What a test can see of a store at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from ingestion.pool.keys import PoolKeys
from ingestion.pool.overlap import overlap_member
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.store import PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask

EVERY = 10_000


@dataclass(frozen=True)
class StateDump:
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

    @property
    def held(self) -> list[str]:
        return [task.id for task in self.snapshot.held]

    def with_status(self, *statuses: TaskStatus) -> set[str]:
        return {task.id for task in self.tasks.values() if task.status in statuses}

    def state(self) -> object:
        """Everything that a refused or a repeated verb must leave as it was."""
        places = (self.active, self.ready, self.delayed, self.held)
        return (self.tasks, places, self.snapshot.counters)


def everything(snapshot: PoolSnapshot) -> tuple[WorkerTask, ...]:
    return (*snapshot.active, *snapshot.queued, *snapshot.delayed, *snapshot.held)


def look(store: PoolStore, ids: Iterable[str]) -> StateDump:
    snapshot = store.snapshot(queue_limit=EVERY)
    open_ones = {t.id: t for t in everything(snapshot)}
    others = {task_id: store.get(task_id) for task_id in set(ids) - open_ones.keys()}
    return StateDump(open_ones | {i: task for i, task in others.items() if task}, snapshot)


def check_keys(client: Redis, keys: PoolKeys, picture: StateDump) -> None:
    """The structures in Redis say the same as the tasks, each of them."""
    active, leases, unconfirmed, waiting, delayed, on_hold, overlaps, *queues = _members(
        client,
        *(keys.active, keys.leases, keys.unconfirmed, keys.waiting, keys.delayed),
        *(keys.held, keys.overlaps),
        *(keys.queue(crm.decode()) for crm in client.smembers(keys.queues)),
    )
    running = picture.with_status(TaskStatus.RUNNING)
    held = {i for i in running if picture.tasks[i].confirmed_at}
    assert (active, leases, unconfirmed) == (running, held, running - held)
    queued = picture.with_status(TaskStatus.QUEUED)
    assert waiting | delayed | on_hold == queued
    assert len(waiting) + len(delayed) + len(on_hold) == len(queued)
    assert overlaps == {overlap_member(picture.tasks[i]) for i in queued}
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


def started_between(before: StateDump, after: StateDump) -> set[str]:
    """Those that were granted an attempt."""
    both = before.tasks.keys() & after.tasks.keys()
    return {i for i in both if after.tasks[i].attempt > before.tasks[i].attempt}


def every_task_is_in_one_place(picture: StateDump) -> None:
    places = [*picture.active, *picture.ready, *picture.delayed, *picture.held]
    assert len(places) == len(set(places)), "a task stands in two places"
    assert set(picture.active) == picture.with_status(TaskStatus.RUNNING)
    assert {*picture.ready, *picture.delayed, *picture.held} == picture.with_status(
        TaskStatus.QUEUED
    )
    assert set(picture.held) == {
        i
        for i, task in picture.tasks.items()
        if task.status == TaskStatus.QUEUED and task.held_place
    }
    assert picture.snapshot.held_count == len(picture.held)
    assert picture.snapshot.queued_count == len(picture.ready)
    assert picture.snapshot.delayed_count == len(picture.delayed)
    assert picture.snapshot.active_count == len(picture.active)
