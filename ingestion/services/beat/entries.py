"""Keeps beat's entry of a schedule as the schedule says. Every verb belongs into the transaction
that changes the schedule."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from ingestion.models import SyncSchedule
from ingestion.services.beat.recurrence import CRON_FIELDS, recurrence_of

TASK = "ingestion.run_ingestion"
STEADY_ENTRY = "worker-pool-monitor"


def entry_name(schedule_id: int) -> str:
    return f"sync-schedule-{schedule_id}"


def keep_in_step(schedule: SyncSchedule, *, restarts: bool) -> None:
    """Write the entry and save the schedule. ``restarts``: it counts as run just now, so that
    the next run comes at its own time and not at once."""
    entry = _entry_of(schedule)
    entry.description = schedule.name
    entry.enabled = is_live(schedule, timezone.now())
    entry.start_time = schedule.start_at
    _set_time(entry, schedule)
    if restarts or entry.last_run_at is None:
        now = timezone.now()
        base = recurrence_of(schedule).base(now, schedule.start_at)
        entry.last_run_at = schedule.last_turn_at = base
        schedule.in_force_since = max(now, schedule.start_at or now)
    entry.save()
    schedule.periodic_task = entry
    schedule.save()


def is_live(schedule: SyncSchedule, now: datetime) -> bool:
    return schedule.enabled and not has_ended(schedule, now)


def has_ended(schedule: SyncSchedule, now: datetime) -> bool:
    return schedule.end_at is not None and now > schedule.end_at


def remove(schedule: SyncSchedule) -> None:
    """The schedule and its entry."""
    PeriodicTask.objects.filter(name=entry_name(schedule.pk)).delete()
    schedule.delete()


def remove_orphans(*, dry_run: bool = False) -> int:
    """Delete entries whose schedule is gone, give a new one to schedules that lost theirs; how
    many."""
    orphans = PeriodicTask.objects.filter(task=TASK, sync_schedule=None)
    lost = SyncSchedule.objects.filter(periodic_task=None)
    count: int = orphans.count() + lost.count()
    if count and not dry_run:
        with transaction.atomic():
            # A schedule finds the entry it lost by its name.
            for schedule in lost:
                keep_in_step(schedule, restarts=True)
            PeriodicTask.objects.filter(task=TASK, sync_schedule=None).delete()
    return count


def last_tick_at() -> datetime | None:
    """When beat last sent the monitor its round, by beat's own note; None: it never has. Says that
    beat lives, whether or not a worker takes what it sends."""
    found: datetime | None = (
        PeriodicTask.objects.filter(name=STEADY_ENTRY, total_run_count__gt=0)
        .values_list("last_run_at", flat=True)
        .first()
    )
    return found


def _entry_of(schedule: SyncSchedule) -> PeriodicTask:
    """Its own, the one it lost, or a new one."""
    if schedule.pk is None:
        schedule.save()
    name = entry_name(schedule.pk)
    found = schedule.periodic_task or PeriodicTask.objects.filter(name=name).first()
    entry = found or PeriodicTask()
    entry.name, entry.task = name, TASK
    entry.args, entry.kwargs = "[]", json.dumps({"schedule_id": schedule.pk})
    return entry


def _set_time(entry: PeriodicTask, schedule: SyncSchedule) -> None:
    entry.interval = entry.crontab = None
    if schedule.recurrence == SyncSchedule.Recurrence.INTERVAL:
        entry.interval = _shared(IntervalSchedule, every=schedule.every, period=schedule.period)
    else:
        fields = {name: getattr(schedule, name) for name in CRON_FIELDS}
        entry.crontab = _shared(CrontabSchedule, timezone=schedule.timezone, **fields)
    gap_seconds = recurrence_of(schedule).gap_seconds
    # A message that no worker took is replaced by the next one.
    entry.expire_seconds = round(gap_seconds)


def _shared(kind: type[models.Model], **fields: object) -> models.Model:
    """The table may hold several equal rows; any of them will do."""
    rows = kind._default_manager
    return rows.filter(**fields).first() or rows.create(**fields)
