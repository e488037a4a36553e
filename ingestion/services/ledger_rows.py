"""The rows of the ledger that a store over it works on, by what the store last said of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, ExpressionWrapper, F, Q, QuerySet

from ingestion.models import SyncHistory
from ingestion.pool.clock import seconds_to_us, to_us
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus
from ingestion.services.ledger_state import FINAL

OPEN = Q(status__in=SyncHistory.OPEN_STATUSES)
IS_QUEUED = OPEN & Q(pool_status=TaskStatus.QUEUED)

Rows = QuerySet[SyncHistory]


def active() -> Rows:
    return SyncHistory.objects.filter(OPEN, pool_status=TaskStatus.RUNNING)


def ready(policy: PoolPolicy) -> Rows:
    """In their true order."""
    return SyncHistory.objects.filter(IS_QUEUED, delayed_us=None).order_by(*_order(policy))


def _order(policy: PoolPolicy) -> tuple[Any, ...]:
    """As ``store.queue_score`` does it. Two strict scores are never equal within one level: the
    places are at least as far apart as a score counts."""
    if policy.priority_aging_seconds <= 0:
        return ("-priority", "queued_us", "worker_pool_task_id")
    level_us = seconds_to_us(policy.priority_aging_seconds)
    score = ExpressionWrapper(
        F("queued_us") - F("priority") * level_us, output_field=BigIntegerField()
    )
    return (score, "worker_pool_task_id")


def delayed() -> Rows:
    """By the time for which they wait."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, delayed_us__isnull=False)
    return waiting.order_by("delayed_us", "worker_pool_task_id")


def promote(now: datetime) -> None:
    """Whose time has come stands in the queue."""
    SyncHistory.objects.filter(IS_QUEUED, delayed_us__lte=to_us(now)).update(delayed_us=None)


def retained(policy: PoolPolicy, now: datetime) -> Q:
    """Ended, and not yet forgotten."""
    since_us = to_us(now) - seconds_to_us(policy.retention_seconds)
    return Q(pool_status__in=FINAL, ended_us__gt=since_us)


def known(policy: PoolPolicy, now: datetime) -> Rows:
    """What the store knows."""
    is_open = OPEN & Q(pool_status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING))
    return SyncHistory.objects.filter(is_open | retained(policy, now))
