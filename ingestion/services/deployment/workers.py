"""Whether somebody takes what the pool sends: workers, their queues and routes, beat."""

from __future__ import annotations

from collections.abc import Iterator

from celery import current_app
from django.core.checks import CheckMessage, Error, Warning
from django.db import connection
from kombu.exceptions import OperationalError

from ingestion.conf import celery_command, control_queue, pool_conf, sync_queue
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.requests.sync_queues import sync_queues, unread_queues
from ingestion.services.worker_pool import get_worker_pool

ASK_SECONDS = 2.0
SHOWN = 3


def worker_problems() -> list[CheckMessage]:
    """Says nothing of the pool where it cannot be asked; that is told as the server's problem."""
    try:
        snapshot = get_worker_pool().peek()
    except PoolUnavailable:
        return []
    finally:
        connection.close()
    online = [worker for worker in snapshot.workers if worker.is_online]
    if not online:
        return [
            Error(
                "No Celery worker is online.",
                hint=f"Start one: {celery_command('worker')}",
                id="ingestion.E050",
            )
        ]
    return [*_routes(snapshot), *_queues(), *_monitor(snapshot), *_doctor()]


def _routes(snapshot: PoolSnapshot) -> Iterator[CheckMessage]:
    unread = unread_queues(snapshot)
    unknown = sorted(
        name
        for queue, names in sync_queues().items()
        for name in names
        if queue not in unread and not snapshot.knows(name)
    )
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        yield Error(
            f"No worker online knows {', '.join(unknown[:SHOWN])}{more}.",
            hint="Restart the workers: they are older than this code.",
            id="ingestion.E051",
        )


def _queues() -> Iterator[CheckMessage]:
    try:
        answers = current_app.control.inspect(timeout=ASK_SECONDS).active_queues() or {}
    except (OperationalError, OSError):
        return
    consumed = {queue["name"] for queues in answers.values() for queue in queues}
    missing = sorted({sync_queue(), control_queue(), *sync_queues()} - consumed)
    if answers and missing:
        yield Error(
            f"No worker that answers takes tasks from the queue {' and '.join(missing)}, but from "
            f"{', '.join(sorted(consumed))}.",
            hint="Start the workers with the same DJANGO_ENV, CELERY_TASK_DEFAULT_QUEUE, "
            "CELERY_SYNC_QUEUES and CELERY_CONTROL_QUEUE, and for each queue one that takes from it: "
            f"{celery_command('worker')} --queues {','.join(missing)}",
            id="ingestion.E052",
        )


def _monitor(snapshot: PoolSnapshot) -> Iterator[CheckMessage]:
    age = snapshot.monitor_age_seconds
    if age is None or age > 3 * pool_conf().monitor_seconds:
        yield Warning(
            "The monitor has not run for three of its rounds.",
            hint=f"See whether beat runs (exactly one): {celery_command('beat')}",
            id="ingestion.W050",
        )


def _doctor() -> Iterator[CheckMessage]:
    """What disagrees in the pool, as ``doctor`` finds it."""
    try:
        found = get_worker_pool().examine().findings
    except PoolUnavailable:
        return
    finally:
        connection.close()
    if found:
        yield Warning(
            f"{len(found)} facts of the pool disagree, e.g.: {found[0].sentence}",
            hint="Run: manage.py manage_worker_pool doctor",
            id="ingestion.W051",
        )
