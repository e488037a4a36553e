"""Beat's scheduler as the settings name it; what it sends is only noted."""

from __future__ import annotations

from datetime import UTC, datetime

from celery.utils.imports import symbol_by_name
from django.conf import settings
from django_celery_beat.schedulers import DatabaseScheduler

from data_warehouse.celery import app
from ingestion.models import SyncSchedule
from tests.unit.schedules.given import entry


class Beat:
    """One life of ``celery beat``."""

    def __init__(self) -> None:
        kind: type[DatabaseScheduler] = symbol_by_name(settings.CELERY_BEAT_SCHEDULER)
        self._scheduler = kind(app=app, lazy=True)
        self._scheduler.producer = None  # nothing is sent
        self._scheduler.apply_async = lambda found, **_: self._note(found.name)
        self.sent: list[tuple[str, datetime]] = []

    def _note(self, name: str) -> None:
        self.sent.append((name, datetime.now(UTC)))

    def tick(self) -> None:
        """Until nothing is due any more."""
        before = -1
        while len(self.sent) > before:
            before = len(self.sent)
            self._scheduler.tick()
        self._scheduler.sync()

    def moments_of(self, schedule: SyncSchedule) -> list[datetime]:
        name = entry(schedule).name
        return [at for sent, at in self.sent if sent == name]
