"""Syncs outside the pool are seen while they run, so that nothing seems to rest that works."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ingestion.deprecated_names import METRICS
from ingestion.models import SyncHistory
from ingestion.services.runs import direct
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, member


@pytest.fixture
def run(pool: WorkerPoolService) -> SyncHistory:
    """One that this process runs."""
    configuration = {"execution": "direct", "process": direct.this_process()}
    return SyncHistory.objects.create(
        crm_source="hubspot", sync_type="contacts", status="running", configuration=configuration
    )


def test_stand_on_the_dashboard_and_in_its_reason(run: SyncHistory) -> None:
    shown = browser(member("Viewers")).get("/api/dashboard").json()
    assert [found["history_id"] for found in shown["direct"]] == [run.pk]
    assert shown["state_reason"] == "0 of 2 slots are taken, 1 sync outside the pool."


def test_sandbox_the_metrics(run: SyncHistory, settings: Any) -> None:
    settings.INGESTION_METRICS_TOKEN = "a-token-of-sixteen-or-more"
    scraper = Client(headers={"Authorization": f"Bearer {settings.INGESTION_METRICS_TOKEN}"})
    text = scraper.get("/metrics").content.decode()
    name = "worker_pool_direct_runs"
    for shown in (name, METRICS[name]):
        assert f'{shown}{{by="direct",crm="hubspot",type="contacts"}} 1.0' in text
