"""What is learned from past runs, and what stands in where a route has too few of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.errors import LedgerUnavailable
from ingestion.services.waiting.run_times import (
    FEWEST_RUNS,
    KEEP_SECONDS,
    MOST_RUNS,
    NOTHING,
    RunTimes,
    from_ledger,
)

Status = SyncHistory.Status


def ran(crm: str, kind: str, seconds: float, **fields: object) -> SyncHistory:
    end = timezone.now() - timedelta(hours=1)
    fields = {"status": Status.SUCCESS, "attempt": 1, **fields}
    return SyncHistory.objects.create(
        crm_source=crm,
        sync_type=kind,
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        **fields,
    )


class Asked:
    """Knows the run times of some routes, and remembers what it was asked."""

    def __init__(self, **known: Sequence[float]) -> None:
        self.known = known
        self.questions: list[tuple[str | None, str | None]] = []
        self.is_away = False

    def __call__(self, crm: str | None, kind: str | None) -> Sequence[float]:
        self.questions.append((crm, kind))
        if self.is_away:
            raise LedgerUnavailable
        return self.known.get(f"{crm or 'any'}_{kind or 'any'}", ())


@pytest.mark.django_db
class TestTheLedger:
    def test_gives_the_seconds_of_a_route_the_latest_first(self) -> None:
        ran("hubspot", "contacts", 60)
        ran("hubspot", "contacts", 30)
        ran("hubspot", "deals", 7)
        assert from_ledger("hubspot", "contacts") == [30, 60]

    def test_gives_those_of_a_crm_and_of_all(self) -> None:
        ran("hubspot", "contacts", 60)
        ran("hubspot", "deals", 7)
        ran("five9", "contacts", 5)
        assert from_ledger("hubspot", None) == [7, 60]
        assert from_ledger(None, None) == [5, 7, 60]

    def test_leaves_out_what_took_no_slot(self) -> None:
        ran("hubspot", "contacts", 60, status=Status.CANCELLED)
        ran("hubspot", "contacts", 60, status=Status.FAILED, attempt=0, worker_pool_task_id="t")
        assert from_ledger("hubspot", "contacts") == []

    def test_counts_failures_and_runs_from_a_shell(self) -> None:
        ran("hubspot", "contacts", 60, status=Status.FAILED)
        ran("hubspot", "contacts", 30, attempt=0)
        assert from_ledger("hubspot", "contacts") == [30, 60]

    def test_asks_for_the_latest_runs_alone(self) -> None:
        for seconds in range(1, MOST_RUNS + 3):
            ran("five9", "contacts", seconds)
        assert len(from_ledger("five9", "contacts")) == MOST_RUNS


class TestRunTimes:
    def test_a_route_with_enough_runs_speaks_for_itself(self) -> None:
        times = RunTimes(Asked(hubspot_contacts=[60] * FEWEST_RUNS))
        found = times.of("hubspot", "contacts")
        assert found.seconds == (60,) * FEWEST_RUNS
        assert found.based_on == "the last 5 runs of hubspot.contacts"

    def test_a_route_with_few_runs_takes_those_of_its_crm(self) -> None:
        times = RunTimes(Asked(hubspot_contacts=[60] * 4, hubspot_any=[40] * 9))
        assert times.of("hubspot", "contacts").based_on == "the last 9 runs of any sync of hubspot"

    def test_a_crm_with_few_runs_takes_those_of_all(self) -> None:
        times = RunTimes(Asked(hubspot_any=[40] * 4, any_any=[20] * 30))
        assert times.of("hubspot", "contacts").based_on == "the last 30 runs of any CRM"

    def test_too_few_runs_of_all_say_nothing(self) -> None:
        found = RunTimes(Asked(any_any=[20] * 4)).of("hubspot", "contacts")
        assert (found, found.is_known) == (NOTHING, False)

    def test_the_ledger_is_asked_once_until_what_it_said_is_old(self) -> None:
        asked, now = Asked(hubspot_contacts=[60] * 5), [0.0]
        times = RunTimes(asked, clock=lambda: now[0])
        for _ in range(10):
            times.of("hubspot", "contacts")
        assert len(asked.questions) == 1
        now[0] = KEEP_SECONDS
        times.of("hubspot", "contacts")
        assert len(asked.questions) == 2

    def test_a_ledger_that_is_away_is_asked_once_and_then_left_alone(self) -> None:
        asked, now = Asked(hubspot_contacts=[60] * 5), [0.0]
        asked.is_away = True
        times = RunTimes(asked, clock=lambda: now[0])
        assert not times.of("hubspot", "contacts").is_known
        assert not times.of("five9", "contacts").is_known
        assert len(asked.questions) == 1
        now[0], asked.is_away = KEEP_SECONDS, False
        assert times.of("hubspot", "contacts").is_known
