"""Who one is, the document, and the one form of all refusals."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from ingestion.api.app import api
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import JSON, code
from tests.unit.people import browser, member, program
from tests.unit.pool_shell import answers


class TestMe:
    def test_tells_name_and_rights(self, operator: Client) -> None:
        assert operator.get("/api/me").json() == {
            "name": "token ci",
            "kind": "token",
            "rights": ["operate_worker_pool", "view_worker_pool"],
            "read_only": False,
        }


class TestDocument:
    def test_is_for_those_who_may_see(self, pool: WorkerPoolService) -> None:
        assert code(Client().get("/api/openapi.json")) == (401, "NOT_LOGGED_IN")
        assert "/api/tasks" in program("read").get("/api/openapi.json").json()["paths"]

    def test_is_written_once(self) -> None:
        assert api.get_openapi_schema() is api.get_openapi_schema()

    def test_its_page_loads_nothing_inline(self, pool: WorkerPoolService) -> None:
        answer = browser(member("Viewers")).get("/api/docs")
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "https://" not in text
        assert "<style" not in text
        assert "onload" not in text

    def test_its_page_tells_every_endpoint_and_what_it_takes(self, pool: WorkerPoolService) -> None:
        paths = program("read").get("/api/openapi.json").json()["paths"]
        text = browser(member("Viewers")).get("/api/docs").content.decode()
        assert all(f"<code>{path}</code>" in text for path in paths)
        assert "list of string, at most 500 items" in text
        assert "<code>filter.ids</code>" in text

    def test_it_names_the_least_scope_of_every_endpoint(self, pool: WorkerPoolService) -> None:
        paths = program("read").get("/api/openapi.json").json()["paths"]
        assert paths["/api/tasks"]["get"]["x-scope"] == "read"
        assert paths["/api/tasks"]["post"]["x-scope"] == "operate"
        assert paths["/api/tasks/{task_id}/hold"]["post"]["x-scope"] == "operate"
        assert paths["/api/limits"]["put"]["x-scope"] == "admin"


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("get", "/api/nowhere", (404, "NOT_FOUND")),
        ("delete", "/api/tasks", (405, "METHOD_NOT_ALLOWED")),
        ("get", "/api/", (404, "NOT_FOUND")),
        ("post", "/api/status", (405, "METHOD_NOT_ALLOWED")),
    ],
)
def test_every_refusal_has_one_form(
    pool: WorkerPoolService, method: str, path: str, said: tuple[int, str]
) -> None:
    client = browser(member("Administrators"))
    answer = getattr(client, method)(path)
    assert code(answer) == said
    assert answer["Content-Type"] == JSON


def test_the_refusal_of_a_stranger_shows_how_to_send_a_token(db: None) -> None:
    assert Client().get("/api/me").json()["error"]["message"] == (
        "Log in, or send a valid token as 'Authorization: Bearer TOKEN'."
    )


def test_what_breaks_is_told_in_the_same_form(
    pool: WorkerPoolService, operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "examine", answers(ZeroDivisionError("at line 5")))
    operator.raise_request_exception = False
    answer = operator.get("/api/doctor")
    assert code(answer) == (500, "INTERNAL_ERROR")
    assert "line 5" not in answer.content.decode()


def test_a_ledger_that_is_away_is_told(
    pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sessions stand in the database: nobody can even be told who they are."""
    client = browser(member("Viewers"))
    monkeypatch.setattr("django.contrib.auth.middleware.get_user", answers(OperationalError("no")))
    for path in ("/api/dashboard", "/api/status"):
        assert code(client.get(path)) == (503, "LEDGER_UNAVAILABLE")
