"""The open tasks: as a list that is read page by page, and those that match a filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.cursor import InvalidCursor
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks.bulk import TaskFilter

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

# Tasks are read so many at a time, and so many for one page at most.
BATCH, MOST_LOOKED_AT = 500, 10_000


@dataclass(frozen=True)
class TaskPage:
    """``next_cursor`` is None at the end; ``total`` is of all open tasks, whether they fit or not."""

    items: list[WorkerTask]
    next_cursor: str | None
    total: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "items": [shown(task) for task in self.items],
            "next_cursor": self.next_cursor,
            "total": self.total,
        }


def page(pool: WorkerPoolService, wanted: TaskFilter, *, cursor: str, limit: int) -> TaskPage:
    """Those that run, then those that wait in their true order. A page may be short before the
    end: only so many tasks are looked at for one. Raises InvalidCursor."""
    place, active = _place(cursor), pool.get_active_tasks()
    waiting = pool.snapshot(queue_limit=0)
    total = len(active) + waiting.waiting_count
    items: list[WorkerTask] = []
    last = min(total, place + MOST_LOOKED_AT)
    for task in _open(pool, active, place, last):
        place += 1
        if wanted.matches(task, now=waiting.taken_at):
            items.append(task)
        if len(items) == limit:
            break
    return TaskPage(items, str(place) if place < total else None, total)


def matching(pool: WorkerPoolService, wanted: TaskFilter, *, limit: int) -> PoolSnapshot:
    """The pool as if it held nothing else: the whole queue is looked through, and the counts are of
    what matches. ``limit`` tasks of each place that waits are in it."""
    snapshot = pool.snapshot(queue_limit=pool.peek().waiting_count)
    active, queued, delayed, held = (
        tuple(task for task in tasks if wanted.matches(task, now=snapshot.taken_at))
        for tasks in (snapshot.active, snapshot.queued, snapshot.delayed, snapshot.held)
    )
    return replace(
        snapshot,
        active=active,
        queued=queued[:limit],
        delayed=delayed[:limit],
        held=held[:limit],
        queued_count=len(queued),
        delayed_count=len(delayed),
        held_count=len(held),
    )


def shown(task: WorkerTask) -> dict[str, Any]:
    """``WorkerTask.to_dict`` and its route; what older versions stored may hold a secret."""
    return {**mask_json(task.to_dict()), "route": task.route}


def _open(
    pool: WorkerPoolService, active: list[WorkerTask], first: int, last: int
) -> Iterator[WorkerTask]:
    """The open tasks from one place to another, read in batches."""
    yield from active[first:last]
    place = max(first, len(active))
    while place < last:
        limit = min(BATCH, last - place)
        batch = pool.get_queued_tasks(offset=place - len(active), limit=limit)
        if not batch:
            return
        yield from batch
        place += len(batch)


def _place(cursor: str) -> int:
    if not cursor:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise InvalidCursor("This is no cursor of this list.")
    return int(cursor)
