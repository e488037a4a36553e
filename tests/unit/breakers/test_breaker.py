"""A CRM that keeps failing is left in peace, alone, and comes back by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from ingestion.models import CrmBreaker
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import UnknownSource
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.breakers import breaker
from ingestion.services.breakers.judgement import LONGEST_SECONDS, has_to_open, next_interval
from ingestion.services.runs.sources import _attempts
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member
from tests.unit.pool_shell import manage, pool_in_memory

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


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


def failure(error_class: str = "transient", *, rows: int = 0, **named: Any) -> Outcome:
    result = {"error_class": error_class, "counts": {"processed": rows}}
    return Outcome(TaskStatus.FAILED, "HubSpot answered 500.", result, **named)


GOOD = Outcome(TaskStatus.COMPLETED)


def judged(pool: WorkerPoolService, *outcomes: Outcome, crm: str = "hubspot") -> str:
    for outcome in outcomes:
        breaker.judge(pool, crm, outcome)
    return next(one["state"] for one in breaker.listed() if one["crm_source"] == crm)


class TestOpening:
    def test_two_runs_in_a_row_that_loaded_nothing_open_it(self, pool: WorkerPoolService) -> None:
        assert judged(pool, failure()) == "closed"
        assert judged(pool, failure()) == "open"
        pause = pool.controls().crm_pauses["hubspot"]
        assert (pause.set_by, pause.expires_at) == ("breaker", NOON + timedelta(minutes=15))
        assert "HubSpot answered 500" in pause.reason

    def test_a_good_run_between_keeps_it_closed(self, pool: WorkerPoolService) -> None:
        assert judged(pool, failure(), GOOD, failure(), GOOD, failure()) == "closed"

    def test_five_of_ten_that_loaded_something_open_it(self, pool: WorkerPoolService) -> None:
        some = failure(rows=100)
        assert judged(pool, some, some, GOOD, some, GOOD, some, GOOD, GOOD) == "closed"
        assert judged(pool, some) == "open"

    def test_it_warns_before_it_opens(self, pool: WorkerPoolService) -> None:
        assert judged(pool, failure()) == "closed"
        assert breaker.warnings()["hubspot"].startswith("Its last run failed; after one more")
        assert "Its last run failed" in manage("breaker", "hubspot").out
        judged(pool, GOOD)
        assert breaker.warnings() == {}
        some = failure(rows=100)
        judged(pool, some, GOOD, some, GOOD, some, GOOD)
        assert breaker.warnings()["hubspot"].startswith("4 of its last 8 runs failed")
        page = browser(member("Viewers")).get("/crms/hubspot/").content.decode()
        assert "4 of its last 8 runs failed" in page
        assert judged(pool, failure()) == "open"
        assert breaker.warnings() == {}

    def test_of_the_recent_ones_ten_count(self) -> None:
        assert not has_to_open(["failed"] * 4 + ["good"] * 6 + ["failed"])
        assert has_to_open(["failed", "good"] * 5)

    @pytest.mark.parametrize("error_class", ["permanent", "unexpected", "lost", "busy", "rejected"])
    def test_an_error_of_our_own_says_nothing(
        self, pool: WorkerPoolService, error_class: str
    ) -> None:
        assert judged(pool, *[failure(error_class)] * 10) == "closed"

    def test_refused_credentials_open_it_at_once_until_somebody_acts(
        self, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        assert judged(pool, failure("credentials")) == "open"
        assert pool.controls().crm_pauses["hubspot"].expires_at is None
        clock.shift(timedelta(days=30))
        assert judged(pool) == "open"

    def test_a_quota_opens_it_until_its_reset(self, pool: WorkerPoolService) -> None:
        assert judged(pool, failure("quota", retry_in_seconds=7200.0)) == "open"
        expires_at = pool.controls().crm_pauses["hubspot"].expires_at
        assert expires_at == NOON + timedelta(hours=2)

    def test_others_run_on(self, pool: WorkerPoolService) -> None:
        judged(pool, failure(), failure())
        blocked = pool.submit_task("hubspot", "deals")
        other = pool.submit_task("five9", "contacts")
        tasks = {task.id: task.status for task in pool.get_active_tasks()}
        assert tasks == {other: TaskStatus.RUNNING}
        reason = pool.explain(blocked).reason
        assert "paused" in reason.sentence.lower()
        assert "breaker" in reason.sentence

    def test_may_be_switched_off(self, pool: WorkerPoolService, settings: Any) -> None:
        settings.INGESTION_SYNC_BREAKER_MINUTES = 0
        assert judged(pool, *[failure()] * 10) == "closed"


class TestProbing:
    def test_one_run_tries_when_the_pause_is_over(
        self, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        judged(pool, failure(), failure())
        for model in ("deals", "contacts"):
            pool.submit_task("hubspot", model)
        clock.shift(timedelta(minutes=15))
        assert judged(pool) == "probing"
        pool.process_queue()
        assert pool.controls().crm_limits["hubspot"].value == 1

    def test_a_probe_that_fails_doubles_the_pause(
        self, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        judged(pool, failure(), failure())
        for minutes in (15, 30, 60):
            clock.shift(timedelta(minutes=minutes))
            judged(pool, failure())
            row = CrmBreaker.objects.get()
            assert row.probe_at == datetime.now(UTC) + timedelta(minutes=2 * minutes)
        assert row.opened_at == NOON

    def test_never_longer_than_six_hours(self) -> None:
        assert next_interval(0, first_seconds=900) == 900
        assert next_interval(5 * 3600, first_seconds=900) == LONGEST_SECONDS == 6 * 3600

    def test_a_run_that_began_before_changes_nothing(self, pool: WorkerPoolService) -> None:
        judged(pool, failure(), failure())
        before = CrmBreaker.objects.get().probe_at
        judged(pool, failure(), failure())
        assert CrmBreaker.objects.get().probe_at == before

    def test_a_good_probe_closes_it_and_takes_everything_back(
        self, pool: WorkerPoolService, clock: time_machine.Coordinates
    ) -> None:
        judged(pool, failure(), failure())
        clock.shift(timedelta(minutes=15))
        assert judged(pool, GOOD) == "closed"
        controls = pool.controls()
        assert (controls.crm_pauses, controls.crm_limits) == ({}, {})
        assert judged(pool, failure()) == "closed"

    def test_a_crm_in_doubt_is_asked_less_often(self, pool: WorkerPoolService) -> None:
        assert _attempts("hubspot", 6) == 6
        judged(pool, failure())
        assert (_attempts("hubspot", 6), _attempts("five9", 6)) == (2, 6)
        judged(pool, GOOD)
        assert _attempts("hubspot", 6) == 6


class TestByHand:
    def test_opens_and_closes(self, pool: WorkerPoolService) -> None:
        ann = ChangeRequest(by="ann", reason="they migrate")
        breaker.open_by_hand(pool, "hubspot", change=ann)
        assert judged(pool, GOOD) == "open"
        assert "they migrate" in pool.controls().crm_pauses["hubspot"].reason
        breaker.close_by_hand(pool, "hubspot", change=ann)
        assert (judged(pool), pool.controls().crm_pauses) == ("closed", {})
        with pytest.raises(UnknownSource):
            breaker.open_by_hand(pool, "nobody", change=ann)

    def test_a_pause_of_an_operator_is_left_alone(self, pool: WorkerPoolService) -> None:
        pool.pause("hubspot", change=ChangeRequest(by="ann", reason="audit"))
        pool.set_crm_limit("hubspot", 3, change=ChangeRequest(by="ann"))
        judged(pool, failure("credentials"))
        breaker.close_by_hand(pool, "hubspot")
        assert pool.controls().crm_pauses["hubspot"].set_by == "ann"
        assert pool.controls().crm_limits["hubspot"].value == 3

    def test_on_the_command_line(self, pool: WorkerPoolService) -> None:
        assert "hubspot: closed" in manage("breaker").out
        manage("breaker", "hubspot", "--open", "--reason", "they migrate")
        assert "hubspot: open: opened by" in manage("breaker", "hubspot").out
        shape = manage("breaker", "hubspot", "--close", "--json").shape
        assert shape["breakers"][0]["state"] == "closed"
        assert manage("breaker", "--close").code == 2

    def test_by_the_api(self, pool: WorkerPoolService) -> None:
        path, args = "/api/breakers/hubspot/open", {"data": {}, "content_type": "application/json"}
        assert browser(member("Operators")).post(path, **args).status_code == 403
        admin = browser(member("Administrators", "bob"))
        assert admin.post(path, **args).json()["kind"] == "by_hand"
        states = {
            one["crm_source"]: one["state"] for one in admin.get("/api/breakers").json()["breakers"]
        }
        assert (states["hubspot"], states["five9"]) == ("open", "closed")
        assert admin.post(path.replace("open", "close"), **args).json()["state"] == "closed"
