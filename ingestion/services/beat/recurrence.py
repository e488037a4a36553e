"""When a schedule is due, for beat's scheduler and for every preview, so that what is shown is what
happens.

Celery's own arithmetic forgets which of the two equal hours of autumn it stands in. The fields keep
Celery's grammar, in which all of them must match; the moments come from cronsim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo, available_timezones

from celery.schedules import ParseException
from cron_descriptor import FormatException, Options, get_description
from cronsim import CronSim, CronSimError
from django_celery_beat.tzcrontab import TzAwareCrontab

from ingestion.models import SyncSchedule

SHORTEST_SECONDS, LONGEST_SECONDS = 10, 366 * 86_400
# With three quarters of an interval two beats out of step start no more runs than one, and a
# message that waited a while does not cost the next one its turn.
TURN_SHARE = 0.75
# Clocks of two hosts may differ by this much.
CLOCK_SECONDS = 5.0
LOOKED_AHEAD = 12
HOURS = 24
UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))
CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class WrongRecurrence(ValueError):
    """``field`` of the schedule is wrong."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class NeverRuns(ValueError):
    """No moment matches all fields of the crontab, as on the 31st of February."""


class Recurrence(Protocol):
    """All moments are aware, in UTC."""

    @property
    def words(self) -> str:
        """``every 15 minutes``."""

    @property
    def gap_seconds(self) -> float:
        """The shortest time between two runs."""

    def next_after(self, moment: datetime) -> datetime:
        """The first run after ``moment``, if that was a run."""

    def base(self, now: datetime, start_at: datetime | None) -> datetime:
        """What counts as the last run of a schedule that is switched on now, so that its next run
        comes on its own time and not at once."""

    def turn(self, last: datetime, now: datetime) -> datetime | None:
        """The turn that is due at ``now`` after the one at ``last``; None when there is none."""


@dataclass(frozen=True)
class Interval:
    every: int
    period: str

    @property
    def length(self) -> timedelta:
        return timedelta(**{self.period: self.every})

    @property
    def words(self) -> str:
        """In the largest unit that fits: ``every 12 hours``, not ``every 720 minutes``."""
        seconds = int(self.gap_seconds)
        fitting = ((unit, seconds // length) for unit, length in UNITS if seconds % length == 0)
        unit, number = next(fitting)
        return f"every {unit}" if number == 1 else f"every {number} {unit}s"

    @property
    def gap_seconds(self) -> float:
        return self.length.total_seconds()

    def next_after(self, moment: datetime) -> datetime:
        return moment + self.length

    def base(self, now: datetime, start_at: datetime | None) -> datetime:
        """Its runs keep the step of ``start_at``, however often it is switched off and on."""
        if start_at is None:
            return now
        steps = (now - start_at) // self.length
        return start_at + max(steps, -1) * self.length

    def turn(self, last: datetime, now: datetime) -> datetime | None:
        return now if now >= last + TURN_SHARE * self.length else None


@dataclass(frozen=True)
class Crontab:
    minute: str
    hour: str
    day_of_month: str
    month_of_year: str
    day_of_week: str
    timezone: str

    @cached_property
    def _parsed(self) -> TzAwareCrontab:
        return TzAwareCrontab(**{name: getattr(self, name) for name in CRON_FIELDS})

    @cached_property
    def _expression(self) -> str:
        """In cronsim's grammar, days of the week apart: cron would take one day field or the other.

        A star for the hour makes the runs follow the hours that pass, so that they keep their
        distance. Named hours are those of the clock, each once: the first of two equal ones, and for
        one that is left out the first moment that exists.
        """
        fields = self._parsed
        every_hour = len(fields.hour) == HOURS
        hours = "*" if every_hour else _listed(fields.hour)
        days, months = _listed(fields.day_of_month), _listed(fields.month_of_year)
        return f"{_listed(fields.minute)} {hours} {days} {months} *"

    @property
    def words(self) -> str:
        options = Options()
        options.use_24hour_time_format = True
        said = get_description(" ".join(getattr(self, name) for name in CRON_FIELDS), options)
        return f"{said[0].lower()}{said[1:]}, {self.timezone} time"

    @property
    def gap_seconds(self) -> float:
        moments = list(runs_after(self, datetime.now(UTC), count=LOOKED_AHEAD))
        return min((later - sooner).total_seconds() for sooner, later in pairwise(moments))

    def next_after(self, moment: datetime) -> datetime:
        """Raises NeverRuns."""
        days = self._parsed.day_of_week
        try:
            for local in CronSim(self._expression, moment.astimezone(ZoneInfo(self.timezone))):
                found = local.astimezone(UTC)
                # Looked at from the second of two equal hours, cronsim begins with the first.
                if found > moment and local.isoweekday() % 7 in days:
                    return found
        except CronSimError as problem:
            raise NeverRuns(str(problem)) from problem
        raise NeverRuns("no day matches")

    def base(self, now: datetime, start_at: datetime | None) -> datetime:
        """A run at the very moment of the start belongs to the schedule."""
        return max(now, start_at - timedelta(seconds=1)) if start_at else now

    def turn(self, last: datetime, now: datetime) -> datetime | None:
        due = self.next_after(last)
        return max(now, due) if now >= due - timedelta(seconds=CLOCK_SECONDS) else None


def recurrence_of(schedule: SyncSchedule) -> Recurrence:
    """Raises WrongRecurrence."""
    if schedule.recurrence == SyncSchedule.Recurrence.INTERVAL:
        return _interval(schedule)
    return _crontab(schedule)


def runs_after(
    recurrence: Recurrence, base: datetime, *, count: int, until: datetime | None = None
) -> Iterator[datetime]:
    """The first ``count`` runs after a last one at ``base``."""
    moment = base
    for _ in range(count):
        moment = recurrence.next_after(moment)
        if until and moment > until:
            return
        yield moment


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))


def _interval(schedule: SyncSchedule) -> Interval:
    every = schedule.every
    if type(every) is not int or not 1 <= every < 10**6:
        raise WrongRecurrence("every", "must be a whole number from 1.")
    if schedule.period not in SyncSchedule.Period.values:
        allowed = ", ".join(SyncSchedule.Period.values)
        raise WrongRecurrence("period", f"must be one of {allowed}.")
    found = Interval(every, schedule.period)
    if found.gap_seconds < SHORTEST_SECONDS:
        raise WrongRecurrence("every", f"must be {SHORTEST_SECONDS} seconds or more.")
    if found.gap_seconds > LONGEST_SECONDS:
        raise WrongRecurrence("every", "must be a year or less.")
    return found


def _crontab(schedule: SyncSchedule) -> Crontab:
    if schedule.timezone not in available_timezones():
        raise WrongRecurrence("timezone", "is unknown; write one such as Europe/Berlin or UTC.")
    fields = {name: str(getattr(schedule, name)).strip() for name in CRON_FIELDS}
    for name, text in fields.items():
        _check_cron_field(name, text)
    found = Crontab(**fields, timezone=schedule.timezone)
    try:
        found.next_after(datetime.now(UTC))
        _ = found.words
    except (ValueError, FormatException) as problem:
        raise WrongRecurrence("minute", f"this crontab never runs: {problem}.") from problem
    return found


def _check_cron_field(name: str, text: str) -> None:
    try:
        TzAwareCrontab(**{name: text})
    except (ParseException, ValueError) as problem:
        raise WrongRecurrence(name, f"{text!r} is no crontab field ({problem}).") from problem
