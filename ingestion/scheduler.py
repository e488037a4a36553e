"""Beat's scheduler, which knows every entry at any hour and through every change of the clocks."""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import BaseSchedule, schedstate
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.beat.recurrence import CRON_FIELDS, TURN_SHARE, Crontab
from ingestion.services.infra.database import as_unavailable

logger = logging.getLogger(__name__)

DATABASE_WAIT_SECONDS = 2.0
# What is made up late shall not cost a daily entry its own time.
LONGEST_FLOOR = timedelta(hours=1)


class CrontabTimes(BaseSchedule):
    """The moments of a crontab that the previews show."""

    def __init__(self, crontab: Crontab) -> None:
        super().__init__()
        self.crontab = crontab

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CrontabTimes) and other.crontab == self.crontab

    def __hash__(self) -> int:
        return hash(self.crontab)

    def __repr__(self) -> str:
        fields = " ".join(getattr(self.crontab, name) for name in CRON_FIELDS)
        return f"<crontab: {fields}, {self.crontab.timezone}>"

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        return self.crontab.next_after(last_run_at) - datetime.now(UTC)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """With the seconds until the run that follows."""
        left = self.remaining_estimate(last_run_at)
        if left > timedelta(0):
            return schedstate(False, left.total_seconds())
        following = self.remaining_estimate(datetime.now(UTC))
        return schedstate(True, following.total_seconds())


class WarehouseEntry(ModelEntry):
    """An entry of the table, with a floor under the time between two of its messages."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        super().__init__(model, app=app)
        if model.crontab:
            fields = {name: getattr(model.crontab, name) for name in CRON_FIELDS}
            self.schedule = CrontabTimes(Crontab(**fields, timezone=str(model.crontab.timezone)))

    def not_before(self, sent_at: datetime) -> datetime:
        """When the message after the one at ``sent_at`` may be sent, whatever else says that it is
        due. A crontab that was made up late keeps to its own times."""
        if not isinstance(self.schedule, CrontabTimes):
            length: timedelta = getattr(self.schedule, "run_every", timedelta(0))
            return sent_at + TURN_SHARE * min(length, LONGEST_FLOOR)
        crontab = self.schedule.crontab
        shortest = min(timedelta(seconds=crontab.gap_seconds), LONGEST_FLOOR)
        soonest = sent_at + TURN_SHARE * shortest
        return max(soonest, crontab.next_after(soonest))


class WholeDatabaseScheduler(DatabaseScheduler):
    """django-celery-beat reads no crontab whose hour is more than two hours away. One that was
    missed for longer would be made up on the next day, as soon as its hour is near: up to two hours
    early, and again at its time. Read at any hour, it is made up when beat is back."""

    Entry = WarehouseEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._sent: dict[str, tuple[datetime, object]] = {}
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Beat may be started before its database, and then waits for it."""
        with _ending_at_once():
            while not self._has_set_up():
                time.sleep(DATABASE_WAIT_SECONDS)

    def _has_set_up(self) -> bool:
        self._initial_read = True  # its schedule would stay empty after a read that has failed
        try:
            with as_unavailable():
                super().setup_schedule()
        except LedgerUnavailable as problem:
            logger.warning("beat waits for its database: %s", problem)
            return False
        return True

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """The few entries of a warehouse cost nothing to read."""
        found: QuerySet[PeriodicTask] = self.Model.objects.enabled()
        return found

    def is_due(self, entry: WarehouseEntry) -> schedstate:
        """No message follows another within the floor of its entry."""
        found = entry.is_due()
        sent_at, times = self._sent.get(str(entry.name), (None, None))
        now = datetime.now(UTC)
        # An entry that was changed begins again, and so does the floor when the clock was set back.
        if not found.is_due or sent_at is None or times != entry.schedule or sent_at > now:
            return found
        left = (entry.not_before(sent_at) - now).total_seconds()
        return schedstate(False, left) if left > 0 else found

    def apply_entry(self, entry: WarehouseEntry, producer: Any = None) -> None:
        self._sent[str(entry.name)] = datetime.now(UTC), entry.schedule
        super().apply_entry(entry, producer=producer)


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """What Celery does at a signal is to save the schedule, for which it would make another one."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: sys.exit()) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
