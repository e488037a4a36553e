"""Every role at every URL with every method: nobody gets in who may not, and nothing else is open."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingestion.models import AuditRecord, SyncHistory
from ingestion.services.infra import request_rates
from ingestion.services.security.access import GROUPS, Right
from ingestion.services.security.api_tokens import SCOPES
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.endpoint_table import (
    ENTRY_POINTS,
    OPEN,
    Endpoint,
    endpoints,
    is_of_admin,
    others,
    routes,
    things_of_its_id,
)
from tests.unit.people import browser, member, program

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EVERY_METHOD = (*METHODS, "HEAD", "OPTIONS", "TRACE")


@pytest.fixture
def row(pool: WorkerPoolService) -> SyncHistory:
    """A run that has ended, of a task that the pool still knows."""
    task_id = pool.submit_task("hubspot", "deals")
    pool.cancel_task(task_id)
    found = SyncHistory.objects.get(worker_pool_task_id=task_id)
    things_of_its_id(found.pk)
    return found


# Where the forms of pages lead back to, with a sentence about what was done.
FORMS = ("/users/", "/tokens/")


def ask(client: Client, method: str, path: str) -> int:
    """What is said, with a body that asks for nothing in particular."""
    body = None if method == "GET" else "{}"
    answer = client.generic(method, path, body or "", content_type="application/json")
    if getattr(answer, "streaming", False):
        b"".join(answer.streaming_content)  # type: ignore[arg-type]
    leads_back = answer.status_code == 302 and answer["Location"] in FORMS
    return 200 if leads_back else answer.status_code


def closed(endpoint: Endpoint) -> set[int]:
    """What somebody unknown hears: the API says so, a page leads to the login."""
    is_page = not endpoint.path.startswith("/api/") or endpoint.path == "/api/docs"
    return {302, 401, 403} if is_page else {401, 403}


def leads_to_login(client: Client, path: str) -> bool:
    """Wherever it leads: never in, and never away."""
    answer = client.get(path)
    is_in = answer.status_code == 200
    return not is_in and answer.headers.get("Location", "/login/").startswith("/login/")


class TestTheTable:
    def test_names_every_endpoint_and_none_that_is_gone(self) -> None:
        there = {route for route in routes() if not is_of_admin(route) or route in OPEN}
        assert {*ENTRY_POINTS, *OPEN} == there
        assert not ENTRY_POINTS.keys() & OPEN

    def test_every_scope_of_a_token_is_one_of_the_groups(self) -> None:
        assert sorted(SCOPES.values()) == sorted(GROUPS.values())


class TestAnonymous:
    def test_gets_in_nowhere_and_changes_nothing(
        self, pool: WorkerPoolService, row: SyncHistory
    ) -> None:
        before = (AuditRecord.objects.count(), SyncHistory.objects.count(), pool.controls())
        client = Client()
        for endpoint in endpoints(row):
            for method in EVERY_METHOD:
                said = ask(client, method, endpoint.path)
                assert said in closed(endpoint) | {405}, (method, endpoint.path, said)
            assert leads_to_login(client, endpoint.path), endpoint.path
        assert (AuditRecord.objects.count(), SyncHistory.objects.count(), pool.controls()) == before

    def test_a_made_up_token_opens_nothing(self, row: SyncHistory) -> None:
        client = Client(headers={"Authorization": "Bearer dw_made-up"})
        for endpoint in endpoints(row):
            request_rates.forget_failures()  # else its address would be refused soon
            for method in EVERY_METHOD:
                assert ask(client, method, endpoint.path) in closed(endpoint) | {405}, endpoint.path


class TestPeople:
    @pytest.mark.parametrize("group", ["", *GROUPS])
    def test_come_as_far_as_their_group(self, row: SyncHistory, group: str) -> None:
        user = member(group) if group else User.objects.create_user("ann")
        self.walk(browser(user), row, set(GROUPS.get(group, ())))

    @pytest.mark.parametrize("scope", SCOPES)
    def test_a_token_comes_as_far_as_its_scope(self, row: SyncHistory, scope: str) -> None:
        of_api = [endpoint for endpoint in endpoints(row) if endpoint.path.startswith("/api/")]
        client = program(scope)
        for endpoint in of_api:
            if endpoint.route == "api/docs":
                continue  # for browsers
            self.try_each_method(client, endpoint, set(SCOPES[scope]))

    def walk(self, client: Client, row: SyncHistory, held: set[Right]) -> None:
        for endpoint in endpoints(row):
            self.try_each_method(client, endpoint, held)

    def try_each_method(self, client: Client, endpoint: Endpoint, held: set[Right]) -> None:
        for method in METHODS:
            said = ask(client, method, endpoint.path)
            if others(endpoint.route):
                assert held or said in closed(endpoint) | {405}, (method, endpoint.path, said)
            elif method not in endpoint.asks:
                assert said in {403, 405}, (method, endpoint.path, said)
            elif endpoint.asks[method] is None or endpoint.asks[method] in held:
                assert said not in {401, 403, 405, 302, 500, 503}, (method, endpoint.path, said)
            else:
                assert said == 403, (method, endpoint.path, said)

    def test_a_session_needs_the_csrf_token_for_what_changes_something(
        self, row: SyncHistory
    ) -> None:
        client = browser(member("Administrators"), checks_csrf=True)
        for endpoint in endpoints(row):
            for method in endpoint.asks.keys() - {"GET"}:
                assert ask(client, method, endpoint.path) == 403, (method, endpoint.path)

    def test_the_csrf_token_lets_them_in(self, pool: WorkerPoolService) -> None:
        client = browser(member("Operators"), checks_csrf=True)
        client.get("/password/")
        token = client.cookies["csrftoken"].value
        answer = client.post(
            "/api/queue/process",
            {},
            content_type="application/json",
            headers={"X-CSRFToken": token},
        )
        assert answer.status_code == 200


class TestAdmin:
    @pytest.mark.parametrize("group", ["", "Administrators"])
    def test_is_for_staff_alone(self, db: None, group: str) -> None:
        client = browser(member(group)) if group else Client()
        for route in routes():
            if not is_of_admin(route) or route in OPEN or "(" in route:
                continue
            said = client.get("/" + re.sub(r"<[^>]+>", "1", route))
            assert said.status_code in (302, 404), route
            assert said.get("Location", "/admin/login/").startswith("/admin/login/"), route

    def test_shows_no_digest_of_a_token(self, db: None) -> None:
        program("read")
        boss = browser(User.objects.create_superuser("boss"))
        page = boss.get("/admin/ingestion/apitoken/1/change/", follow=True).content.decode()
        assert "digest" not in page.lower()
