"""What the dashboard shows, as JSON of at most 64 KB, made once a second for all who look."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from ingestion.conf import pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services import cards, health, history
from ingestion.services.access import is_read_only
from ingestion.services.shared_answers import Answer, SharedAnswers, answer
from ingestion.services.usual_times import usual
from ingestion.services.worker_pool import WorkerPoolService

LARGEST_BYTES = 64_000
KEPT_SECONDS = 1.0
MOST_ACTIVE = 50
MOST_ASIDE = 20
MOST_EXPLAINED = 500
MOST_RESULTS = 15
MOST_WORKERS = 20
MOST_WAIT_MINUTES = 60.0

# So far an expected start may move before the readers are told.
STEADY_SECONDS = 30

NUMBERS = re.compile(r"\d+")

shared = SharedAnswers(KEPT_SECONDS)


def live(pool: WorkerPoolService, *, queue_offset: int, queue_limit: int) -> Answer:
    """The pool as it stands, with one page of its queue. Raises PoolUnavailable, DatabaseError."""

    def make() -> Answer:
        return _made(pool, queue_offset, queue_limit)

    return shared.get((pool, queue_offset, queue_limit), make)


def _made(pool: WorkerPoolService, offset: int, limit: int) -> Answer:
    # What stands further back is listed without its reasons: they follow from all before it.
    is_near = offset + limit <= MOST_EXPLAINED
    snapshot = pool.snapshot(queue_limit=offset + limit if is_near else limit)
    content = _content(pool, snapshot, offset, limit)
    fitted = _fitted(content)
    return answer(fitted, steady=_steady(fitted), taken_at=snapshot.taken_at)


def _content(
    pool: WorkerPoolService, snapshot: PoolSnapshot, offset: int, limit: int
) -> dict[str, Any]:
    whole = snapshot.to_dict()
    return {
        **whole,
        **_lists(whole, _page(pool, whole, offset, limit), offset),
        "queue_page": {"offset": offset, "limit": limit, "total": whole["queued_count"]},
        "state_reason": reason_of(snapshot),
        "read_only": is_read_only(),
        "workers": whole["workers"][:MOST_WORKERS],
        "direct": whole["direct"][:MOST_ASIDE],
        "set_aside": {},
        "set_aside_count": len(whole["set_aside"]),
        "problems": _problems(snapshot),
        "results": history.last_results(MOST_RESULTS),
        "last_24h": last_day(),
    }


def _page(
    pool: WorkerPoolService, whole: Mapping[str, Any], offset: int, limit: int
) -> list[Mapping[str, Any]]:
    """Ready tasks alone: those that wait for a time stand after them."""
    limit = min(limit, max(0, whole["queued_count"] - offset))
    if limit and offset + limit > len(whole["queued"]):
        return [task.to_dict() for task in pool.get_queued_tasks(offset=offset, limit=limit)]
    return list(whole["queued"][offset : offset + limit])


def _lists(
    whole: Mapping[str, Any], queued: list[Mapping[str, Any]], offset: int
) -> dict[str, Any]:
    return {
        "active": [
            cards.running(task, usual(task["crm_source"], task["sync_type"]))
            for task in whole["active"][:MOST_ACTIVE]
        ],
        "queued": [
            cards.waiting(task, position=offset + n) for n, task in enumerate(queued, start=1)
        ],
        **{
            name: [cards.waiting(task, position=None) for task in whole.get(name, ())[:MOST_ASIDE]]
            for name in ("delayed", "held")
        },
    }


def reason_of(snapshot: PoolSnapshot) -> str:
    """Why the state is what it is, in one sentence."""
    slots = f"{snapshot.active_count} of {snapshot.limit.max_workers} slots are taken"
    if outside := len(snapshot.direct):
        slots += f", {outside} sync{'' if outside == 1 else 's'} outside the pool"
    sentences = {
        "degraded": snapshot.degraded_reason or "Redis cannot be used.",
        "unknown": "No Celery worker is online.",
        "available": f"{slots}.",
        "busy": f"{slots}.",
        "overloaded": f"{slots}, and {snapshot.queued_count} tasks wait.",
        "paused": "The pool is paused: nothing new is started.",
    }
    return sentences.get(snapshot.state, "")


def _problems(snapshot: PoolSnapshot) -> list[str]:
    found = health.problems(
        snapshot,
        monitor_seconds=pool_conf().monitor_seconds,
        max_wait_minutes=MOST_WAIT_MINUTES,
    )
    return [cards.cut(sentence, 300) for sentence in found]


def last_day() -> dict[str, Any]:
    """How the runs of the last 24 hours ended; ``success_rate`` in percent, cancelled ones aside."""
    since = timezone.now() - timedelta(hours=24)
    rows = SyncHistory.objects.filter(end_time__gte=since).order_by().values_list("status")
    counts = {str(status): 0 for status in history.ENDED} | dict(rows.annotate(n=Count("pk")))
    right = counts["success"] + counts["partial"]
    tried = right + counts["failed"]
    rate = round(100 * right / tried, 1) if tried else None
    return {**{str(status): counts[status] for status in history.ENDED}, "success_rate": rate}


def _fitted(content: dict[str, Any]) -> dict[str, Any]:
    """Cut lists, the longest first, until the whole is small enough. The counts stay whole."""
    content["is_cut"] = False
    while _size(content) > LARGEST_BYTES:
        longest = max(
            ("active", "direct", "queued", "delayed", "held", "results"),
            key=lambda n: _size(content[n]),
        )
        if not content[longest]:
            break
        content[longest] = content[longest][: len(content[longest]) * 3 // 4]
        content["is_cut"] = True
    return content


def _size(value: Any) -> int:
    return len(
        json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    )


def _steady(content: Mapping[str, Any]) -> dict[str, Any]:
    """Without the clocks: what stays equal while nothing happens."""
    told = {name: value for name, value in content.items() if name not in ("taken_at", "monitor")}
    told["workers"] = [{**worker, "last_seen_at": None} for worker in content["workers"]]
    for name in ("queued", "delayed", "held"):
        told[name] = [_steady_card(card) for card in content[name]]
    told["problems"] = [NUMBERS.sub("#", sentence) for sentence in content["problems"]]
    return told


def _steady_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """An expected start that moves by some seconds is no news."""
    wait = dict(card["wait"] or {})
    if start := wait.pop("start", None):
        times = (datetime.fromisoformat(start[name]) for name in ("earliest", "latest"))
        wait["start"] = [int(at.timestamp() // STEADY_SECONDS) for at in times]
    return {**card, "wait": wait}
