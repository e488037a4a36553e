"""The rows of the ledger that a store over it works on, by what the store last said of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Coalesce

from ingestion.models import SyncHistory
from ingestion.pool.clock import seconds_to_us, to_us
from ingestion.pool.overlap import ALL, OnOverlap, parameters_digest
from ingestion.pool.store import EPOCH_US, STRICT_LEVEL, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger_state import FINAL

OPEN = Q(status__in=SyncHistory.OPEN_STATUSES)
IS_QUEUED = OPEN & Q(pool_status=TaskStatus.QUEUED)

Rows = QuerySet[SyncHistory]


def active() -> Rows:
    return SyncHistory.objects.filter(OPEN, pool_status=TaskStatus.RUNNING)


def ready(policy: PoolPolicy) -> Rows:
    """In their true order."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, delayed_us=None, held_us=None)
    return waiting.order_by(*_order(policy))


def ready_by_crm() -> dict[str, int]:
    """How many stand in the queue of each CRM."""
    found = SyncHistory.objects.filter(IS_QUEUED, delayed_us=None, held_us=None)
    counted = found.order_by("crm_source").values_list("crm_source").annotate(count=Count("pk"))
    return dict(counted)


def _order(policy: PoolPolicy) -> tuple[Any, ...]:
    """As ``store.queue_score`` does it."""
    if policy.priority_aging_seconds <= 0:
        return (_placed(1000, level=1000 * STRICT_LEVEL), "worker_pool_task_id")
    level_us = seconds_to_us(policy.priority_aging_seconds)
    return (_placed(1, level=level_us), "worker_pool_task_id")


def _placed(unit_us: int, *, level: int) -> Coalesce:
    """The score in µs: a strict one, which counts milliseconds, too. Strict scores are never equal
    within one level, since places are at least as far apart as a score counts."""
    own = F("queued_us") - EPOCH_US - F("priority") * level
    return Coalesce(
        ExpressionWrapper(F("front_score") * unit_us, output_field=BigIntegerField()),
        ExpressionWrapper(own, output_field=BigIntegerField()),
    )


def delayed() -> Rows:
    """By the time for which they wait."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, delayed_us__isnull=False, held_us=None)
    return waiting.order_by("delayed_us", "worker_pool_task_id")


def held() -> Rows:
    """By when they were held."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, held_us__isnull=False)
    return waiting.order_by("held_us", "worker_pool_task_id")


def overlapping(task: WorkerTask, on_overlap: OnOverlap) -> list[Rows]:
    """Those that wait and would be repeated by a new task, of each kind the first."""
    found = SyncHistory.objects.filter(IS_QUEUED, crm_source=task.crm_source)
    found = found.order_by("sync_type", "parameters_digest", "worker_pool_task_id")
    if on_overlap == OnOverlap.COALESCE:
        found = found.filter(parameters_digest=parameters_digest(task.parameters))
    elif task.sync_type == ALL:
        return [found[:1]]
    return [found.filter(sync_type=sync_type)[:1] for sync_type in {task.sync_type, ALL}]


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
