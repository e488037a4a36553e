"""Nothing is called right that is not: no worker, made-up data, times learned from other syncs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.crms import table_rows
from ingestion.services.infra import sandboxed
from ingestion.services.waiting.usual_times import usual
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member
from tests.unit.pool_shell import manage, pool_in_memory, shell


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()


@pytest.fixture
def idle(pool: WorkerPoolService) -> WorkerPoolService:
    """Nobody works for it."""
    pool.worker_gone("celery@test")
    return pool


class TestWithoutWorkers:
    def test_a_shell_is_told_by_the_exit_code(self, idle: WorkerPoolService) -> None:
        ran = shell("status", "--json")
        assert (ran.code, ran.shape["state"]) == (5, "unknown")
        assert json.loads(ran.err)["error"]["code"] == "NOTHING_RUNS"
        assert shell("status", "--check").code == 5

    def test_python_code_gets_the_status_all_the_same(self, idle: WorkerPoolService) -> None:
        assert manage("status").code == 0

    def test_a_submission_says_that_nothing_will_run(self, idle: WorkerPoolService) -> None:
        ran = shell("submit", "five9", "contacts")
        assert (ran.code, len(ran.out.strip())) == (0, 36)
        assert "nothing will run until one comes" in ran.err

    def test_with_a_worker_nothing_is_said(self, pool: WorkerPoolService) -> None:
        assert shell("status").code == 0
        assert "No Celery worker" not in shell("submit", "five9", "contacts").err


class TestSandbox:
    @pytest.fixture(autouse=True)
    def served(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            sandboxed, "is_of_running_system", lambda name: name.startswith("HUBSPOT_")
        )

    def test_every_page_is_marked(self, pool: WorkerPoolService) -> None:
        client: Client = browser(member("Viewers"))
        for path in ("/", "/history/", "/crms/", "/settings/"):
            page = client.get(path).content.decode()
            assert "The sandbox serves hubspot: what they load is made up." in page

    def test_every_status_says_so(self, pool: WorkerPoolService) -> None:
        assert manage("status", "--json").shape["sandboxed_crms"] == ["hubspot"]
        assert "Sandbox: what is loaded of hubspot is made up" in manage("status").out
        client = browser(member("Viewers"))
        assert client.get("/api/status").json()["sandboxed_crms"] == ["hubspot"]


def ran(crm_source: str, sync_type: str, seconds: float, *, times: int = 5) -> None:
    end = timezone.now()
    for _ in range(times):
        SyncHistory.objects.create(
            crm_source=crm_source,
            sync_type=sync_type,
            status="success",
            start_time=end - timedelta(seconds=seconds),
            end_time=end,
        )


class TestFigures:
    def test_to_wait_is_no_work(self, pool: WorkerPoolService) -> None:
        pool.pause()
        waiting = pool.submit_task("five9", "contacts")
        pool.cancel_task(waiting)
        row = SyncHistory.objects.get()
        assert (row.status, row.duration_seconds) == ("cancelled", None)

    def test_a_crm_page_shows_the_rows_of_the_table(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(table_rows, "rows_of", lambda crm: {"deals": 123_456})
        ran("hubspot", "deals", 2, times=1)
        page = browser(member("Viewers")).get("/crms/hubspot/").content.decode()
        assert '<td data-label="Rows" class="number">123,456</td>' in page


class TestUsualTimes:
    def test_a_sync_of_all_is_not_judged_by_single_models(self, pool: WorkerPoolService) -> None:
        ran("genius", "leads", 2)
        assert usual("genius", "all") is None
        assert usual("genius", "jobs") is not None

    def test_no_crm_is_judged_by_another(self, pool: WorkerPoolService) -> None:
        ran("genius", "all", 200)
        assert usual("hubspot", "deals") is None
        found = usual("genius", "all")
        assert found is not None
        assert found.low_seconds == 200
