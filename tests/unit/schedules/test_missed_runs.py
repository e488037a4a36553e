"""Runs that were missed while beat was away, as beat itself sees them when it is back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from ingestion.models import SyncSchedule
from ingestion.services.scheduling import schedules
from tests.unit.pool_fixtures import Bench
from tests.unit.schedules.beat import Beat
from tests.unit.schedules.given import NOON, made, taken

pytestmark = pytest.mark.django_db
CRON = {"recurrence": "crontab", "minute": "30", "every": None, "period": ""}


def sent_for(schedule: SyncSchedule, beat: Beat) -> int:
    return len(beat.moments_of(schedule))


@pytest.mark.parametrize("hours_away", [1, 5, 30, 24 * 20])
@pytest.mark.parametrize("hour", ["1", "13", "4"])
def test_a_crontab_is_made_up_once_when_beat_is_back(
    hour: str, hours_away: int, clock: time_machine.Coordinates
) -> None:
    schedule = made(**CRON, hour=hour, timezone="Asia/Kolkata")
    due = schedules.preview_of(schedule).next_runs[0]
    back = due + timedelta(hours=hours_away)
    clock.move_to(back)
    assert schedules.preview_of(schedules.get(schedule.pk)).next_runs[0] == back
    beat = Beat()
    beat.tick()
    beat.tick()
    assert sent_for(schedule, beat) == 1
    following = schedules.preview_of(schedules.get(schedule.pk)).next_runs[0]
    assert following == due + timedelta(days=hours_away // 24 + 1)
    clock.move_to(following - timedelta(minutes=1))
    again = Beat()
    again.tick()
    assert sent_for(schedule, again) == 0
    clock.move_to(following)
    again = Beat()
    again.tick()
    assert sent_for(schedule, again) == 1


def test_an_interval_is_made_up_once_too(bench: Bench, clock: time_machine.Coordinates) -> None:
    schedule = made(execution="direct")
    clock.shift(timedelta(hours=9))
    beat = Beat()
    beat.tick()
    beat.tick()
    assert sent_for(schedule, beat) == 1
    assert [taken(schedule), taken(schedule)] == ["ran", "skipped"]


def test_a_disabled_or_ended_schedule_is_not_made_up(clock: time_machine.Coordinates) -> None:
    off = made(name="off", **CRON, hour="13", enabled=False)
    over = made(name="over", **CRON, hour="13", end_at="2026-03-02T12:59:00Z")
    clock.move_to(NOON + timedelta(hours=30))
    beat = Beat()
    beat.tick()
    assert sent_for(off, beat) == 0
    # Beat does not know the end; the message that it sends runs nothing.
    assert taken(over) == "skipped"
