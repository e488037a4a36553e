"""The hour that comes twice, and the one that is left out: every zone of tzdata, by a reckoning of
its own, and beat through a night in New York."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
import time_machine

from ingestion.models import SyncSchedule
from ingestion.services.beat.recurrence import Crontab
from ingestion.services.scheduling import schedules
from tests.unit.schedules.beat import Beat
from tests.unit.schedules.given import made

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVERY_HOUR = frozenset(range(24))
# Minutes and hours, as Celery's grammar writes them and as numbers.
TIMES: tuple[tuple[str, str, range | tuple[int, ...], frozenset[int]], ...] = (
    ("*/15", "*", range(0, 60, 15), EVERY_HOUR),
    ("*/5", "*", range(0, 60, 5), EVERY_HOUR),
    ("0", "*", (0,), EVERY_HOUR),
    ("0", "0", (0,), frozenset({0})),
    ("30", "1", (30,), frozenset({1})),
    ("30", "2", (30,), frozenset({2})),
    ("59", "23", (59,), frozenset({23})),
    ("*/15", "2", range(0, 60, 15), frozenset({2})),
    ("0,30", "1-3", (0, 30), frozenset({1, 2, 3})),
    ("30", "*/2", (30,), frozenset(range(0, 24, 2))),
)


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """The first moments of another offset."""
    moment = BEGIN
    while moment < END:
        later = moment + DAY
        if later.astimezone(zone).utcoffset() != moment.astimezone(zone).utcoffset():
            yield _change_between(moment, later, zone)
        moment = later


def _change_between(sooner: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    before = sooner.astimezone(zone).utcoffset()
    while later - sooner > MINUTE:
        middle = sooner + (later - sooner) // (2 * MINUTE) * MINUTE
        same = middle.astimezone(zone).utcoffset() == before
        sooner, later = (middle, later) if same else (sooner, middle)
    return later


@cache
def changing_zones() -> dict[str, tuple[datetime, ...]]:
    """One of each set of zones that change at the same moments to the same offsets."""
    found: dict[object, str] = {}
    moments: dict[str, tuple[datetime, ...]] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        moments[name] = tuple(changes(zone))
        offsets = tuple(moment.astimezone(zone).utcoffset() for moment in moments[name])
        if offsets:
            found.setdefault((moments[name], offsets), name)
    return {name: moments[name] for name in found.values()}


def expected(
    minutes: range | tuple[int, ...],
    hours: frozenset[int],
    walls: list[tuple[datetime, datetime]],
) -> list[datetime]:
    """By looking at every minute. ``walls``: moment and what the clock shows."""
    if hours == EVERY_HOUR:
        return [moment for moment, wall in walls if wall.minute in minutes]
    first: dict[datetime, datetime] = {}
    for moment, wall in walls:
        first.setdefault(wall.replace(tzinfo=None, fold=0), moment)
    day, shown = walls[0][1].date(), sorted(first)
    named = {
        datetime.combine(day + days * DAY, time(hour, minute))
        for days in range(5)
        for hour in hours
        for minute in minutes
    }
    within = [wall for wall in named if shown[0] <= wall <= shown[-1]]
    return sorted({first[wall if wall in first else _next(shown, wall)] for wall in within})


def _next(shown: list[datetime], left_out: datetime) -> datetime:
    return next(wall for wall in shown if wall > left_out)


def around(change: datetime, zone: ZoneInfo, *, hours: int = 3) -> list[tuple[datetime, datetime]]:
    begin = change - hours * HOUR
    moments = (begin + count * MINUTE for count in range(2 * hours * 60))
    return [(moment, moment.astimezone(zone)) for moment in moments]


def runs_of(crontab: Crontab, *, begin: datetime, end: datetime) -> list[datetime]:
    found, moment = [], begin
    while (moment := crontab.next_after(moment)) <= end:
        found.append(moment)
    return found


def test_every_zone_that_changes_runs_what_its_clock_says() -> None:
    assert len(changing_zones()) > 20
    for name, moments in changing_zones().items():
        for change in moments:
            a_day, a_night = (
                around(change, ZoneInfo(name), hours=26),
                around(change, ZoneInfo(name)),
            )
            for minute, hour, minutes, hours in TIMES:
                walls = a_night if hours == EVERY_HOUR else a_day
                begin, end = walls[0][0] - MINUTE, walls[-1][0]
                crontab = Crontab(minute, hour, "*", "*", "*", timezone=name)
                found = runs_of(crontab, begin=begin, end=end)
                assert found == expected(minutes, hours, walls), (crontab, change)


def test_the_next_run_lies_after_any_moment_of_a_change() -> None:
    """Also after one that is no run, as when beat comes back in the hour that comes twice."""
    for name, moments in changing_zones().items():
        for change in moments[:2]:
            for minute, hour, *_ in TIMES:
                crontab = Crontab(minute, hour, "*", "*", "*", timezone=name)
                for tenth in range(-9, 10):
                    moment = change + tenth * timedelta(minutes=10, seconds=7, microseconds=1)
                    assert crontab.next_after(moment) > moment


def test_both_day_fields_must_match() -> None:
    crontab = Crontab("0", "6", "13", "*", "5", timezone="UTC")
    friday = datetime(2026, 2, 13, 6, tzinfo=UTC)
    assert crontab.next_after(BEGIN) == friday
    assert crontab.next_after(friday) == datetime(2026, 3, 13, 6, tzinfo=UTC)


NEW_YORK_CHANGES = datetime(2026, 11, 1, 6, tzinfo=UTC)


def sent_in_new_york(
    schedule: SyncSchedule, clock: time_machine.Coordinates, *, begin: datetime
) -> list[datetime]:
    """By a beat that comes back at ``begin`` and looks every minute for a night."""
    clock.move_to(begin)
    beat = Beat()
    for _ in range(8 * 60):
        beat.tick()
        clock.shift(MINUTE)
    return beat.moments_of(schedule)


@pytest.mark.django_db
def test_beat_sends_once_what_it_finds_in_the_second_of_two_equal_hours(
    clock: time_machine.Coordinates,
) -> None:
    clock.move_to(NEW_YORK_CHANGES - 20 * HOUR)
    schedule = made(
        recurrence="crontab", minute="30", hour="1", timezone="America/New_York", every=None
    )
    back = NEW_YORK_CHANGES + timedelta(minutes=10)
    assert sent_in_new_york(schedule, clock, begin=back) == [back]
    following = schedules.preview_of(schedules.get(schedule.pk)).next_runs[0]
    assert following == datetime(2026, 11, 2, 6, 30, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(("minute", "minutes"), [("*/5", 5), ("*/15", 15), ("0", 60)])
def test_beat_keeps_the_distance_of_an_hourly_crontab_through_a_change(
    minute: str, minutes: int, clock: time_machine.Coordinates
) -> None:
    clock.move_to(NEW_YORK_CHANGES + MINUTE)
    schedule = made(
        recurrence="crontab", minute=minute, timezone="America/New_York", every=None, period=""
    )
    foreseen = schedules.preview_of(schedule).next_runs
    sent = sent_in_new_york(schedule, clock, begin=NEW_YORK_CHANGES + MINUTE)
    assert {later - sooner for sooner, later in pairwise(sent)} == {minutes * MINUTE}
    assert tuple(sent[: len(foreseen)]) == foreseen[: len(sent)]


@pytest.mark.django_db
def test_beat_has_a_floor_under_times_that_are_wrong(
    clock: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.move_to(NEW_YORK_CHANGES)
    schedule = made(recurrence="crontab", minute="*/10", every=None, period="")
    clock.shift(HOUR)
    # Due for ever, as a lost fold made it.
    monkeypatch.setattr(Crontab, "next_after", lambda self, moment: moment - MINUTE)
    monkeypatch.setattr(Crontab, "gap_seconds", 600.0)
    beat = Beat()
    for _ in range(60):
        beat.tick()
        clock.shift(MINUTE)
    assert {later - sooner for sooner, later in pairwise(beat.moments_of(schedule))} == {8 * MINUTE}


@pytest.mark.django_db
def test_what_was_made_up_late_keeps_to_its_own_times(clock: time_machine.Coordinates) -> None:
    clock.move_to(datetime(2026, 6, 1, 8, tzinfo=UTC))
    schedule = made(recurrence="crontab", minute="*/10", every=None, period="")
    back = datetime(2026, 6, 1, 10, 9, tzinfo=UTC)
    sent = sent_in_new_york(schedule, clock, begin=back)
    assert sent[:3] == [back, back + 11 * MINUTE, back + 21 * MINUTE]


@pytest.mark.django_db
def test_an_entry_that_was_changed_runs_at_its_new_time(clock: time_machine.Coordinates) -> None:
    crontab = {"recurrence": "crontab", "every": None, "period": ""}
    schedule = made(**crontab, minute="0", hour="9")
    clock.move_to(datetime(2026, 3, 3, 9, 0, tzinfo=UTC))
    beat = Beat()
    beat.tick()
    schedules.edit(schedule.pk, {"minute": "5"})
    clock.move_to(datetime(2026, 3, 3, 9, 5, tzinfo=UTC))
    beat.tick()
    assert beat.moments_of(schedule) == [
        datetime(2026, 3, 3, 9, minute, tzinfo=UTC) for minute in (0, 5)
    ]


def test_two_crontabs_are_equal_by_what_they_say() -> None:
    one = Crontab("0", "1", "*", "*", "*", timezone="UTC")
    assert one == replace(one, hour="1") != replace(one, hour="2")
