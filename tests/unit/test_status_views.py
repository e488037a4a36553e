"""The status endpoint, health, login and the start page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from ingestion.pool.errors import PoolUnavailable
from ingestion.services.reporting import readiness
from ingestion.services.reporting.readiness import NotReady, Part, Probe
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import answers, pool_in_memory

PASSWORD = "correct horse battery"


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def operator(db: None) -> User:
    """Ann may see the pool."""
    ann = User.objects.create_user("ann", password=PASSWORD)
    ann.groups.add(Group.objects.get(name="Viewers"))
    return ann


@pytest.fixture
def browser(operator: User) -> Client:
    """Somebody who is logged in."""
    client = Client()
    client.force_login(operator)
    return client


def use_probes(
    monkeypatch: pytest.MonkeyPatch,
    *,
    prepared: Callable[[], None] = lambda: None,
    **questions: object,
) -> None:
    probes = {name: Probe(question) for name, question in questions.items()}  # type: ignore[arg-type]
    monkeypatch.setattr(readiness, "PROBES", probes)
    monkeypatch.setattr(readiness, "PREPARED", Probe(prepared))


def fine() -> None:
    pass


class TestStatus:
    def test_is_the_snapshot(self, pool: WorkerPoolService, browser: Client) -> None:
        pool.submit_task("five9", "contacts")
        answer = browser.get("/api/status")
        assert answer.status_code == 200
        assert answer.json().keys() == pool.snapshot().to_dict().keys()
        assert answer.json()["active"][0]["crm_source"] == "five9"

    def test_is_never_kept_by_a_cache(self, pool: WorkerPoolService, browser: Client) -> None:
        assert "no-store" in browser.get("/api/status")["Cache-Control"]

    def test_nobody_gets_it_without_a_login(self, pool: WorkerPoolService) -> None:
        answer = Client().get("/api/status")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "NOT_LOGGED_IN"

    def test_an_unreachable_pool_is_503(
        self, pool: WorkerPoolService, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("Redis is gone.")))
        answer = browser.get("/api/status")
        assert answer.status_code == 503
        assert answer.json() == {"error": {"code": "UNAVAILABLE", "message": "Redis is gone."}}

    def test_only_reads(self, pool: WorkerPoolService, browser: Client) -> None:
        assert browser.post("/api/status").status_code == 405


class TestLive:
    def test_asks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the ``db`` fixture any touch of the database would fail the test."""
        use_probes(monkeypatch, database=answers(NotReady("down")))
        answer = Client().get("/health/live")
        assert (answer.status_code, answer.json()) == (200, {"schema": 1, "live": True})


class TestReady:
    def test_is_200_when_every_part_is_fine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_probes(monkeypatch, database=fine, cache=fine)
        answer = Client().get("/health/ready")
        assert answer.status_code == 200
        assert answer.json() == {
            "schema": 1,
            "ready": True,
            "parts": {"database": {"ok": True, "why": ""}, "cache": {"ok": True, "why": ""}},
            "missing": [],
        }

    def test_names_what_is_not_prepared_and_serves_all_the_same(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_probes(monkeypatch, database=fine, prepared=answers(NotReady("account: there is none")))
        answer = Client().get("/health/ready")
        assert (answer.status_code, answer.json()["missing"]) == (200, ["account: there is none"])

    def test_is_503_with_the_reason_of_the_part_that_fails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use_probes(monkeypatch, database=fine, cache=answers(NotReady("Redis is gone")))
        answer = Client().get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["parts"]["cache"] == {"ok": False, "why": "Redis is gone"}
        assert answer.json()["parts"]["database"]["ok"]

    def test_a_broken_check_tells_the_log_and_not_the_visitor(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        use_probes(monkeypatch, cache=answers(ValueError("redis://:hunter2@cache/1")))
        answer = Client().get("/health/ready")
        assert answer.status_code == 503
        assert "hunter2" not in answer.content.decode()
        assert "a readiness check broke" in caplog.text

    def test_a_part_that_hangs_is_not_ready_and_costs_one_thread(self) -> None:
        release, asked = threading.Event(), []

        def hang() -> None:
            asked.append(1)
            release.wait(timeout=30)

        probes = {"database": Probe(hang)}
        try:
            found = [readiness.readiness(probes, seconds=0.05) for _ in range(3)]
        finally:
            release.set()
        assert [one.parts["database"].why for one in found] == ["no answer in time"] * 3
        assert asked == [1]

    def test_a_part_is_asked_anew_after_its_answer(self) -> None:
        probe = Probe(answers(NotReady("starting"), None))
        first, second = probe.ask().result(timeout=30), probe.ask().result(timeout=30)
        assert (first, second) == (Part(ok=False, why="starting"), Part(ok=True))


class TestParts:
    def asked(self, name: str) -> Part:
        return readiness.PROBES[name].ask().result(timeout=30)

    def test_the_pool_of_a_living_worker_is_fine(self, pool: WorkerPoolService) -> None:
        assert self.asked("cache") == Part(ok=True)
        assert self.asked("worker") == Part(ok=True)

    def test_a_worker_that_said_goodbye_is_not_alive(self, pool: WorkerPoolService) -> None:
        pool.worker_gone("celery@test")
        assert "no Celery worker" in self.asked("worker").why

    def test_a_cache_that_is_out_of_reach_says_so(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "peek", answers(PoolUnavailable("redis://:hunter2@cache/1")))
        found = self.asked("cache"), self.asked("worker")
        assert [part.ok for part in found] == [False, False]
        assert not any("hunter2" in part.why for part in found)

    @pytest.mark.django_db(transaction=True)
    def test_a_database_with_its_tables_is_fine(self) -> None:
        assert self.asked("database") == Part(ok=True)


class TestLogin:
    def test_its_fields_have_labels(self, db: None) -> None:
        page = Client().get("/login/").content.decode()
        assert '<label for="id_username">' in page
        assert '<label for="id_password">' in page

    def test_leads_to_the_start_page(self, pool: WorkerPoolService, operator: User) -> None:
        answer = Client().post("/login/", {"username": "ann", "password": PASSWORD})
        assert (answer.status_code, answer["Location"]) == (302, "/")

    def test_leads_back_to_where_one_came_from(self, operator: User) -> None:
        sent = {"username": "ann", "password": PASSWORD, "next": "/api/status"}
        assert Client().post("/login/", sent)["Location"] == "/api/status"

    def test_leads_nowhere_else(self, operator: User) -> None:
        sent = {"username": "ann", "password": PASSWORD, "next": "https://elsewhere.example/"}
        assert Client().post("/login/", sent)["Location"] == "/"

    def test_a_wrong_password_is_announced(self, operator: User) -> None:
        answer = Client().post("/login/", {"username": "ann", "password": "wrong"})
        assert answer.status_code == 200
        assert 'role="alert"' in answer.content.decode()

    def test_logging_out_ends_the_session(self, browser: Client) -> None:
        assert browser.post("/logout/")["Location"] == "/login/"
        assert browser.get("/api/status").status_code == 401


class TestHome:
    def test_wants_a_login(self, db: None) -> None:
        assert Client().get("/")["Location"] == "/login/?next=/"

    def test_stands_while_the_pool_is_out_of_reach(
        self, pool: WorkerPoolService, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("Redis is gone.")))
        answer = browser.get("/")
        assert answer.status_code == 200
        assert answer.context["options"]["crms"]["five9"]["sync_types"] == ["contacts", "all"]
