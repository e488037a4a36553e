"""The entry of beat, kept in step with its schedule."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django_celery_beat.models import PeriodicTask

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.errors import ScheduleExists
from tests.unit.pool_fixtures import Bench
from tests.unit.schedules.given import NOON, entry, is_due, made

pytestmark = pytest.mark.django_db


def test_a_schedule_brings_its_entry(clock: time_machine.Coordinates) -> None:
    schedule = made()
    found = entry(schedule)
    assert found == schedule.periodic_task
    assert (found.task, found.kwargs) == (
        "ingestion.run_ingestion",
        f'{{"schedule_id": {schedule.pk}}}',
    )
    assert (found.enabled, found.interval.every, found.interval.period) == (True, 10, "minutes")


def test_an_edit_reaches_the_entry(clock: time_machine.Coordinates) -> None:
    schedule = made()
    cron = {"recurrence": "crontab", "minute": "5", "hour": "4", "timezone": "Europe/Berlin"}
    schedules.edit(schedule.pk, cron, change=ChangeRequest(by="bob"))
    found = entry(schedule)
    assert (found.interval, found.crontab.minute, str(found.crontab.timezone)) == (
        None,
        "5",
        "Europe/Berlin",
    )


def test_an_entry_that_was_deleted_by_hand_comes_back(clock: time_machine.Coordinates) -> None:
    schedule = made()
    entry(schedule).delete()
    schedules.edit(schedule.pk, {"priority": 3})
    assert entry(schedule).enabled


def test_a_deleted_schedule_takes_its_entry_with_it_and_leaves_its_runs(bench: Bench) -> None:
    schedule = made()
    schedules.run(schedule.pk)
    schedules.delete(schedule.pk, change=ChangeRequest(by="ann"))
    assert not PeriodicTask.objects.filter(name__startswith="sync-schedule-").exists()
    assert SyncHistory.objects.get().schedule is None


def test_a_refused_edit_leaves_both_as_they_were(clock: time_machine.Coordinates) -> None:
    schedule = made()
    made(name="other")
    with pytest.raises(ScheduleExists):
        schedules.edit(schedule.pk, {"name": "other", "every": 3})
    assert entry(schedule).interval.every == 10


@pytest.mark.parametrize("minutes", [0, 9])
def test_enabling_does_not_fire_at_once(clock: time_machine.Coordinates, minutes: int) -> None:
    schedule = made(enabled=False)
    clock.shift(timedelta(days=3))
    schedules.set_enabled(schedule.pk, True)
    clock.shift(timedelta(minutes=minutes))
    assert not is_due(schedule)
    clock.shift(timedelta(minutes=10 - minutes))
    assert is_due(schedule)


def test_a_crontab_does_not_fire_at_once_either(clock: time_machine.Coordinates) -> None:
    schedule = made(enabled=False, recurrence="crontab", minute="0", every=None, period="")
    clock.shift(timedelta(hours=5, minutes=30))
    schedules.set_enabled(schedule.pk, True)
    assert not is_due(schedule)
    clock.shift(timedelta(minutes=31))
    assert is_due(schedule)


def test_enabling_fires_at_once_when_asked(bench: Bench) -> None:
    schedule = made(enabled=False)
    schedules.set_enabled(schedule.pk, True, run_now=True)
    assert len(bench.broker.sent) == 1


def test_the_first_run_comes_at_the_start(clock: time_machine.Coordinates) -> None:
    schedule = made(start_at="2026-03-02T12:07:00Z")
    clock.shift(timedelta(minutes=6))
    assert not is_due(schedule)
    clock.shift(timedelta(minutes=1))
    assert is_due(schedule)


def test_switching_off_and_on_keeps_the_step_of_the_start(
    clock: time_machine.Coordinates,
) -> None:
    schedule = made(start_at="2026-03-02T12:07:00Z")
    schedules.set_enabled(schedule.pk, False)
    clock.shift(timedelta(hours=1, minutes=1))
    schedules.set_enabled(schedule.pk, True)
    first = schedules.preview_of(schedules.get(schedule.pk)).next_runs[0]
    assert first == NOON + timedelta(hours=1, minutes=7)


def test_every_change_is_on_record(clock: time_machine.Coordinates) -> None:
    schedule = made()
    schedules.edit(schedule.pk, {"every": 20}, change=ChangeRequest(by="bob"))
    schedules.delete(schedule.pk, change=ChangeRequest(by="eve"))
    told = [(r.action, r.actor) for r in AuditRecord.objects.order_by("id")]
    assert told == [
        ("schedule_create", "ann"),
        ("schedule_edit", "bob"),
        ("schedule_delete", "eve"),
    ]
