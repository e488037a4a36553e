"""Attacks that a web application must bear: hostile texts, forged requests, wanted fields, wrong ways."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from ingestion.api.app import api
from ingestion.models import AuditRecord, SyncHistory
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.endpoint_table import endpoints, others, things_of_its_id
from tests.unit.people import PASSWORD, browser, member, program

JSON = "application/json"
ELSEWHERE = ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]


class TestOpenRedirect:
    @pytest.mark.parametrize("where", ELSEWHERE)
    def test_a_login_leads_nowhere_else(self, pool: WorkerPoolService, where: str) -> None:
        member("Viewers")
        sent = {"username": "ann", "password": PASSWORD, "next": where}
        assert Client().post(f"/login/?next={where}", sent)["Location"] == "/"

    @pytest.mark.parametrize("where", ELSEWHERE)
    def test_nor_does_a_logout(self, pool: WorkerPoolService, where: str) -> None:
        client = browser(member("Viewers"))
        answer = client.post(f"/logout/?next={where}", {"next": where})
        assert answer["Location"] == "/login/"

    def test_a_doubled_slash_in_a_path_leads_to_no_other_host(
        self, pool: WorkerPoolService
    ) -> None:
        client = browser(member("Viewers"))
        for path in ("//evil.example/history", "//evil.example/..", "/\\evil.example"):
            where = client.get(path).headers.get("Location", "")
            assert not where.startswith(("//", "/\\", "http")), path


class TestForgedRequests:
    """Endpoints of the API and pages are walked in test_endpoints."""

    @pytest.mark.parametrize("path", ["/login/", "/logout/", "/password/"])
    def test_a_form_without_its_token_is_refused(self, pool: WorkerPoolService, path: str) -> None:
        client = browser(member("Viewers"), checks_csrf=True)
        assert client.post(path, {"username": "ann", "password": PASSWORD}).status_code == 403

    def test_a_link_logs_nobody_out(self, pool: WorkerPoolService) -> None:
        client = browser(member("Viewers"))
        assert client.get("/logout/").status_code == 405
        assert client.get("/api/me").status_code == 200

    def test_a_made_up_header_does_not_lead_around_the_check(self, pool: WorkerPoolService) -> None:
        client = browser(member("Operators"), checks_csrf=True)
        for header in ("Bearer x", "Basic eDp5", "x"):
            answer = client.post(
                "/api/queue/process", {}, content_type=JSON, headers={"Authorization": header}
            )
            assert answer.status_code == 401

    def test_a_form_of_another_site_is_no_json(self, pool: WorkerPoolService) -> None:
        """What a form can send without asking: neither read, nor let in without the token."""
        client = browser(member("Operators"), checks_csrf=True)
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            answer = client.post("/api/tasks", '{"crm_source": "five9"}', content_type=kind)
            assert answer.status_code == 403
        assert not SyncHistory.objects.exists()


class TestWantedFields:
    """No endpoint takes a field that it does not know: nobody names an id, a state or an actor."""

    def test_every_body_is_closed(self) -> None:
        document = api.get_openapi_schema()
        known = document["components"]["schemas"]
        for path, methods in document["paths"].items():
            for method, endpoint in methods.items():
                if body := endpoint.get("requestBody"):
                    name = body["content"][JSON]["schema"]["$ref"].rpartition("/")[2]
                    assert known[name].get("additionalProperties") is False, (method, path)

    def test_a_field_too_many_is_refused_by_name_and_nothing_is_done(
        self, pool: WorkerPoolService
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals")
        row = SyncHistory.objects.get(worker_pool_task_id=task_id)
        things_of_its_id(row.pk)
        client = program("admin")
        before = AuditRecord.objects.count()
        for endpoint in endpoints(row):
            for method in endpoint.asks.keys() & {"POST", "PUT", "PATCH"}:
                if not endpoint.path.startswith("/api/"):
                    continue
                said = client.generic(
                    method, endpoint.path, '{"is_admin": true}', content_type=JSON
                )
                assert said.status_code == 422, (method, endpoint.path)
                assert "is_admin" in said.json()["error"]["message"], (method, endpoint.path)
        assert AuditRecord.objects.count() == before

    def test_a_submission_cannot_name_its_own_fields(self, pool: WorkerPoolService) -> None:
        for name in ("id", "status", "requested_by", "task_name", "attempt", "sync_history_id"):
            sent = {"crm_source": "hubspot", "sync_type": "deals", name: "1"}
            answer = program("operate", name).post("/api/tasks", sent, content_type=JSON)
            assert answer.status_code == 422
        assert not SyncHistory.objects.exists()

    def test_who_did_it_is_who_is_logged_in(self, pool: WorkerPoolService) -> None:
        client = browser(member("Operators", "mallory"))
        sent = {"crm_source": "five9"}
        assert client.post("/api/tasks?requested_by=ann&actor=ann", sent, JSON).status_code == 422
        client.post("/api/tasks", sent, JSON)
        assert {r.actor for r in AuditRecord.objects.all()} == {"mallory (web)"}


class TestForeignThings:
    def test_a_reader_cannot_guess_the_answer_of_another(self, pool: WorkerPoolService) -> None:
        sent, key = {"crm_source": "five9"}, {"Idempotency-Key": "k"}
        first, second = program("operate", "one"), program("operate", "two")
        ids = [
            client.post("/api/tasks", sent, content_type=JSON, headers=key).json()["task"]["id"]
            for client in (first, second)
        ]
        assert ids[0] != ids[1]

    def test_a_password_is_changed_by_its_owner_alone(self, pool: WorkerPoolService) -> None:
        other = member("Administrators", "boss")
        client = browser(member("Viewers"))
        new = "another horse battery"
        client.post(
            f"/password/?user={other.pk}",
            {
                "old_password": PASSWORD, "new_password1": new, "new_password2": new,
                "user": other.pk, "username": "boss",
            },
        )  # fmt: skip
        assert User.objects.get(username="boss").check_password(PASSWORD)
        assert User.objects.get(username="ann").check_password(new)

    @pytest.mark.parametrize("wrong", ["../../etc/passwd", "%00", "1%20or%201=1", "9" * 400])
    def test_an_id_is_an_id(self, pool: WorkerPoolService, wrong: str) -> None:
        client = program("admin")
        for path in ("tasks/{}", "history/{}", "schedules/{}", "reports/{}", "crms/{}"):
            assert client.get(f"/api/{path.format(wrong)}").status_code in (400, 404, 422), path

    def test_a_secret_in_parameters_is_refused_and_not_repeated(
        self, pool: WorkerPoolService
    ) -> None:
        sent = {"crm_source": "five9", "parameters": {"password": "hunter2"}}
        answer = program("operate").post("/api/tasks", sent, content_type=JSON)
        assert answer.status_code == 422
        assert "hunter2" not in answer.content.decode()


class TestHostileTexts:
    def test_are_escaped_on_every_page(self, pool: WorkerPoolService) -> None:
        evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
        failed = SyncHistory.objects.create(
            crm_source="hubspot",
            sync_type="deals",
            status="failed",
            error_message=evil,
            end_time=timezone.now(),
            configuration={"reason": evil, "requested_by": evil, "parameters": {evil: evil}},
            performance_metrics={"models": [{"model": evil, "error": evil, "seconds": {}}]},
        )
        pool.submit_task("five9", "contacts", requested_by=evil, reason=evil)
        things_of_its_id(failed.pk, evil)
        client = browser(User.objects.create_superuser(evil[:20]))
        pages = [
            d for d in endpoints(failed) if not d.path.startswith("/api/") and not others(d.route)
        ]
        for endpoint in pages:
            text = client.get(endpoint.path).content.decode()
            assert "<script>alert" not in text, endpoint.path
            assert "<img src=x" not in text, endpoint.path

    def test_are_answered_as_json_alone(self, pool: WorkerPoolService) -> None:
        answer = program("read").get("/api/history?sync_type=<script>alert(1)</script>&status=x")
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"
