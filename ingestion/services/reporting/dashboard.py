"""What the dashboard shows, as JSON of at most 64 KB, made once a second for all who look."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q
from django.utils import timezone

from ingestion.conf import pool_conf
from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.snapshot import Explanation, PoolSnapshot
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.response_cache import Answer, SharedAnswers, answer, as_json
from ingestion.services.reporting import health, history, task_list, task_summary
from ingestion.services.security.access import is_read_only
from ingestion.services.tasks.bulk import TaskFilter
from ingestion.services.waiting.usual_times import usual

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService

EVERYTHING = TaskFilter()
LARGEST_BYTES = 64_000
KEPT_SECONDS = 1.0
MOST_ACTIVE = 50
MOST_ASIDE = 20
# So far the queue is played; the starts of what stands further back follow from counts.
MOST_PLAYED = 150
MOST_RESULTS = 24
MOST_WORKERS = 20
MOST_WAIT_MINUTES = 60.0

# So far an expected start may move before the readers are told.
STEADY_SECONDS = 30

NUMBERS = re.compile(r"\d+")

# When this process began to answer; the system itself is hardly older where that is new.
BEGAN = time.monotonic()

shared = SharedAnswers(KEPT_SECONDS)


def live(
    pool: WorkerPoolService,
    *,
    queue_offset: int,
    queue_limit: int,
    wanted: TaskFilter = EVERYTHING,
) -> Answer:
    """The pool as it stands, with one page of its queue; with a filter the first tasks that match,
    of 500 that are looked at. Raises PoolUnavailable, DatabaseError."""

    def make() -> Answer:
        return _made(pool, queue_offset, queue_limit, wanted)

    return shared.get((pool, queue_offset, queue_limit, wanted), make)


def _made(pool: WorkerPoolService, offset: int, limit: int, wanted: TaskFilter) -> Answer:
    is_near = offset + limit <= MOST_PLAYED
    snapshot = pool.snapshot(queue_limit=offset + limit if is_near else limit)
    content = _content(pool, snapshot, offset, limit)
    if wanted != EVERYTHING:
        content |= _matching(pool, wanted, limit)
    body = _fitted(content)
    return answer(body, steady=_steady(content), taken_at=snapshot.taken_at)


def _content(
    pool: WorkerPoolService, snapshot: PoolSnapshot, offset: int, limit: int
) -> dict[str, Any]:
    figures = snapshot.figures()
    queued = _page(pool, snapshot, offset, limit)
    waits = {**snapshot.waits, **pool.waits_of(snapshot, queued)}
    return with_old_keys(
        {
            **figures,
            **_lists(snapshot, queued, waits, offset),
            "queue_page": {"offset": offset, "limit": limit, "total": snapshot.queued_count},
            "state_reason": reason_of(snapshot),
            "read_only": is_read_only(),
            "workers": figures["workers"][:MOST_WORKERS],
            "hosts": figures["hosts"][:MOST_WORKERS],
            "direct": figures["direct"][:MOST_ASIDE],
            "dead_letters": {},
            "dead_letter_count": len(snapshot.dead_letters),
            **_told(snapshot),
            "results": history.last_results(MOST_RESULTS),
            "last_24h": last_day(),
        }
    )


def _matching(pool: WorkerPoolService, wanted: TaskFilter, limit: int) -> dict[str, Any]:
    """What waits and matches, in place of the whole queue; the places in it are not known."""
    found = task_list.listed(pool, wanted, limit=limit).snapshot
    at = {"queued": found.queued, "delayed": found.delayed, "held": found.held}
    return {
        **{
            name: [task_summary.waiting(task, found.waits.get(task.id)) for task in tasks]
            for name, tasks in at.items()
        },
        "queue_page": {"offset": 0, "limit": limit, "total": found.queued_count},
    }


def _page(
    pool: WorkerPoolService, snapshot: PoolSnapshot, offset: int, limit: int
) -> Sequence[WorkerTask]:
    """Ready tasks alone: those that wait for a time stand after them."""
    limit = min(limit, max(0, snapshot.queued_count - offset))
    if limit and offset + limit > len(snapshot.queued):
        return pool.get_queued_tasks(offset=offset, limit=limit)
    return snapshot.queued[offset : offset + limit]


def _lists(
    snapshot: PoolSnapshot,
    queued: Sequence[WorkerTask],
    waits: Mapping[str, Explanation],
    offset: int,
) -> dict[str, list[task_summary.Summary]]:
    aside = {"delayed": snapshot.delayed, "held": snapshot.held}
    return {
        "active": [
            task_summary.running(task, usual(task.crm_source, task.sync_type))
            for task in snapshot.active[:MOST_ACTIVE]
        ],
        "queued": [
            task_summary.waiting(task, waits.get(task.id), position=offset + n)
            for n, task in enumerate(queued, start=1)
        ],
        **{
            name: [task_summary.waiting(task, waits.get(task.id)) for task in tasks[:MOST_ASIDE]]
            for name, tasks in aside.items()
        },
    }


def reason_of(snapshot: PoolSnapshot) -> str:
    """Why the state is what it is, in one sentence."""
    slots = f"{snapshot.active_count} of {snapshot.limit.max_workers} slots are taken"
    if outside := len(snapshot.direct):
        slots += f", {outside} sync{'' if outside == 1 else 's'} outside the pool"
    sentences = {
        "degraded": snapshot.degraded_reason or "Redis cannot be used.",
        "unknown": "No Celery worker is online: nothing runs until one comes.",
        "available": f"{slots}.",
        "busy": f"{slots}.",
        "overloaded": f"{slots}, and {snapshot.queued_count} tasks wait.",
        "paused": "The pool is paused: nothing new is started.",
    }
    return sentences.get(snapshot.state, "")


def _told(snapshot: PoolSnapshot) -> dict[str, list[str]]:
    """``problems`` want somebody, ``notes`` only time."""
    clocks = {
        "monitor_seconds": pool_conf().monitor_seconds,
        "up_seconds": time.monotonic() - BEGAN,
    }
    found = health.problems(snapshot, max_wait_minutes=MOST_WAIT_MINUTES, **clocks)
    return {
        "problems": [task_summary.cut(sentence, 300) for sentence in found],
        "notes": list(health.notes(snapshot, **clocks)),
    }


def last_day() -> dict[str, Any]:
    """How the runs of the last 24 hours ended; ``success_rate`` in percent, cancelled ones aside."""
    since = timezone.now() - timedelta(hours=24)
    # Grouped by the status, databases read every row that waits; these read the last day alone.
    each = {str(status): Count("pk", filter=Q(status=status)) for status in history.ENDED}
    counts = SyncHistory.objects.filter(end_time__gte=since).aggregate(**each)
    right = counts["success"] + counts["partial"]
    tried = right + counts["failed"]
    rate = round(100 * right / tried, 1) if tried else None
    return {**counts, "success_rate": rate}


def _fitted(content: dict[str, Any]) -> bytes:
    """As it is sent, after lists were cut, the longest first, until the whole is small enough. The
    counts stay whole."""
    content["is_cut"] = False
    while len(body := as_json(content)) > LARGEST_BYTES:
        longest = max(
            ("active", "direct", "queued", "delayed", "held", "results"),
            key=lambda n: len(as_json(content[n])),
        )
        if not content[longest]:
            break
        content[longest] = content[longest][: len(content[longest]) * 3 // 4]
        content["is_cut"] = True
    return body


def _steady(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without the clocks: what stays equal while nothing happens."""
    told = {name: value for name, value in content.items() if name != "taken_at"}
    for part in ("monitor", "beat"):
        told[part] = {**content[part], "age_seconds": None}
    for name in ("workers", "hosts"):
        told[name] = [{**seen, "last_seen_at": None} for seen in content[name]]
    for name in ("queued", "delayed", "held"):
        told[name] = [_steady_summary(card) for card in content[name]]
    told["problems"] = [NUMBERS.sub("#", sentence) for sentence in content["problems"]]
    return told


def _steady_summary(card: Mapping[str, Any]) -> dict[str, Any]:
    """An expected start that moves by some seconds is no news."""
    wait = dict(card["wait"] or {})
    if start := wait.pop("start", None):
        times = (datetime.fromisoformat(start[name]) for name in ("earliest", "latest"))
        wait["start"] = [int(at.timestamp() // STEADY_SECONDS) for at in times]
    return {**card, "wait": wait}
