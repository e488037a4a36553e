"""The endpoints of the pool: limits, pauses, repairs, and what is said of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.api.reporting import crms as crms_endpoint
from ingestion.models import AuditRecord
from ingestion.pool.change import ChangeRequest
from ingestion.services.runs import celery_view
from ingestion.services.runs.check import ModelCheck, State
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import JSON, a_run, code, full, get, post
from tests.unit.pool_shell import answers


class TestLimits:
    def test_are_changed_by_those_who_configure(
        self, pool: WorkerPoolService, boss: Client
    ) -> None:
        answer = boss.put("/api/limits", {"max_workers": 4, "reason": "night"}, content_type=JSON)
        assert answer.json()["max_workers"] == 4
        assert pool.get_max_workers() == 4
        assert AuditRecord.objects.get(action="limit").actor == "token boss"

    @pytest.mark.parametrize("number", [0, 1001, 2.5, "3", True, None])
    def test_are_whole_numbers(self, pool: WorkerPoolService, boss: Client, number: Any) -> None:
        answer = boss.put("/api/limits", {"max_workers": number}, content_type=JSON)
        assert answer.status_code == 422
        assert pool.get_max_workers() == 2


class TestControls:
    def test_a_crm_is_limited_and_freed(self, pool: WorkerPoolService, boss: Client) -> None:
        for number, kept in ((1, ["hubspot"]), (None, [])):
            answer = boss.put("/api/limits/hubspot", {"max_workers": number}, content_type=JSON)
            assert list(answer.json()["controls"]["crm_limits"]) == kept

    def test_a_pause_ends_by_itself_or_by_hand(self, pool: WorkerPoolService, boss: Client) -> None:
        until = (timezone.now() + timedelta(hours=1)).isoformat()
        paused = post(boss, "/pause", {"crm_source": "hubspot", "expires_at": until}).json()
        assert paused["controls"]["crm_pauses"]["hubspot"]["set_by"] == "token boss"
        assert pool.controls().crm_pauses["hubspot"].expires_at is not None
        freed = post(boss, "/resume", {"crm_source": "hubspot"}).json()
        assert freed["controls"]["crm_pauses"] == {}

    def test_the_whole_pool_is_paused(self, pool: WorkerPoolService, boss: Client) -> None:
        post(boss, "/pause", {"reason": "release"})
        task_id = pool.submit_task("hubspot", "deals")
        assert get(boss, f"/tasks/{task_id}")["task"]["status"] == "queued"
        post(boss, "/resume")
        assert get(boss, f"/tasks/{task_id}")["task"]["status"] == "running"

    def test_an_unknown_crm_is_refused(self, pool: WorkerPoolService, boss: Client) -> None:
        assert code(post(boss, "/pause", {"crm_source": "nobody"})) == (422, "UNKNOWN_SOURCE")


class TestRepairs:
    def test_nothing_is_found_in_good_health(
        self, pool: WorkerPoolService, boss: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(celery_view, "in_hand", dict)
        assert boss.get("/api/doctor").json()["findings"] == []
        assert post(boss, "/doctor/repair").json()["repaired"] == []
        assert post(boss, "/repair").json()["lost"] == 0

    def test_the_pool_is_reset_as_it_was_seen(self, pool: WorkerPoolService, boss: Client) -> None:
        full(pool)
        wrong = post(boss, "/reset", {"expected_active": 0, "expected_queued": 0})
        assert code(wrong) == (409, "CONFLICT")
        assert wrong.json()["present"]["active"] == 2
        right = post(boss, "/reset", {"expected_active": 2, "expected_queued": 0})
        assert right.json()["done"]
        assert not pool.get_active_tasks()


class TestAudit:
    def test_is_read_page_by_page(self, pool: WorkerPoolService, operator: Client) -> None:
        for n in (3, 4, 5):
            pool.set_max_workers(n, change=ChangeRequest(by="ann"))
        first = operator.get("/api/audit?action=limit&limit=2").json()
        second = operator.get(f"/api/audit?action=limit&cursor={first['next_cursor']}").json()
        assert [r["after"] for r in first["items"] + second["items"]] == [5, 4, 3]
        assert "limit" in first["actions"]

    def test_is_searched_by_a_name(self, pool: WorkerPoolService, operator: Client) -> None:
        (
            pool.set_max_workers(3, change=ChangeRequest(by="ann")),
            pool.set_max_workers(4, change=ChangeRequest(by="bob")),
        )
        assert [r["after"] for r in operator.get("/api/audit?actor=bo").json()["items"]] == [4]


class TestCrms:
    def test_all_are_listed(self, operator: Client) -> None:
        shown = operator.get("/api/crms").json()
        assert "hubspot" in [crm["name"] for crm in shown]

    def test_one_tells_its_models(self, operator: Client) -> None:
        a_run(records_processed=4)
        shown = operator.get("/api/crms/hubspot").json()
        deals = next(model for model in shown["models"] if model["name"] == "deals")
        assert (deals["freshness"], deals["last_rows"], deals["trend"]) == ("no_promise", 4, [4])
        assert shown["rows"]["deals"] is None
        assert [run["route"] for run in shown["last_runs"]] == ["hubspot.deals"]

    def test_an_unknown_one_is_404(self, operator: Client) -> None:
        assert code(operator.get("/api/crms/nobody")) == (404, "NOT_FOUND")
        assert code(post(operator, "/crms/nobody/check")) == (404, "NOT_FOUND")

    def test_credentials_are_checked_one_at_a_time(
        self, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            crms_endpoint, "check_crms", answers([ModelCheck("hubspot", "deals", State.OK, 5)])
        )
        answer = post(operator, "/crms/hubspot/check")
        assert answer.json()["is_right"]
        assert AuditRecord.objects.get(action="check_crm").target == "hubspot"
        taken = threading.Lock()
        taken.acquire()
        monkeypatch.setattr(crms_endpoint, "_checking", taken)
        assert code(post(operator, "/crms/hubspot/check")) == (429, "BUSY")


class TestSettings:
    def test_tell_where_a_value_comes_from(self, operator: Client) -> None:
        system = operator.get("/api/settings").json()["groups"][0]
        by_name = {setting["name"]: setting for setting in system["settings"]}
        assert by_name["LOG_DIR"]["source"] == "environment"
        limit = by_name["MAX_SYNC_WORKERS"]
        assert (limit["value"], limit["source"]) == ("2", "default")

    def test_tell_no_secret(self, operator: Client, settings: Any) -> None:
        settings.INGESTION_CRM_ENVIRONMENT = Sources(
            SECRET_KEY="top-secret-key-of-this-site",
            DATABASE_URL="postgresql://u:hunter2@host/name",
            HUBSPOT_ACCESS_TOKEN="pat-na1-hunter3",
        )
        text = operator.get("/api/settings").content.decode()
        assert not any(word in text for word in ("top-secret", "hunter2", "hunter3"))

    def test_tell_what_was_changed_while_it_ran(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        pool.set_max_workers(3, change=ChangeRequest(by="ann", reason="night"))
        changed = operator.get("/api/settings").json()["controls"]["max_workers"]
        assert (changed["value"], changed["set_by"], changed["reason"]) == (3, "ann", "night")


class Sources(dict[str, str]):
    def source_of(self, name: str) -> str:
        return "environment" if name in self else "default"
