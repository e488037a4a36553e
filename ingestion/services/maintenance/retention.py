"""How much of the history is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Max, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from ingestion.models import SyncHistory

BATCH = 1000
COMPLETE = (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL)


def thin(*, keep_days: float, dry_run: bool = False) -> int:
    """Delete runs that ended more than ``keep_days`` ago, but for the last complete one of each
    route of each day; how many. 0 days: none."""
    if not keep_days:
        return 0
    closed = _closed_before(timezone.now() - timedelta(days=keep_days))
    kept = frozenset(_last_of_each_day(closed))
    if dry_run:
        return closed.count() - len(kept)
    return sum(_delete(batch - kept) for batch in _batches(closed))


def _closed_before(moment: datetime) -> QuerySet[SyncHistory]:
    old = SyncHistory.objects.filter(end_time__lt=moment)
    return old.exclude(status__in=SyncHistory.OPEN_STATUSES)


def _last_of_each_day(closed: QuerySet[SyncHistory]) -> Iterator[int]:
    complete = closed.filter(status__in=COMPLETE).annotate(day=TruncDate("start_time"))
    by_day = complete.order_by().values("crm_source", "sync_type", "day").annotate(last=Max("pk"))
    yield from by_day.values_list("last", flat=True)


def _batches(closed: QuerySet[SyncHistory]) -> Iterator[frozenset[int]]:
    """In batches, so that nobody waits for long; each begins where the last one ended."""
    last = 0
    rows = closed.order_by("pk").values_list("pk", flat=True)
    while ids := list(rows.filter(pk__gt=last)[:BATCH]):
        last = ids[-1]
        yield frozenset(ids)


def _delete(ids: frozenset[int]) -> int:
    return SyncHistory.objects.filter(pk__in=ids).delete()[0] if ids else 0
