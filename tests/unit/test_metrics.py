"""What Prometheus reads, and who may."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from ingestion.models import SyncHistory
from ingestion.pool.errors import LedgerUnavailable, PoolUnavailable
from ingestion.services.reporting import metrics
from ingestion.services.reporting.route_figures import LedgerFigures
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.views.metrics import ledger_figures
from tests.unit.pool_shell import answers, pool_in_memory, take

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    ledger_figures.cache_clear()
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def scraper(settings: Any) -> Client:
    """Somebody who has the token."""
    settings.INGESTION_METRICS_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


def samples(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """By name and by the values of the labels, in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


class TestAccess:
    def test_it_is_closed_while_nothing_is_set(self, pool: WorkerPoolService) -> None:
        answer = Client(REMOTE_ADDR="127.0.0.1").get("/metrics")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "NOT_ALLOWED")

    def test_an_empty_token_opens_nothing(self, pool: WorkerPoolService) -> None:
        assert Client(headers={"Authorization": "Bearer "}).get("/metrics").status_code == 403

    def test_the_token_opens_it(self, pool: WorkerPoolService, scraper: Client) -> None:
        answer = scraper.get("/metrics")
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=")
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize(
        "header", ["", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer", "Bearer \xe9"]
    )
    def test_anything_else_is_refused(
        self, pool: WorkerPoolService, scraper: Client, header: str
    ) -> None:
        answer = Client(headers={"Authorization": header}).get("/metrics")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert TOKEN not in answer.content.decode()

    @pytest.mark.parametrize(
        ("address", "status"),
        [("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("11.1.2.3", 403), ("", 403), ("::1", 403)],
    )
    def test_an_allowed_network_needs_no_token(
        self, pool: WorkerPoolService, settings: Any, address: str, status: int
    ) -> None:
        settings.INGESTION_METRICS_NETWORKS = [ip_network("10.0.0.0/8")]
        assert Client(REMOTE_ADDR=address).get("/metrics").status_code == status

    def test_a_header_makes_nobody_a_neighbour(
        self, pool: WorkerPoolService, settings: Any
    ) -> None:
        settings.INGESTION_METRICS_NETWORKS = [ip_network("10.0.0.0/8")]
        client = Client(REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": "10.0.0.1"})
        assert client.get("/metrics").status_code == 403

    def test_it_only_reads(self, pool: WorkerPoolService, scraper: Client) -> None:
        assert scraper.post("/metrics").status_code == 405

    def test_an_unreachable_pool_is_503(
        self, pool: WorkerPoolService, scraper: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("Redis is gone.")))
        assert scraper.get("/metrics").status_code == 503


class TestFigures:
    def test_slots_queue_and_workers(self, pool: WorkerPoolService, scraper: Client) -> None:
        for crm in ("hubspot", "five9", "hubspot", "genius", "genius"):
            pool.submit_task(crm, "all")
        pool.run_monitor_round()
        found = samples(scraper)
        assert found["worker_pool_max_workers"] == {(): 2}
        assert found["worker_pool_usable_slots"] == {(): 2}
        assert found["worker_pool_free_slots"] == {(): 0}
        assert found["worker_pool_workers_online"] == {(): 1}
        assert found["worker_pool_degraded"] == {(): 0}
        assert found["worker_pool_oldest_wait_seconds"][()] >= 0
        assert found["worker_pool_monitor_age_seconds"][()] >= 0
        assert found["worker_pool_active_tasks"] == {
            ("five9", "all"): 1,
            ("hubspot", "all"): 1,
        }
        assert found["worker_pool_waiting_tasks"] == {
            ("genius", "pool_full"): 2,
            ("hubspot", "pool_full"): 1,
        }

    def test_the_queue_is_counted_beyond_what_is_looked_at(
        self, pool: WorkerPoolService, scraper: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.views.metrics.QUEUE_LIMIT", 1)
        pool.pause("genius")
        for crm in ("hubspot", "hubspot", "hubspot", "genius", "genius", "hubspot"):
            pool.submit_task(crm, "all")
        later = timezone.now() + timedelta(hours=1)
        for _ in range(3):
            pool.submit_task("five9", "contacts", not_before=later)
        assert samples(scraper)["worker_pool_waiting_tasks"] == {
            ("genius", "crm_paused"): 2,
            ("hubspot", "pool_full"): 2,
            ("five9", "not_before"): 1,
            ("", "not_before"): 2,
        }

    def test_limits_and_pauses(self, pool: WorkerPoolService, scraper: Client) -> None:
        pool.set_crm_limit("hubspot", 3)
        pool.pause("genius")
        pool.pause()
        found = samples(scraper)
        assert found["worker_pool_crm_limit"] == {("hubspot",): 3}
        assert found["worker_pool_crm_paused"] == {("genius",): 1}
        assert found["worker_pool_paused"] == {(): 1}

    def test_what_the_store_counts(self, pool: WorkerPoolService, scraper: Client) -> None:
        first, second = (pool.submit_task("hubspot", "all") for _ in range(2))
        take(pool, first)
        pool.update_task_status(first, "completed")
        pool.update_task_status(second, "failed", "HTTP 500")
        found = samples(scraper)["worker_pool_events_total"]
        assert (found["started",], found["completed",], found["failed",]) == (2, 1, 1)

    def test_outcomes_times_and_rows_by_route(
        self, pool: WorkerPoolService, scraper: Client
    ) -> None:
        end = timezone.now()
        SyncHistory.objects.create(
            crm_source="hubspot",
            sync_type="all",
            status="success",
            start_time=end - timedelta(seconds=90),
            end_time=end,
            records_processed=12,
        )
        found, route = samples(scraper), ("hubspot", "all")
        assert found["worker_pool_runs_total"] == {("hubspot", "success", "all"): 1}
        assert found["worker_pool_attempts_total"] == {route: 1}
        assert found["worker_pool_rows_total"]["hubspot", "processed", "all"] == 12
        assert found["worker_pool_run_seconds_sum"] == {route: 90}
        assert found["worker_pool_run_seconds_bucket"]["hubspot", "60", "all"] == 0
        assert found["worker_pool_run_seconds_bucket"]["hubspot", "300", "all"] == 1
        assert found["worker_pool_last_success_timestamp_seconds"] == {
            route: pytest.approx(end.timestamp(), abs=0.001)
        }

    def test_without_the_ledger_the_pool_is_told_all_the_same(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        figures = LedgerFigures()
        monkeypatch.setattr(figures, "read", answers(LedgerUnavailable("away")))
        text = metrics.exposition(pool.snapshot(), figures).decode()
        assert "worker_pool_max_workers 2.0" in text
        assert "worker_pool_runs" not in text
