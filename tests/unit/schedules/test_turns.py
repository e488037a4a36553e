"""The runs of a schedule: one per turn, whoever asks for it how often."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from ingestion.models import AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.errors import ScheduleNotFound
from ingestion.tasks_enhanced import run_ingestion
from tests.unit.pool_fixtures import Bench
from tests.unit.schedules.given import NOON, fire, made, taken

pytestmark = pytest.mark.django_db


def test_runs_through_the_pool_with_its_priority(
    bench: Bench, clock: time_machine.Coordinates
) -> None:
    schedule = made(priority=7, mode="full", options={"max_records": 5})
    clock.shift(timedelta(minutes=10))
    task_id = fire(schedule).removeprefix("task ")
    task = bench.pool.get_task_status(task_id)
    assert task is not None
    assert (task.priority, task.parameters) == (7, {"max_records": 5, "mode": "full"})
    assert [row.worker_pool_task_id for row in schedules.runs(schedule.pk)] == [task_id]


def test_a_waiting_twin_coalesces_the_run(bench: Bench, clock: time_machine.Coordinates) -> None:
    bench.pool.set_max_workers(1)
    bench.pool.submit_task("genius", "leads")
    schedule = made()
    clock.shift(timedelta(minutes=10))
    first = fire(schedule)
    clock.shift(timedelta(minutes=10))
    assert fire(schedule) == first
    assert len(bench.pool.get_queued_tasks()) == 1


@pytest.mark.parametrize("step", [timedelta(0), timedelta(minutes=5)])
def test_two_beats_start_no_more_runs_than_one(
    bench: Bench, clock: time_machine.Coordinates, step: timedelta
) -> None:
    schedule = made(execution="direct")
    ran: list[str] = []
    for _ in range(6):
        clock.shift(timedelta(minutes=10) - step)
        ran.append(taken(schedule))
        clock.shift(step)
        ran.append(taken(schedule))
    assert ran.count("ran") == 6


def test_a_crontab_has_one_turn_per_moment(bench: Bench, clock: time_machine.Coordinates) -> None:
    schedule = made(recurrence="crontab", minute="*/15", every=None, period="", execution="direct")
    clock.move_to(NOON + timedelta(minutes=14, seconds=57))  # a worker's clock is behind
    assert taken(schedule) == "ran"
    clock.shift(timedelta(seconds=5))
    assert taken(schedule) == "skipped"
    clock.move_to(NOON + timedelta(minutes=30))
    assert taken(schedule) == "ran"


def test_missed_runs_are_made_up_once(bench: Bench, clock: time_machine.Coordinates) -> None:
    """Messages of a night without a worker, all delivered in the morning."""
    schedule = made(execution="direct")
    clock.shift(timedelta(hours=8))
    assert [taken(schedule) for _ in range(48)].count("ran") == 1


def test_a_run_that_could_not_be_submitted_keeps_its_turn(
    bench: Bench, clock: time_machine.Coordinates
) -> None:
    schedule = made()
    clock.shift(timedelta(minutes=10))
    bench.store.is_lost = True
    with pytest.raises(Exception, match="connection refused"):
        IngestionAdapter().execute_schedule(schedule.pk)
    bench.store.is_lost = False
    assert fire(schedule).startswith("task ")


def test_beats_message_for_a_disabled_or_ended_schedule_runs_nothing(
    bench: Bench, clock: time_machine.Coordinates
) -> None:
    off = made(name="off", enabled=False)
    over = made(name="over", end_at="2026-03-02T12:05:00Z")
    clock.shift(timedelta(minutes=10))
    assert fire(off) == "skipped: it is disabled"
    assert fire(over).startswith("skipped: it has ended")
    assert not bench.broker.sent


def test_a_message_for_a_deleted_schedule_fails_by_name(bench: Bench) -> None:
    with pytest.raises(ScheduleNotFound, match="deleted"):
        run_ingestion(77)


def test_a_person_may_run_a_disabled_one(bench: Bench) -> None:
    schedule = made(enabled=False)
    assert schedules.run(schedule.pk, change=ChangeRequest(by="ann")) == bench.broker.ids[0]
    assert AuditRecord.objects.filter(action="schedule_run", actor="ann").exists()
