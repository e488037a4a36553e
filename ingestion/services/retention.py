"""How much of the history is kept."""

from __future__ import annotations

from datetime import timedelta

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
    surplus = _surplus(keep_days)
    if dry_run:
        return surplus.count()
    deleted = 0
    # In batches, so that nobody waits for long.
    while ids := list(surplus.values_list("pk", flat=True)[:BATCH]):
        deleted += SyncHistory.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _surplus(keep_days: float) -> QuerySet[SyncHistory]:
    old = SyncHistory.objects.filter(end_time__lt=timezone.now() - timedelta(days=keep_days))
    closed = old.exclude(status__in=SyncHistory.OPEN_STATUSES)
    kept = (
        closed.filter(status__in=COMPLETE)
        .annotate(day=TruncDate("start_time"))
        .order_by()
        .values("crm_source", "sync_type", "day")
        .annotate(last=Max("pk"))
        .values("last")
    )
    return closed.exclude(pk__in=kept).order_by("pk")
