"""What the ledger counts by route, for metrics."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.models import SyncHistory
from ingestion.pool.clock import to_us
from ingestion.services.reporting.route_figures import Histogram, LedgerFigures
from ingestion.services.requests.routing import routes

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
ROUTE = ("hubspot", "contacts")


def ended(
    *, run_seconds: float, at: datetime = NOW, wait_seconds: float = 0, **fields: object
) -> None:
    """A task of the pool, unless ``fields`` say otherwise."""
    start = at - timedelta(seconds=run_seconds)
    SyncHistory.objects.create(
        **{
            "crm_source": "hubspot",
            "sync_type": "contacts",
            "status": "success",
            "attempt": 1,
            "worker_pool_task_id": f"t{SyncHistory.objects.count()}",
            "queued_us": to_us(start - timedelta(seconds=wait_seconds)),
            "start_time": start,
            "end_time": at,
            **fields,
        }
    )


def test_a_histogram_counts_upwards() -> None:
    found = Histogram()
    for seconds in (0.5, 1.0, 30.0, 100_000.0):
        found.add(seconds)
    counted = dict(found.cumulative())
    assert (counted["1"], counted["60"], counted["14400"], counted["+Inf"]) == (2, 3, 3, 4)
    assert found.total_seconds == 100_031.5


@pytest.mark.django_db
class TestLedgerFigures:
    def test_counts_outcomes_attempts_and_rows(self) -> None:
        ended(run_seconds=60, records_processed=10, records_created=4)
        ended(run_seconds=60, records_processed=5, attempt=3)
        ended(run_seconds=60, status="failed", records_failed=2)
        found = LedgerFigures(clock=lambda: NOW).read()[ROUTE]
        assert found.outcomes == {"success": 2, "failed": 1}
        assert found.attempts == 5
        assert found.rows == {
            "processed": 15,
            "created": 4,
            "updated": 0,
            "deleted": 0,
            "failed": 2,
        }

    def test_measures_waits_and_run_times(self) -> None:
        ended(run_seconds=60, wait_seconds=5)
        ended(run_seconds=10, wait_seconds=100)
        found = LedgerFigures(clock=lambda: NOW).read()[ROUTE]
        assert (found.runs.total_seconds, found.waits.total_seconds) == (70, 105)

    def test_a_run_from_a_shell_has_no_wait(self) -> None:
        ended(run_seconds=60, attempt=0, worker_pool_task_id=None, queued_us=None)
        found = LedgerFigures(clock=lambda: NOW).read()[ROUTE]
        assert (found.attempts, found.runs.total_seconds, sum(found.waits.counts)) == (1, 60, 0)

    def test_what_was_cancelled_in_the_queue_neither_waited_nor_ran(self) -> None:
        ended(run_seconds=0, wait_seconds=50, status="cancelled", attempt=0)
        found = LedgerFigures(clock=lambda: NOW).read()[ROUTE]
        assert found.outcomes == {"cancelled": 1}
        assert (found.attempts, sum(found.runs.counts), sum(found.waits.counts)) == (0, 0, 0)

    def test_every_row_counts_once_however_often_it_is_read(self) -> None:
        figures = LedgerFigures(clock=lambda: NOW)
        ended(run_seconds=60)
        figures.read()
        ended(run_seconds=60, at=NOW - timedelta(minutes=1))
        ended(run_seconds=60, at=NOW + timedelta(minutes=1))
        figures.read()
        assert figures.read()[ROUTE].outcomes == {"success": 3}

    def test_reading_on_asks_once(self) -> None:
        figures = LedgerFigures(clock=lambda: NOW)
        figures.read()
        with CaptureQueriesContext(connection) as asked:
            figures.read()
        assert len(asked) == 1

    def test_the_counts_begin_anew_with_the_month(self) -> None:
        now = [NOW]
        figures = LedgerFigures(clock=lambda: now[0])
        ended(run_seconds=60)
        assert figures.read()[ROUTE].outcomes == {"success": 1}
        now[0] = datetime(2026, 4, 1, 0, 5, tzinfo=UTC)
        assert figures.read()[ROUTE].outcomes == {}

    def test_the_last_success_is_known_from_earlier_months_too(self) -> None:
        long_ago = NOW - timedelta(days=90)
        ended(run_seconds=60, at=long_ago)
        ended(run_seconds=60, status="failed")
        assert LedgerFigures(clock=lambda: NOW).read()[ROUTE].last_success_at == long_ago
        ended(run_seconds=60)
        assert LedgerFigures(clock=lambda: NOW).read()[ROUTE].last_success_at == NOW

    def test_every_known_route_is_there(self) -> None:
        assert LedgerFigures(clock=lambda: NOW).read().keys() == routes().keys()
