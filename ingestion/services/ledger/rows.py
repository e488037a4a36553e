"""Queries for the rows that the ledger's store works on, by their ``pool_status``: what the active
store has last said of each task."""

from __future__ import annotations

from datetime import datetime

from django.db.models import BigIntegerField, Count, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Cast, Coalesce

from ingestion.models import SyncHistory
from ingestion.pool.clock import seconds_to_us, to_us
from ingestion.pool.order_rule import OrderRule
from ingestion.pool.overlap import ALL, OnOverlap, parameters_digest
from ingestion.pool.queue_place import DELAYED, HELD, READY, QueuePlace
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger.state import FINAL, FOLLOWS

OPEN = Q(status__in=SyncHistory.OPEN_STATUSES)
IS_QUEUED = OPEN & Q(pool_status=TaskStatus.QUEUED)

Rows = QuerySet[SyncHistory]


def active() -> Rows:
    return SyncHistory.objects.filter(OPEN, pool_status=TaskStatus.RUNNING)


def ready(rule: OrderRule) -> Rows:
    """In their true order. No row keeps a score: another rule gives another order at once."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, delayed_us=None, held_us=None)
    remainder = F("queued_us") % rule.unit_us
    return waiting.order_by(score(rule), remainder, "worker_pool_task_id")


def ready_by_crm() -> dict[str, int]:
    """How many stand in the queue of each CRM."""
    return _by_crm(SyncHistory.objects.filter(IS_QUEUED, delayed_us=None, held_us=None))


def ready_before(rule: OrderRule, task: WorkerTask) -> dict[str, int]:
    """How many stand in the queue of each CRM before the place of a task."""
    return _by_crm(_compared(rule, rule.place_of(task), task.id, than="lt"))


def ready_behind(rule: OrderRule, place: QueuePlace) -> Rows:
    """In their true order, those behind a place."""
    return _compared(rule, place.order(rule), place.task_id, than="gt")


def _compared(rule: OrderRule, place: tuple[int, int], task_id: str, *, than: str) -> Rows:
    number, remainder = place
    rows = _scored(rule).annotate(remainder=F("queued_us") % rule.unit_us)
    same = Q(score=number)
    return rows.filter(
        Q(**{f"score__{than}": number})
        | same & Q(**{f"remainder__{than}": remainder})
        | same & Q(remainder=remainder) & Q(**{f"worker_pool_task_id__{than}": task_id})
    )


def _scored(rule: OrderRule) -> Rows:
    return ready(rule).annotate(score=score(rule))


def _by_crm(found: Rows) -> dict[str, int]:
    counted = found.order_by("crm_source").values_list("crm_source").annotate(count=Count("pk"))
    return dict(counted)


def part(name: str, rule: OrderRule, after: QueuePlace | None) -> Rows:
    """A part of the waiting tasks in its order, from the task behind ``after`` on."""
    is_begun = after is not None and after.part == name
    if name == READY:
        return ready_behind(rule, after) if after and is_begun else _scored(rule)
    rows, column = (delayed(), "delayed_us") if name == DELAYED else (held(), "held_us")
    if not after or not is_begun:
        return rows
    is_behind = Q(**{f"{column}__gt": after.number})
    return rows.filter(
        is_behind | Q(**{column: after.number, "worker_pool_task_id__gt": after.task_id})
    )


def place_in(part: str, row: SyncHistory) -> QueuePlace:
    """Where a row of ``part`` stands in it."""
    column = {READY: "score", DELAYED: "delayed_us", HELD: "held_us"}[part]
    number, task_id = getattr(row, column), row.worker_pool_task_id or ""
    return QueuePlace(part, number, row.queued_us or 0, task_id)


def score(rule: OrderRule) -> Coalesce:
    """The formula of ``order_rule``. Databases divide whole numbers towards zero, which is the same
    for times after 1970."""
    # PostgreSQL multiplies two small numbers as small ones, and the product may be a large one.
    priority = Cast("priority", BigIntegerField())
    own = F("queued_us") / rule.unit_us - rule.zero - priority * rule.level
    return Coalesce("front_score", ExpressionWrapper(own, output_field=BigIntegerField()))


def delayed() -> Rows:
    """By the time for which they wait."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, delayed_us__isnull=False, held_us=None)
    return waiting.order_by("delayed_us", "worker_pool_task_id")


def held() -> Rows:
    """By when they were held."""
    waiting = SyncHistory.objects.filter(IS_QUEUED, held_us__isnull=False)
    return waiting.order_by("held_us", "worker_pool_task_id")


def following() -> Rows:
    """Those that wait for others."""
    return held().filter(FOLLOWS)


def overlapping(task: WorkerTask, on_overlap: OnOverlap) -> list[Rows]:
    """Queued tasks that do the work of ``task``: per kind of overlap a query for the first of
    them."""
    found = SyncHistory.objects.filter(IS_QUEUED, crm_source=task.crm_source).exclude(FOLLOWS)
    found = found.order_by("sync_type", "parameters_digest", "worker_pool_task_id")
    if on_overlap == OnOverlap.COALESCE:
        found = found.filter(parameters_digest=parameters_digest(task.parameters))
    elif task.sync_type == ALL:
        return [found[:1]]
    return [found.filter(sync_type=sync_type)[:1] for sync_type in {task.sync_type, ALL}]


def promote(now: datetime) -> None:
    """Delayed tasks whose not-before time has come enter the queue."""
    SyncHistory.objects.filter(IS_QUEUED, delayed_us__lte=to_us(now)).update(delayed_us=None)


def retained(policy: PoolPolicy, now: datetime) -> Q:
    """Tasks that have ended and are still within their retention time."""
    since_us = to_us(now) - seconds_to_us(policy.retention_seconds)
    return Q(pool_status__in=FINAL, ended_us__gt=since_us)


def known(policy: PoolPolicy, now: datetime) -> Rows:
    """All tasks that the store knows: open ones, and ended ones within their retention time."""
    is_open = OPEN & Q(pool_status__in=(TaskStatus.QUEUED, TaskStatus.RUNNING))
    return SyncHistory.objects.filter(is_open | retained(policy, now))
