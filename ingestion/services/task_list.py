"""The open tasks as a list that is read page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ingestion.pool.task import TaskStatus, WorkerTask, utc_now
from ingestion.services.cursor import InvalidCursor
from ingestion.services.secrets import mask_json
from ingestion.services.worker_pool import WorkerPoolService

# Tasks are read so many at a time, and so many for one page at most.
BATCH, MOST_LOOKED_AT = 500, 10_000


@dataclass(frozen=True)
class Wanted:
    """Which tasks; empty fields say nothing. ``status``: running, queued, delayed,
    held. ``older_than_seconds`` counts from the submission."""

    status: str = ""
    crm_source: str = ""
    sync_type: str = ""
    requested_by: str = ""
    older_than_seconds: float | None = None

    def fits(self, task: WorkerTask) -> bool:
        return (
            self.status in ("", word_of(task))
            and self.crm_source in ("", task.crm_source)
            and self.sync_type in ("", task.sync_type)
            and self.requested_by in ("", task.requested_by)
            and self._is_old_enough(task)
        )

    def _is_old_enough(self, task: WorkerTask) -> bool:
        least = self.older_than_seconds
        return least is None or (utc_now() - task.queued_at).total_seconds() >= least


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


def page(pool: WorkerPoolService, wanted: Wanted, *, cursor: str, limit: int) -> TaskPage:
    """Those that run, then those that wait in their true order. A page may be short before the
    end: only so many tasks are looked at for one. Raises InvalidCursor."""
    place, active = _place(cursor), pool.get_active_tasks()
    waiting = pool.snapshot(queue_limit=0)
    total = len(active) + waiting.waiting_count
    items: list[WorkerTask] = []
    last = min(total, place + MOST_LOOKED_AT)
    for task in _open(pool, active, place, last):
        place += 1
        if wanted.fits(task):
            items.append(task)
        if len(items) == limit:
            break
    return TaskPage(items, str(place) if place < total else None, total)


def shown(task: WorkerTask) -> dict[str, Any]:
    """``WorkerTask.to_dict`` and its route; what older versions stored may hold a secret."""
    return {**mask_json(task.to_dict()), "route": task.route}


def word_of(task: WorkerTask) -> str:
    """What is queued for the pool may be held or delayed for people."""
    if task.status == TaskStatus.QUEUED and task.is_held:
        return "held"
    is_delayed = task.status == TaskStatus.QUEUED and task.not_before is not None
    return "delayed" if is_delayed else str(task.status)


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
