"""A process that is never killed: does to the pool what faults need, and tells what is stored.

Reads one JSON list ``[verb, args]`` a line, answers ``{"ok": ...}`` or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.keys import PoolKeys
from ingestion.services.infra import redis_cache
from ingestion.services.requests.routing import ROUTES, task_name
from ingestion.services.worker_pool import get_worker_pool

SYNCS = frozenset(task_name(*route) for route in ROUTES)


def publish(crm_source: str, sync_type: str, task_id: str, attempt: int, copies: int) -> None:
    """Deliver the message of an attempt again."""
    for _ in range(copies):
        current_app.send_task(
            task_name(crm_source, sync_type), kwargs={"task_id": task_id, "attempt": attempt}
        )


def monitors(times: int) -> None:
    """Rounds in workers and one here, at the same time."""
    for _ in range(times):
        current_app.send_task("ingestion.tasks.worker_pool_monitor")
    get_worker_pool().run_monitor_round()


def open_rows() -> int:
    return SyncHistory.objects.filter(status__in=SyncHistory.OPEN_STATUSES).count()


def stats() -> dict[str, Any]:
    return get_worker_pool().get_stats()


def rows() -> list[dict[str, Any]]:
    names = ("worker_pool_task_id", "crm_source", "sync_type", "status", "attempt")
    more = ("error_message", "configuration", "start_time", "end_time")
    found = SyncHistory.objects.values(*names, *more)
    return [{**row, "configuration": row["configuration"].get("max_attempts")} for row in found]


def actions(names: list[str]) -> list[list[Any]]:
    """Task, what the audit record says, when (s since 1970), why, and of which attempt."""
    found = AuditRecord.objects.filter(action__in=names).order_by("at")
    return [
        [r.target, r.action, r.at.timestamp(), r.reason, (r.before or {}).get("attempt", 0)]
        for r in found
    ]


def records() -> list[list[Any]]:
    """The whole audit record: action, target, actor; of a limit also the number."""
    found = AuditRecord.objects.order_by("at").iterator()
    return [[r.action, r.target, r.actor, r.after if r.action == "limit" else None] for r in found]


def tasks(ids: list[str]) -> dict[str, Any]:
    """What the store knows: status and attempt by id."""
    found = ((task_id, get_worker_pool().get_task_status(task_id)) for task_id in ids)
    return {task_id: [task.status.value, task.attempt] for task_id, task in found if task}


def slots() -> dict[str, int]:
    """The sizes of what must be empty once everything has ended."""
    keys, client = PoolKeys(redis_cache.key_prefix()), redis_cache.redis_client()
    named = ("active", "leases", "unconfirmed", "waiting", "delayed")
    return {name: client.zcard(getattr(keys, name)) for name in named}


def messages() -> dict[str, int]:
    """What the broker still holds."""
    with current_app.connection_for_read() as link:
        client = link.default_channel.client
        queue = settings.CELERY_TASK_DEFAULT_QUEUE
        return {"queued": client.llen(queue), "unacked": client.hlen("unacked")}


def busy() -> int | None:
    """How many syncs Celery's workers say that they run; None when nobody answered. Rounds of the
    monitor come and go all the time."""
    answer = current_app.control.inspect(timeout=3).active()
    if answer is None:
        return None
    names = [task["name"] for tasks in answer.values() for task in tasks]
    return sum(name in SYNCS for name in names)


VERBS = {
    f.__name__: f
    for f in (
        publish,
        monitors,
        open_rows,
        stats,
        rows,
        actions,
        records,
        tasks,
        slots,
        messages,
        busy,
    )
}


def main() -> None:
    for line in sys.stdin:
        verb, args = json.loads(line)
        try:
            answer = {"ok": VERBS[verb](*args)}
        except Exception as problem:
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        connection.close()
        print(json.dumps(answer, default=str), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
