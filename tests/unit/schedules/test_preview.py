"""When a schedule will run: the same times at which beat starts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from ingestion.scheduler import WarehouseEntry
from ingestion.services.scheduling import schedules
from tests.unit.schedules.given import NOON, entry, made

pytestmark = pytest.mark.django_db


def test_a_preview_is_what_beat_does(clock: time_machine.Coordinates) -> None:
    """Through the hour that spring leaves out."""
    clock.move_to(datetime(2026, 3, 28, 12, tzinfo=UTC))
    schedule = made(
        recurrence="crontab", minute="30", hour="1,3", timezone="Europe/Berlin", every=None
    )
    foreseen = schedules.preview_of(schedule).next_runs
    fired: list[datetime] = []
    last = entry(schedule)
    while len(fired) < 5:
        clock.shift(timedelta(minutes=30))
        if WarehouseEntry(last).is_due().is_due:
            last.last_run_at = datetime.now(UTC)
            fired.append(last.last_run_at)
    assert foreseen == tuple(fired)


def test_a_preview_says_it_in_words(clock: time_machine.Coordinates) -> None:
    fields = {"name": "n", "crm_source": "genius", "model_name": "leads"}
    cron = {"recurrence": "crontab", "minute": "0", "hour": "4", "day_of_week": "1-5"}
    assert schedules.preview({**fields, **cron}).words == (
        "at 04:00, Monday through Friday, UTC time"
    )
    found = schedules.preview({**fields, "every": 1, "period": "hours"})
    assert found.words == "every hour"
    assert found.next_runs[:2] == (NOON + timedelta(hours=1), NOON + timedelta(hours=2))


def test_a_preview_ends_with_the_schedule(clock: time_machine.Coordinates) -> None:
    schedule = made(end_at="2026-03-02T12:25:00Z")
    assert len(schedules.preview_of(schedule).next_runs) == 2


def test_an_overdue_run_comes_once(clock: time_machine.Coordinates) -> None:
    schedule = made()
    clock.shift(timedelta(hours=5))
    runs = schedules.preview_of(schedule).next_runs
    assert runs[:2] == (NOON + timedelta(hours=5), NOON + timedelta(hours=5, minutes=10))


@pytest.mark.parametrize(
    ("every", "period", "words"),
    [
        (1, "minutes", "every minute"),
        (15, "minutes", "every 15 minutes"),
        (90, "minutes", "every 90 minutes"),
        (60, "minutes", "every hour"),
        (720, "minutes", "every 12 hours"),
        (24, "hours", "every day"),
        (90, "seconds", "every 90 seconds"),
    ],
)
def test_an_interval_is_told_in_its_largest_unit(
    clock: time_machine.Coordinates, every: int, period: str, words: str
) -> None:
    fields = {"name": "n", "crm_source": "genius", "model_name": "leads"}
    assert schedules.preview({**fields, "every": every, "period": period}).words == words
