"""Every role at every URL with every method: nobody gets in who may not, and nothing else is open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from ingestion.api import crms as crms_door
from ingestion.models import (
    AuditRecord,
    AutomationReport,
    RuleAct,
    SyncHistory,
    SyncSchedule,
)
from ingestion.services import celery_view, table_rows
from ingestion.services.access import GROUPS, Right
from ingestion.services.api_tokens import SCOPES
from ingestion.services.automation import report
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import PASSWORD, browser, forget_answers, member, program
from tests.unit.pool_shell import answers, pool_in_memory

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VIEW, OPERATE, CONFIGURE = {"GET": Right.VIEW}, {"POST": Right.OPERATE}, {"POST": Right.CONFIGURE}
SCHEDULE = {"POST": Right.SCHEDULE}
# Those who are logged in, whatever they may do.
SELF = {"GET": None, "POST": None, "PUT": None}
# Open to everybody: coming and going, and what load balancers ask.
OPEN = {
    "login/", "logout/", "health/live", "health/ready", "api/",
    "admin/login/", "admin/logout/",
}  # fmt: skip

# What each door asks for. One that is not listed is for viewers, and only to look.
DOORS: dict[str, dict[str, Right | None]] = {
    "password/": SELF,
    "password/done/": {"GET": None},
    "api/tasks": VIEW | OPERATE,
    "api/tasks/<task_id>/cancel": OPERATE,
    "api/tasks/<task_id>/retry": OPERATE,
    "api/tasks/<task_id>/priority": OPERATE,
    "api/tasks/<task_id>/front": OPERATE,
    "api/tasks/<task_id>/hold": OPERATE,
    "api/tasks/<task_id>/release": OPERATE,
    "api/bulk": OPERATE,
    "api/bulk/preview": OPERATE,
    "api/queue/process": OPERATE,
    "api/queue/clear": OPERATE,
    "api/limits": VIEW | {"PUT": Right.CONFIGURE},
    "api/limits/<crm_source>": {"PUT": Right.CONFIGURE},
    "api/pause": CONFIGURE,
    "api/resume": CONFIGURE,
    "api/history/<history_id>/retry": OPERATE,
    "api/crms/<crm_source>/check": OPERATE,
    "schedules/new/": {"GET": Right.SCHEDULE},
    "schedules/<int:schedule_id>/edit/": {"GET": Right.SCHEDULE},
    "api/schedules": VIEW | SCHEDULE,
    "api/schedules/preview": SCHEDULE,
    "api/schedules/<schedule_id>": VIEW | {"PATCH": Right.SCHEDULE, "DELETE": Right.SCHEDULE},
    "api/schedules/<schedule_id>/enable": SCHEDULE,
    "api/schedules/<schedule_id>/disable": SCHEDULE,
    "api/schedules/<schedule_id>/run": SCHEDULE,
    "api/automation/rules/<rule>": {"PATCH": Right.SCHEDULE},
    "api/automation/acts/<act_id>/approve": SCHEDULE,
    "api/automation/acts/<act_id>/dismiss": SCHEDULE,
    "api/reports": VIEW | SCHEDULE,
    "api/doctor/heal": CONFIGURE,
    "api/repair": CONFIGURE,
    "api/reset": CONFIGURE,
}
# Where other doors stand: what they ask for is told by their own tests; here nobody walks in.
OTHERS = ("metrics",)


@dataclass
class Door:
    route: str
    path: str
    asks: dict[str, Right | None] = field(default_factory=dict)


def routes(patterns: Any = None, prefix: str = "") -> Iterator[str]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + re.sub(r"[\^$]|\\Z", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route


def is_of_admin(route: str) -> bool:
    return route.startswith("admin/")


def path_of(route: str, row: SyncHistory) -> str:
    """With arguments that lead to something."""
    filled = re.sub(r"<(?:\w+:)?(history_id|\w*id)>", str(row.pk), route)
    filled = filled.replace(f"tasks/{row.pk}", f"tasks/{row.worker_pool_task_id}")
    return "/" + re.sub(r"<[^>]+>", "hubspot", filled)


def doors(row: SyncHistory) -> list[Door]:
    found = [route for route in routes() if not is_of_admin(route) and route not in OPEN]
    return [Door(route, path_of(route, row), DOORS.get(route, VIEW)) for route in found]


def others(route: str) -> bool:
    return route.startswith(OTHERS)


@pytest.fixture
def pool(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPoolService]:
    forget_answers()
    monkeypatch.setattr(celery_view, "in_hand", dict)
    monkeypatch.setattr(crms_door, "check_crms", answers([]))
    monkeypatch.setattr(table_rows, "rows_of", answers({}))
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def row(pool: WorkerPoolService) -> SyncHistory:
    """A run that has ended, of a task that the pool still knows."""
    task_id = pool.submit_task("hubspot", "deals")
    pool.cancel_task(task_id)
    found = SyncHistory.objects.get(worker_pool_task_id=task_id)
    things_of_its_id(found.pk)
    return found


def things_of_its_id(pk: int, text: str = "t") -> None:
    """What the other doors with an id lead to."""
    fields = {"name": text, "every": 1, "period": "hours", "recurrence": "interval"}
    SyncSchedule.objects.create(pk=pk, crm_source="hubspot", model_name="deals", **fields)
    RuleAct.objects.create(
        pk=pk, rule="handle_zero_records", subject=text, sentence=text, outcome="proposed"
    )
    made = report.make(actor=text)
    AutomationReport.objects.filter(pk=made.pk).delete()
    AutomationReport.objects.create(
        pk=pk, period_start=made.period_start, period_end=made.period_end, content=made.content
    )


def ask(client: Client, method: str, path: str) -> int:
    """What is said, with a body that asks for nothing in particular."""
    body = None if method == "GET" else "{}"
    answer = client.generic(method, path, body or "", content_type="application/json")
    if getattr(answer, "streaming", False):
        b"".join(answer.streaming_content)  # type: ignore[arg-type]
    return answer.status_code


def closed(door: Door) -> set[int]:
    """What somebody unknown hears: the API says so, a page leads to the login."""
    is_page = not door.path.startswith("/api/") or door.path == "/api/docs"
    return {302, 401, 403} if is_page else {401, 403}


def leads_to_login(client: Client, path: str) -> bool:
    """Wherever it leads: never in, and never away."""
    answer = client.get(path)
    is_in = answer.status_code == 200
    return not is_in and answer.headers.get("Location", "/login/").startswith("/login/")


class TestTheTable:
    def test_names_no_door_that_is_gone(self) -> None:
        assert {*DOORS, *OPEN} <= set(routes())

    def test_every_scope_of_a_token_is_one_of_the_groups(self) -> None:
        assert sorted(SCOPES.values()) == sorted(GROUPS.values())


class TestAnonymous:
    def test_gets_in_nowhere_and_changes_nothing(
        self, pool: WorkerPoolService, row: SyncHistory
    ) -> None:
        before = (AuditRecord.objects.count(), SyncHistory.objects.count(), pool.controls())
        client = Client()
        for door in doors(row):
            for method in METHODS:
                said = ask(client, method, door.path)
                assert said in closed(door) | {405}, (method, door.path, said)
            assert leads_to_login(client, door.path), door.path
        assert (AuditRecord.objects.count(), SyncHistory.objects.count(), pool.controls()) == before

    def test_a_made_up_token_opens_nothing(self, row: SyncHistory) -> None:
        client = Client(headers={"Authorization": "Bearer dw_made-up"})
        for door in doors(row):
            for method in METHODS:
                assert ask(client, method, door.path) in closed(door) | {405}, door.path


class TestPeople:
    @pytest.mark.parametrize("group", ["", *GROUPS])
    def test_come_as_far_as_their_group(self, row: SyncHistory, group: str) -> None:
        user = member(group) if group else User.objects.create_user("ann")
        self.walk(browser(user), row, set(GROUPS.get(group, ())))

    @pytest.mark.parametrize("scope", SCOPES)
    def test_a_token_comes_as_far_as_its_scope(self, row: SyncHistory, scope: str) -> None:
        of_api = [door for door in doors(row) if door.path.startswith("/api/")]
        client = program(scope)
        for door in of_api:
            if door.route in ("api/status/", "api/docs"):
                continue  # for browsers
            self.try_each_method(client, door, set(SCOPES[scope]))

    def walk(self, client: Client, row: SyncHistory, held: set[Right]) -> None:
        for door in doors(row):
            self.try_each_method(client, door, held)

    def try_each_method(self, client: Client, door: Door, held: set[Right]) -> None:
        for method in METHODS:
            said = ask(client, method, door.path)
            if others(door.route):
                assert held or said in closed(door) | {405}, (method, door.path, said)
            elif method not in door.asks:
                assert said in {403, 405}, (method, door.path, said)
            elif door.asks[method] is None or door.asks[method] in held:
                assert said not in {401, 403, 405, 302, 500, 503}, (method, door.path, said)
            else:
                assert said == 403, (method, door.path, said)

    def test_a_session_needs_the_csrf_token_for_what_changes_something(
        self, row: SyncHistory
    ) -> None:
        client = browser(member("Administrators"), checks_csrf=True)
        for door in doors(row):
            for method in door.asks.keys() - {"GET"}:
                assert ask(client, method, door.path) == 403, (method, door.path)

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


class TestProbes:
    @pytest.mark.parametrize(
        "where",
        ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"],
    )
    def test_a_login_leads_nowhere_else(self, pool: WorkerPoolService, where: str) -> None:
        member("Viewers")
        sent = {"username": "ann", "password": PASSWORD, "next": where}
        assert Client().post(f"/login/?next={where}", sent)["Location"] == "/"

    def test_hostile_texts_are_escaped_on_every_page(self, pool: WorkerPoolService) -> None:
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
        pages = [d for d in doors(failed) if not d.path.startswith("/api/") and not others(d.route)]
        for door in pages:
            text = client.get(door.path).content.decode()
            assert "<script>alert" not in text, door.path
            assert "<img src=x" not in text, door.path

    def test_the_api_answers_hostile_texts_as_json_alone(self, pool: WorkerPoolService) -> None:
        answer = program("read").get("/api/history?sync_type=<script>alert(1)</script>&status=x")
        assert answer["Content-Type"] == "application/json"
        assert answer["X-Content-Type-Options"] == "nosniff"

    def test_a_submission_cannot_name_its_own_fields(self, pool: WorkerPoolService) -> None:
        for name in ("id", "status", "requested_by", "task_name", "attempt", "sync_history_id"):
            sent = {"crm_source": "hubspot", "sync_type": "deals", name: "1"}
            answer = program("operate", name).post(
                "/api/tasks", sent, content_type="application/json"
            )
            assert answer.status_code == 422
        assert not SyncHistory.objects.exists()

    def test_a_reader_cannot_guess_the_answer_of_another(self, pool: WorkerPoolService) -> None:
        sent, key = {"crm_source": "five9"}, {"Idempotency-Key": "k"}
        first, second = program("operate", "one"), program("operate", "two")
        ids = [
            client.post("/api/tasks", sent, content_type="application/json", headers=key).json()[
                "task"
            ]["id"]
            for client in (first, second)
        ]
        assert ids[0] != ids[1]

    def test_a_secret_in_parameters_is_refused_and_not_repeated(
        self, pool: WorkerPoolService
    ) -> None:
        sent = {"crm_source": "five9", "parameters": {"password": "hunter2"}}
        answer = program("operate").post("/api/tasks", sent, content_type="application/json")
        assert answer.status_code == 422
        assert "hunter2" not in answer.content.decode()
