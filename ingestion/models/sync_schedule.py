"""When syncs start by themselves; each schedule has one entry of beat, kept in step with it."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.timezone import now


class SyncScheduleManager(models.Manager["SyncSchedule"]):
    def take_turn(self, schedule_id: int, *, seen: datetime | None, at: datetime) -> bool:
        """One run per turn, whoever asks: False when somebody took a turn after ``seen``."""
        rows = self.filter(pk=schedule_id, last_turn_at=seen)
        return bool(rows.update(last_turn_at=at))

    def give_back_turn(self, schedule_id: int, *, taken: datetime, seen: datetime | None) -> bool:
        """The run could not be started, so its turn is still to come."""
        rows = self.filter(pk=schedule_id, last_turn_at=taken)
        return bool(rows.update(last_turn_at=seen))


class SyncSchedule(models.Model):
    """One route, how to run it, and when. ``services.schedules`` makes every change."""

    class Mode(models.TextChoices):
        DELTA = "delta"
        FULL = "full"
        FORCE7 = "force7"

    class Recurrence(models.TextChoices):
        INTERVAL = "interval"
        CRONTAB = "crontab"

    class Period(models.TextChoices):
        SECONDS = "seconds"
        MINUTES = "minutes"
        HOURS = "hours"
        DAYS = "days"

    class Execution(models.TextChoices):
        POOL = "pool"
        DIRECT = "direct"

    name = models.CharField(max_length=150, unique=True)
    crm_source = models.CharField(max_length=50)
    model_name = models.CharField(max_length=100)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.DELTA)
    options = models.JSONField(default=dict, blank=True)
    execution = models.CharField(max_length=10, choices=Execution, default=Execution.POOL)
    priority = models.IntegerField(default=0)

    recurrence = models.CharField(max_length=10, choices=Recurrence, default=Recurrence.INTERVAL)
    every = models.PositiveIntegerField(null=True, blank=True)
    period = models.CharField(max_length=10, choices=Period, blank=True)
    minute = models.CharField(max_length=240, default="*")
    hour = models.CharField(max_length=96, default="*")
    day_of_week = models.CharField(max_length=64, default="*")
    day_of_month = models.CharField(max_length=124, default="*")
    month_of_year = models.CharField(max_length=64, default="*")
    timezone = models.CharField(max_length=63, default="UTC")

    start_at = models.DateTimeField(null=True, blank=True)
    end_at = models.DateTimeField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    # The turn that was taken last. Two beats, or a message that comes twice, take one turn.
    last_turn_at = models.DateTimeField(null=True, editable=False)
    # Since when its times hold as they are; what it promises counts from here.
    in_force_since = models.DateTimeField(null=True, editable=False)

    periodic_task = models.OneToOneField(
        "django_celery_beat.PeriodicTask",
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="sync_schedule",
    )
    created_by = models.CharField(max_length=200, blank=True)
    updated_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SyncScheduleManager()

    class Meta:
        ordering = ("crm_source", "model_name", "name")

    def __str__(self) -> str:
        return self.name

    @property
    def route(self) -> str:
        """``hubspot.contacts``."""
        return f"{self.crm_source}.{self.model_name}"
