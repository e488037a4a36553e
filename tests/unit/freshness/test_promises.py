"""What is promised of a dataset's age, and when that promise is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from ingestion.models import AuditRecord, FreshnessBound, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.freshness import bounds
from ingestion.services.freshness.datasets import Dataset, Freshness, datasets
from ingestion.services.freshness.promises import Bound, PromiseKind
from ingestion.services.scheduling import schedules
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member
from tests.unit.pool_shell import pool_in_memory
from tests.unit.schedules.given import made

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
ANN = ChangeRequest(by="ann")


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def pool(db: None, clock: time_machine.Coordinates) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()


def ran(
    at: datetime,
    status: str = "success",
    *,
    sync_type: str = "deals",
    seconds: float = 60,
    **named: Any,
) -> SyncHistory:
    """A run that ended then."""
    start = at - timedelta(seconds=seconds)
    return SyncHistory.objects.create(
        crm_source="hubspot",
        sync_type=sync_type,
        status=status,
        start_time=start,
        end_time=at,
        **named,
    )


def deals(model: str = "deals") -> Dataset:
    return next(one for one in datasets("hubspot") if one.model == model)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def state(after: timedelta) -> str:
    return str(deals().freshness(NOON + after))


class TestBySchedule:
    def test_it_is_the_interval_and_what_a_run_usually_takes(self, pool: WorkerPoolService) -> None:
        made(model_name="deals", every=30)
        ran(NOON, seconds=120)
        assert deals().due_at == NOON + minutes(32)
        promise = deals().promise
        assert promise is not None
        assert promise.expected_seconds == 32 * 60

    @pytest.mark.parametrize(
        ("after", "word"),
        [(31, "fresh"), (33, "aging"), (35.9, "aging"), (36, "stale")],
    )
    def test_is_due_then_late_after_a_tenth_of_the_interval(
        self, pool: WorkerPoolService, after: float, word: str
    ) -> None:
        made(model_name="deals", every=30)
        ran(NOON)
        # due at 31, and 3 minutes of grace
        assert state(minutes(after)) == ("stale" if after > 34 else word)

    def test_a_schedule_of_all_models_promises_each(self, pool: WorkerPoolService) -> None:
        made(model_name="all", every=1, period="hours")
        ran(NOON)
        assert deals().due_at == NOON + minutes(60)

    def test_of_two_schedules_the_one_due_first_counts(self, pool: WorkerPoolService) -> None:
        made(model_name="deals", every=1, period="days")
        made(model_name="all", name="all", every=2, period="hours")
        ran(NOON)
        promise = deals().promise
        assert promise is not None
        assert "'all'" in promise.words

    def test_a_crontab_is_late_after_its_next_time_and_not_before(
        self, pool: WorkerPoolService
    ) -> None:
        fields = {"recurrence": "crontab", "minute": "0", "hour": "6", "day_of_week": "1-5"}
        made(model_name="deals", every=None, period="", **fields)
        ran(datetime(2026, 3, 6, 6, 1, tzinfo=UTC))  # a Friday
        due = datetime(2026, 3, 9, 6, 1, tzinfo=UTC)  # the Monday after
        assert deals().due_at == due
        assert deals().late_since(due + timedelta(hours=2)) == due
        assert deals().late_since(due - timedelta(hours=1)) is None

    def test_what_was_never_loaded_is_not_late_before_its_first_turn(
        self, pool: WorkerPoolService
    ) -> None:
        made(model_name="deals", every=1, period="hours")
        assert state(minutes(59)) == "never"
        assert state(minutes(70)) == "stale"

    def test_owes_nothing_for_the_time_while_it_was_switched_off(
        self, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        schedule = made(model_name="deals", every=1, period="hours")
        ran(NOON)
        schedules.set_enabled(schedule.pk, False, change=ANN)
        assert deals().freshness(NOON + timedelta(days=9)) == Freshness.NO_PROMISE
        clock.move_to(NOON + timedelta(days=10))
        schedules.set_enabled(schedule.pk, True, change=ANN)
        assert deals().late_since(NOON + timedelta(days=10, minutes=50)) is None
        assert deals().late_since(NOON + timedelta(days=10, minutes=90)) is not None


class TestRunsByHand:
    def test_promise_nothing_however_many(self, pool: WorkerPoolService) -> None:
        for n in range(200):
            ran(NOON - timedelta(seconds=2 * n), seconds=1)
        assert deals().freshness(NOON + timedelta(days=30)) == Freshness.NO_PROMISE

    def test_change_no_promise_of_a_schedule(self, pool: WorkerPoolService) -> None:
        made(model_name="deals", every=1, period="hours")
        for n in range(200):
            ran(NOON - timedelta(seconds=2 * n), seconds=1)
        assert deals().due_at == NOON + minutes(60) + timedelta(seconds=1)
        assert state(minutes(6)) == "fresh"

    def test_a_trial_run_loads_nothing(self, pool: WorkerPoolService) -> None:
        made(model_name="deals", every=1, period="hours")
        ran(NOON, configuration={"parameters": {"dry_run": True}})
        assert deals().last_success is None

    def test_a_run_of_all_models_counts_for_those_it_loaded(self, pool: WorkerPoolService) -> None:
        reported = [{"model": "deals", "processed": 5}, {"model": "contacts", "error": "away"}]
        ran(NOON, "failed", sync_type="all", performance_metrics={"models": reported})
        success, contacts = deals().last_success, deals("contacts")
        assert success is not None
        assert success.rows == 5
        assert contacts.last_success is None
        assert contacts.loads[0].error == "away"


class TestDeclared:
    def test_a_bound_stands_before_the_schedules(self, pool: WorkerPoolService) -> None:
        made(model_name="deals", every=10)
        ran(NOON)
        bounds.set_bound("hubspot", "deals", 86_400.0, change=ANN)
        assert (state(timedelta(hours=24)), state(timedelta(hours=24.1))) == ("fresh", "stale")
        assert AuditRecord.objects.get(action="freshness").after == {"seconds": 86_400.0}
        bounds.set_bound("hubspot", "deals", None, change=ANN)
        assert deals().due_at == NOON + minutes(11)

    def test_the_table_of_a_crm_may_declare_it(self) -> None:
        bound = Bound(PromiseKind.TABLE, 3600)
        assert bound.due_at(NOON, None) == NOON + minutes(60)
        assert bound.due_at(None, None) is None
        assert bound.words == "at most 1 h old, by the CRM's table"

    def test_what_was_never_loaded_is_late_counted_from_the_declaration(
        self, pool: WorkerPoolService
    ) -> None:
        bounds.set_bound("hubspot", "deals", 3600.0, change=ANN)
        assert (state(minutes(60)), state(minutes(61))) == ("never", "stale")

    def test_an_unknown_dataset_has_none(self, pool: WorkerPoolService) -> None:
        with pytest.raises(bounds.DatasetNotFound, match=r"hubspot\.nothing"):
            bounds.set_bound("hubspot", "nothing", 60.0)


class TestReported:
    @pytest.fixture
    def viewer(self, pool: WorkerPoolService) -> Client:
        return browser(member("Viewers"))

    def shown(self, client: Client) -> Any:
        forget_answers()
        return client.get("/api/datasets").json()

    def late(self, client: Client) -> list[str]:
        return [one["model"] for one in self.shown(client)["late"]]

    def codes(self, client: Client) -> list[str]:
        return [reason["code"] for reason in self.shown(client)["late"][0]["reasons"]]

    def test_every_model_of_every_crm_stands_there_and_none_promises(self, viewer: Client) -> None:
        shown = self.shown(viewer)
        assert len(shown["datasets"]) == sum(shown["counts"].values()) > 50
        assert shown["counts"]["no_promise"] == len(shown["datasets"])
        assert (shown["promised_count"], shown["late"]) == (0, [])

    def test_the_longest_late_one_stands_first(
        self, viewer: Client, clock: time_machine.Coordinates
    ) -> None:
        made(model_name="deals", name="deals", every=1, period="hours")
        made(model_name="contacts", every=10)
        ran(NOON)
        ran(NOON, sync_type="contacts")
        clock.move_to(NOON + timedelta(hours=2))
        assert self.late(viewer) == ["contacts", "deals"]
        assert self.shown(viewer)["promised_count"] == 2

    def test_says_what_its_last_runs_failed_with_and_which_run_to_look_at(
        self, viewer: Client, clock: time_machine.Coordinates
    ) -> None:
        made(model_name="deals", every=10)
        ran(NOON)
        for n in (20, 30):
            last = ran(NOON + minutes(n), "failed", error_message="The API is away.")
        clock.move_to(NOON + minutes(40))
        (found,) = self.shown(viewer)["late"]
        assert found["reasons"] == [
            {
                "code": "failed",
                "sentence": "Its last 2 runs failed: The API is away.",
                "history_id": last.pk,
            }
        ]
        assert found["late_since"] == (NOON + minutes(11)).isoformat()

    def test_says_who_has_paused_it(
        self, viewer: Client, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        made(model_name="deals", every=10)
        pool.pause("hubspot", change=ChangeRequest(by="ann", reason="migration"))
        clock.move_to(NOON + minutes(40))
        (found,) = self.shown(viewer)["late"][0]["reasons"]
        assert found["sentence"].startswith("hubspot is paused by ann since ")
        assert found["sentence"].endswith(": migration.")

    def test_says_that_no_schedule_loads_it(
        self, viewer: Client, clock: time_machine.Coordinates
    ) -> None:
        bounds.set_bound("hubspot", "deals", 600.0, change=ANN)
        clock.move_to(NOON + minutes(40))
        assert self.codes(viewer) == ["no_schedule"]
        schedule = made(model_name="deals", every=10)
        schedules.set_enabled(schedule.pk, False, change=ANN)
        assert self.codes(viewer) == ["switched_off"]

    def test_says_that_nothing_was_started(
        self, viewer: Client, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        made(model_name="deals", every=10)
        clock.move_to(NOON + minutes(40))
        assert self.codes(viewer) == ["not_started"]
        pool.submit_task("hubspot", "deals")
        assert self.codes(viewer) == ["under_way"]

    def test_a_bound_is_declared_by_those_who_may_configure(self, viewer: Client) -> None:
        path = "/api/datasets/hubspot/deals/freshness"
        body = {"max_age_seconds": 7200.0, "reason": "the board reads it"}
        args = {"data": body, "content_type": "application/json"}
        assert viewer.put(path, **args).status_code == 403
        admin = browser(member("Administrators", "bob"))
        assert admin.put(path, **args).json()["max_age_seconds"] == 7200.0
        assert FreshnessBound.objects.get().set_by == "bob (web)"
        assert admin.put(path.replace("deals", "nothing"), **args).status_code == 404
        assert "the board reads it" in admin.get("/settings/").content.decode()
