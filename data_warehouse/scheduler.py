"""Beat's scheduler, which knows every entry at any hour."""

from __future__ import annotations

from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


class WholeDatabaseScheduler(DatabaseScheduler):
    """django-celery-beat reads no crontab whose hour is more than two hours away. One that was
    missed for longer would be made up on the next day, as soon as its hour is near: up to two hours
    early, and again at its time. Read at any hour, it is made up when beat is back."""

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """The few entries of a warehouse cost nothing to read."""
        found: QuerySet[PeriodicTask] = self.Model.objects.enabled()
        return found
