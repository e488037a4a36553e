"""The open tasks: as a list that is read page by page, and those that match a filter."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingestion.pool.controls import MAX_WORKERS_MAX
from ingestion.pool.queue_place import DELAYED, HELD, NoPlace, QueuePlace, first_of
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.cursor import InvalidCursor
from ingestion.services.security.secrets import mask_json
from ingestion.services.tasks.bulk import RUNNING, TaskFilter, place_of

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

# So many tasks are looked at for one page, and so many are read at once.
MOST_LOOKED_AT, BATCH = 500, 100
# The head of the queue is played; what stands behind it is explained by counts.
MOST_PLAYED = 150
# No pool runs more tasks at once.
MOST_RUNNING = MAX_WORKERS_MAX


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


@dataclass(frozen=True)
class Listed:
    """``snapshot`` holds nothing but what is listed. ``looked_at``: how many waiting tasks were."""

    snapshot: PoolSnapshot
    next_cursor: str | None
    looked_at: int


class Walk:
    """Goes through what waits, in its order, from behind a place on; reads it in batches.
    ``is_cut``: it ended after ``at_most`` tasks, and more may follow behind ``last``."""

    def __init__(
        self, pool: WorkerPoolService, after: QueuePlace | None, *, at_most: float
    ) -> None:
        self._pool = pool
        self._at_most = at_most
        self.last = after
        self.is_cut = False
        self.looked_at = 0

    def __iter__(self) -> Iterator[tuple[WorkerTask, QueuePlace]]:
        while self.looked_at < self._at_most:
            limit = int(min(BATCH, self._at_most - self.looked_at))
            page = self._pool.queue_page(after=self.last, limit=limit)
            for task, place in zip(page.tasks, page.places, strict=True):
                self.looked_at, self.last = self.looked_at + 1, place
                yield task, place
            if page.last is None:
                return
            self.last = page.last
        self.is_cut = self._at_most > 0


def page(pool: WorkerPoolService, wanted: TaskFilter, *, cursor: str, limit: int) -> TaskPage:
    """Those that run, then those that wait in their true order. A page may be short before the
    end: only so many tasks are looked at for one. Raises InvalidCursor."""
    first, after = _place(cursor)
    snapshot, items = pool.peek(), list[WorkerTask]()
    total = snapshot.active_count + snapshot.waiting_count
    for number, task in enumerate(snapshot.active[first:], start=first + 1):
        if wanted.matches(task, now=snapshot.taken_at):
            items.append(task)
        if len(items) == limit:
            return TaskPage(items, str(number) if number < total else None, total)
    walk = Walk(pool, after or _start(wanted), at_most=_most(wanted, len(items), limit))
    for task, place in walk:
        if wanted.matches(task, now=snapshot.taken_at):
            items.append(task)
        if len(items) == limit:
            return TaskPage(items, place.to_text(), total)
    return TaskPage(items, walk.last.to_text() if walk.is_cut and walk.last else None, total)


def listed(
    pool: WorkerPoolService,
    wanted: TaskFilter | None,
    *,
    limit: int,
    cursor: str = "",
    is_export: bool = False,
) -> Listed:
    """The first ``limit`` waiting tasks from the cursor on that match, with why they wait; the
    counts are of all that match among those that were looked at: 500 of them, or all in an export,
    which lists them all too. Without a filter the counts are of all. Raises InvalidCursor."""
    _, after = _place(cursor)
    snapshot = pool.snapshot(queue_limit=min(limit, MOST_PLAYED))
    chosen, at_most = wanted or TaskFilter(), float(MOST_LOOKED_AT if wanted else limit)
    walk = Walk(pool, after or _start(chosen), at_most=math.inf if is_export else at_most)
    found = [pair for pair in walk if chosen.matches(pair[0], now=snapshot.taken_at)]
    shown_pairs = found if is_export else found[:limit]
    is_cut = len(found) > len(shown_pairs)
    last = shown_pairs[-1][1] if is_cut else walk.last if walk.is_cut else None
    content = _as_snapshot(pool, snapshot, [task for task, _ in shown_pairs])
    if wanted is not None:
        content = _counted(content, chosen, [task for task, _ in found])
    return Listed(content, last.to_text() if last else None, walk.looked_at)


def _as_snapshot(
    pool: WorkerPoolService, snapshot: PoolSnapshot, tasks: Sequence[WorkerTask]
) -> PoolSnapshot:
    """With these waiting tasks alone, each at its place."""
    at = _by_place(tasks, snapshot)
    return replace(
        snapshot,
        queued=tuple(at["queued"]),
        delayed=tuple(at["delayed"]),
        held=tuple(at["held"]),
        waits=pool.waits_of(snapshot, tasks),
    )


def _counted(
    snapshot: PoolSnapshot, wanted: TaskFilter, tasks: Sequence[WorkerTask]
) -> PoolSnapshot:
    """With the counts of these tasks, and of what runs that which matches."""
    at = _by_place(tasks, snapshot)
    return replace(
        snapshot,
        active=tuple(t for t in snapshot.active if wanted.matches(t, now=snapshot.taken_at)),
        queued_count=len(at["queued"]),
        delayed_count=len(at["delayed"]),
        held_count=len(at["held"]),
    )


def _by_place(
    tasks: Iterable[WorkerTask], snapshot: PoolSnapshot
) -> Mapping[str, list[WorkerTask]]:
    found = defaultdict[str, list[WorkerTask]](list)
    for task in tasks:
        found[place_of(task, now=snapshot.taken_at)].append(task)
    return found


def shown(task: WorkerTask) -> dict[str, Any]:
    """``WorkerTask.to_dict`` and its route; what older versions stored may hold a secret."""
    return {**mask_json(task.to_dict()), "route": task.route}


def _most(wanted: TaskFilter, found: int, limit: int) -> int:
    """How many waiting tasks are looked at for one page."""
    if wanted.status == RUNNING:
        return 0
    return limit - found if wanted == TaskFilter() else MOST_LOOKED_AT


def _start(wanted: TaskFilter) -> QueuePlace | None:
    """Where those that are asked for begin; None: at the head of the queue."""
    return first_of(wanted.status) if wanted.status in (DELAYED, HELD) else None


def _place(cursor: str) -> tuple[int, QueuePlace | None]:
    """How many running tasks were shown already, or behind which waiting one the list goes on."""
    if not cursor:
        return 0, None
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 10:
        return int(cursor), None
    try:
        return MOST_RUNNING, QueuePlace.from_text(cursor)
    except NoPlace as problem:
        raise InvalidCursor("This is no cursor of this list.") from problem
