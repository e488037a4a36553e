"""A schedule, its entry of beat, and its runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from ingestion.models import AuditRecord, SyncHistory, SyncSchedule
from ingestion.services import outside_runs, schedule_runs, schedules
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.schedule_errors import InvalidSchedule, ScheduleExists, ScheduleNotFound
from ingestion.services.worker_pool import use_worker_pool
from ingestion.sync.common.errors import PermanentError
from ingestion.tasks_enhanced import run_ingestion
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def bench(clock: time_machine.Coordinates) -> Iterator[Bench]:
    bench = Bench()
    with use_worker_pool(bench.pool):
        yield bench


def made(**fields: Any) -> SyncSchedule:
    usual = {
        "name": "contacts",
        "crm_source": "hubspot",
        "model_name": "contacts",
        "recurrence": "interval",
        "every": 10,
        "period": "minutes",
    }
    return schedules.create({**usual, **fields}, actor="ann")


def entry(schedule: SyncSchedule) -> PeriodicTask:
    return PeriodicTask.objects.get(name=f"sync-schedule-{schedule.pk}")


def is_due(schedule: SyncSchedule) -> bool:
    """As beat sees it."""
    return bool(ModelEntry(entry(schedule)).is_due().is_due)


def fire(schedule: SyncSchedule) -> str:
    """What beat's message does."""
    return str(run_ingestion(schedule.pk))


# The entry of beat


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
    schedules.edit(schedule.pk, cron, actor="bob")
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
    schedules.delete(schedule.pk, actor="ann")
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


# Its runs


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


def test_a_waiting_twin_absorbs_the_run(bench: Bench, clock: time_machine.Coordinates) -> None:
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


def taken(schedule: SyncSchedule) -> str:
    """Whether the turn is given, without running anything."""
    schedule.refresh_from_db()

    def run_here(*args: Any) -> None: ...

    done = schedule_runs.execute(schedule.pk, asked_by="", run_here=run_here)
    return "skipped" if done.startswith("skipped") else "ran"


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
    assert schedules.run(schedule.pk, actor="ann") == bench.broker.ids[0]
    assert AuditRecord.objects.filter(action="schedule_run", actor="ann").exists()


# Direct runs


def test_a_direct_run_is_seen_while_it_runs(
    bench: Bench, clock: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = made(execution="direct")
    clock.shift(timedelta(minutes=10))
    seen: list[Any] = []
    monkeypatch.setattr(
        "ingestion.services.sync_runner._run",
        lambda *_: seen.append(bench.pool.snapshot().to_dict()["direct"]),
    )
    assert fire(schedule) == "ran directly"
    ((run,),) = seen
    assert (run["crm_source"], run["execution"], run["schedule_id"]) == (
        "hubspot",
        "direct",
        schedule.pk,
    )
    assert bench.pool.snapshot().direct == ()
    row = schedules.runs(schedule.pk)[0]
    assert (row.status, row.configuration["execution"]) == ("success", "direct")


def test_a_failed_direct_run_fails_everywhere(
    bench: Bench, clock: time_machine.Coordinates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise PermanentError("the token was refused")

    monkeypatch.setattr("ingestion.services.sync_runner._run", fail)
    schedule = made(execution="direct")
    clock.shift(timedelta(minutes=10))
    assert run_ingestion.apply((schedule.pk,)).state == "FAILURE"
    row = SyncHistory.objects.get()
    assert (row.status, row.error_message) == ("failed", "the token was refused")


def test_a_direct_run_waits_for_its_last_one(bench: Bench, clock: time_machine.Coordinates) -> None:
    schedule = made(execution="direct")
    configuration = {"execution": "direct", "process": outside_runs.this_process()}
    row = SyncHistory.objects.create(
        crm_source="hubspot",
        sync_type="contacts",
        schedule=schedule,
        configuration=configuration,
    )
    clock.shift(timedelta(minutes=10))
    assert fire(schedule) == "skipped: its last run has not ended"
    row.configuration["process"]["started"] = "long ago"
    row.save()
    clock.shift(timedelta(minutes=10))
    assert taken(schedule) == "ran"


# What is refused, when it is saved


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": " "}, "name", "1 to 150"),
        ({"crm_source": "acme"}, "crm_source", "known are"),
        ({"model_name": "contact"}, "model_name", "hubspot has contacts"),
        ({"mode": "fast"}, "mode", "delta, full, force7"),
        ({"execution": "thread"}, "execution", "pool, direct"),
        ({"options": {"batch_size": 0}}, "options", "1 to 10000"),
        ({"options": {"color": "red"}}, "options", "known are"),
        ({"options": {"full": True}}, "options", "by the field mode"),
        ({"options": {"api_key": "x"}}, "options", "credential"),
        ({"mode": "full", "options": {"since": "2026-01-01"}}, "options", "contradict"),
        ({"priority": 2000}, "priority", "-1000"),
        ({"every": 0}, "every", "from 1"),
        ({"every": 5, "period": "seconds"}, "every", "10 seconds"),
        ({"period": "weeks"}, "period", "minutes"),
        ({"recurrence": "crontab", "minute": "61"}, "minute", "61"),
        ({"recurrence": "crontab", "day_of_month": "31", "month_of_year": "2"}, "minute", "never"),
        ({"recurrence": "crontab", "timezone": "Mars/Base"}, "timezone", "Europe/Berlin"),
        ({"start_at": "soon"}, "start_at", "2026-01-31T06:00:00Z"),
        ({"start_at": "2026-03-03", "end_at": "2026-03-02"}, "end_at", "after start_at"),
        ({"color": "red"}, "color", "unknown"),
    ],
)
def test_refuses_what_would_fail_at_night(
    clock: time_machine.Coordinates, fields: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        made(**fields)
    assert says in refused.value.fields[field]
    assert not SyncSchedule.objects.exists()
    assert not PeriodicTask.objects.filter(task="ingestion.run_ingestion").exists()


# Preview


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
        if ModelEntry(last).is_due().is_due:
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


# Moving schedules


def test_an_export_can_be_read_again(clock: time_machine.Coordinates) -> None:
    made(options={"max_records": 5}, start_at="2026-03-03T00:00:00Z")
    made(name="nightly", recurrence="crontab", minute="0", hour="4", every=None, period="")
    kept = schedules.export_all()["schedules"]
    assert schedules.import_all(kept) == {"created": 0, "changed": 0, "unchanged": 2}
    SyncSchedule.objects.all().delete()
    assert schedules.import_all(kept)["created"] == 2
    assert schedules.export_all()["schedules"] == kept


def test_an_import_is_all_or_nothing(clock: time_machine.Coordinates) -> None:
    good = {
        "name": "a",
        "crm_source": "genius",
        "model_name": "leads",
        "every": 1,
        "period": "days",
    }
    with pytest.raises(InvalidSchedule, match="b, model_name"):
        schedules.import_all([good, {**good, "name": "b", "model_name": "lead"}])
    assert not SyncSchedule.objects.exists()


def test_every_change_is_on_record(clock: time_machine.Coordinates) -> None:
    schedule = made()
    schedules.edit(schedule.pk, {"every": 20}, actor="bob")
    schedules.delete(schedule.pk, actor="eve")
    told = [(r.action, r.actor) for r in AuditRecord.objects.order_by("id")]
    assert told == [
        ("schedule_create", "ann"),
        ("schedule_edit", "bob"),
        ("schedule_delete", "eve"),
    ]
