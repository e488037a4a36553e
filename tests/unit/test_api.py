"""The API's doors: each calls one verb of the service and answers in one form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from ingestion.api import crms as crms_door
from ingestion.models import ApiAnswer, AuditRecord, SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services import celery_view, table_rows
from ingestion.services.crm_check import ModelCheck, State
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member, program
from tests.unit.pool_shell import answers, pool_in_memory, take

JSON = "application/json"


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def operator(pool: WorkerPoolService) -> Client:
    return program("operate")


@pytest.fixture
def boss(pool: WorkerPoolService) -> Client:
    return program("admin", "boss")


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api{path}", body or {}, content_type=JSON, headers=headers)


def get(client: Client, path: str) -> Any:
    return client.get(f"/api{path}").json()


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def full(pool: WorkerPoolService) -> None:
    """Every slot is taken."""
    for _ in range(2):
        pool.submit_task("five9", "contacts")


class TestSubmit:
    def test_starts_a_task_and_says_who_asked(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        sent = {"crm_source": "hubspot", "sync_type": "deals", "priority": 5, "reason": "now"}
        answer = post(operator, "/tasks", sent)
        task = answer.json()["task"]
        assert answer.status_code == 201
        assert (task["route"], task["status"], task["priority"]) == ("hubspot.deals", "running", 5)
        record = AuditRecord.objects.get(target=task["id"], action="submit")
        assert (record.actor, record.reason) == ("token ci", "now")

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"crm_source": "nobody"}, "UNKNOWN_SOURCE"),
            ({"crm_source": "five9", "priority": 1001}, "INVALID_INPUT"),
            ({"crm_source": "five9", "priority": "7"}, "INVALID_INPUT"),
            ({"crm_source": "five9", "parameters": {"speed": 1}}, "INVALID_PARAMETERS"),
            ({"crm_source": "five9", "parameters": ["full"]}, "INVALID_INPUT"),
            ({"crm_source": "five9", "reason": "a\u0000b"}, "INVALID_INPUT"),
            ({"crm_source": "five9", "not_before": "2026-01-01T00:00:00"}, "INVALID_INPUT"),
            ({"crm_source": "five9", "status": "completed"}, "INVALID_INPUT"),
            ({"crm_source": "five9", "id": "mine", "requested_by": "boss"}, "INVALID_INPUT"),
            ({}, "INVALID_INPUT"),
        ],
    )
    def test_stores_nothing_of_a_wrong_one(self, operator: Client, sent: Any, said: str) -> None:
        assert code(post(operator, "/tasks", sent)) == (422, said)
        assert not SyncHistory.objects.exists()

    def test_a_body_that_is_no_json_is_refused(self, operator: Client) -> None:
        answer = operator.post("/api/tasks", "{", content_type=JSON)
        assert code(answer) == (400, "BAD_REQUEST")

    def test_a_pool_that_is_away_is_503(
        self, pool: WorkerPoolService, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "submit", answers(PoolUnavailable("Redis is gone.")))
        answer = post(operator, "/tasks", {"crm_source": "five9"})
        assert code(answer) == (503, "UNAVAILABLE")


class TestIdempotency:
    def test_the_same_key_submits_once(self, pool: WorkerPoolService, operator: Client) -> None:
        sent = {"crm_source": "five9", "sync_type": "contacts"}
        first, second = (
            post(operator, "/tasks", sent, **{"Idempotency-Key": "k1"}) for _ in range(2)
        )
        assert first.json() == second.json()
        assert (second.status_code, second["Idempotent-Replay"]) == (201, "true")
        assert SyncHistory.objects.count() == 1

    def test_another_request_needs_another_key(self, operator: Client) -> None:
        post(operator, "/tasks", {"crm_source": "five9"}, **{"Idempotency-Key": "k1"})
        answer = post(operator, "/tasks", {"crm_source": "hubspot"}, **{"Idempotency-Key": "k1"})
        assert code(answer) == (422, "INVALID_IDEMPOTENCY_KEY")

    def test_keys_of_two_callers_are_their_own(self, operator: Client, boss: Client) -> None:
        sent = {"crm_source": "five9", "sync_type": "contacts"}
        for client in (operator, boss):
            post(client, "/tasks", sent, **{"Idempotency-Key": "k1"})
        assert SyncHistory.objects.count() == 2

    def test_a_refused_request_may_be_tried_again(self, operator: Client) -> None:
        for _ in range(2):
            answer = post(operator, "/tasks/x/cancel", **{"Idempotency-Key": "k1"})
            assert code(answer) == (404, "NOT_FOUND")
        assert not ApiAnswer.objects.exists()

    def test_one_that_is_being_carried_out_is_not_begun_again(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        again: list[Any] = []
        sent = {"crm_source": "five9", "sync_type": "contacts"}
        key = {"Idempotency-Key": "k1"}
        submit = pool.submit

        def submit_twice(*args: Any, **named: Any) -> Any:
            if not again:
                again.append(post(operator, "/tasks", sent, **key))
            return submit(*args, **named)

        pool.submit = submit_twice  # type: ignore[method-assign]
        post(operator, "/tasks", sent, **key)
        assert code(again[0]) == (409, "IN_PROGRESS")
        assert SyncHistory.objects.count() == 1

    @pytest.mark.parametrize("key", ["", "x" * 101, "a\tb"])
    def test_a_key_is_a_short_text(self, operator: Client, key: str) -> None:
        answer = post(operator, "/tasks", {"crm_source": "five9"}, **{"Idempotency-Key": key})
        assert answer.status_code == 422

    def test_an_old_answer_is_forgotten(self, operator: Client) -> None:
        post(operator, "/tasks", {"crm_source": "five9"}, **{"Idempotency-Key": "k1"})
        ApiAnswer.objects.update(at=timezone.now() - timedelta(days=2))
        post(operator, "/tasks", {"crm_source": "five9"}, **{"Idempotency-Key": "k2"})
        assert [kept.key for kept in ApiAnswer.objects.all()] == ["k2"]


class TestTasks:
    def test_are_listed_in_their_order(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        low = pool.submit_task("hubspot", "deals")
        high = pool.submit_task("hubspot", "contacts", priority=9)
        shown = operator.get("/api/tasks").json()
        assert [task["id"] for task in shown["items"][2:]] == [high, low]
        assert (shown["total"], shown["next_cursor"]) == (4, None)

    def test_pages_hold_each_task_once(self, pool: WorkerPoolService, operator: Client) -> None:
        ids = [pool.submit_task("hubspot", "deals") for _ in range(7)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            shown = operator.get("/api/tasks", {"limit": 3, "cursor": cursor}).json()
            seen += [task["id"] for task in shown["items"]]
            cursor = shown["next_cursor"]
        assert sorted(seen) == sorted(ids)
        assert len(seen) == 7

    def test_can_be_filtered(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        task_id = pool.submit_task("hubspot", "deals")
        shown = operator.get("/api/tasks?status=queued&crm_source=hubspot").json()
        assert [task["id"] for task in shown["items"]] == [task_id]

    def test_a_foreign_cursor_is_refused(self, operator: Client) -> None:
        for path in ("tasks", "history", "audit"):
            answer = operator.get(f"/api/{path}?cursor=%3Cb%3E")
            assert code(answer) == (422, "INVALID_CURSOR")

    def test_one_is_shown_and_an_unknown_one_is_404(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals")
        assert operator.get(f"/api/tasks/{task_id}").json()["task"]["id"] == task_id
        assert code(operator.get("/api/tasks/nobody")) == (404, "NOT_FOUND")

    def test_a_waiting_one_tells_why_it_waits(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        full(pool)
        wait = get(operator, f"/tasks/{pool.submit_task('hubspot', 'deals')}")["wait"]
        assert (wait["position"], wait["reason"]["code"]) == (1, "pool_full")

    def test_a_submission_can_be_foretold(self, pool: WorkerPoolService, operator: Client) -> None:
        asked = "/forecast?crm_source=hubspot&sync_type=deals&on_overlap=coalesce&parameters={}"
        assert get(operator, asked)["reason"]["code"] == "next"
        full(pool)
        waiting = pool.submit_task("hubspot", "deals")
        assert get(operator, asked)["absorbed_by"] == waiting
        assert SyncHistory.objects.count() == 3

    @pytest.mark.parametrize("text", ["[1]", "{", '{"speed":1}', '"x"', "{}x"])
    def test_a_forecast_refuses_what_a_submission_would(self, operator: Client, text: str) -> None:
        answer = operator.get("/api/forecast", {"crm_source": "five9", "parameters": text})
        assert code(answer) == (422, "INVALID_PARAMETERS")

    def test_a_waiting_one_is_cancelled(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        task_id = pool.submit_task("hubspot", "deals")
        answer = post(operator, f"/tasks/{task_id}/cancel", {"reason": "wrong day"})
        assert answer.json()["task"]["status"] == "cancelled"
        assert AuditRecord.objects.get(target=task_id, action="cancel").actor == "token ci"

    def test_an_ended_one_cannot_be_cancelled(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals")
        pool.cancel_task(task_id)
        answer = post(operator, f"/tasks/{task_id}/cancel")
        assert code(answer) == (409, "CONFLICT")
        assert answer.json()["present"]["status"] == "cancelled"

    def test_a_failed_one_is_tried_again(self, pool: WorkerPoolService, operator: Client) -> None:
        task_id = pool.submit_task("hubspot", "deals", {"full": True}, priority=3)
        take(pool, task_id)
        pool.finish_task(task_id, attempt=1, outcome=Outcome(TaskStatus.FAILED, "broken"))
        answer = post(operator, f"/tasks/{task_id}/retry")
        task = answer.json()["task"]
        assert answer.status_code == 201
        assert (task["route"], task["parameters"], task["priority"]) == (
            "hubspot.deals", {"full": True}, 3,
        )  # fmt: skip
        assert task["id"] != task_id

    def test_a_running_one_is_not_tried_again(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals")
        assert code(post(operator, f"/tasks/{task_id}/retry")) == (409, "NOT_ENDED")


class TestOrder:
    @pytest.fixture
    def waiting(self, pool: WorkerPoolService) -> list[str]:
        full(pool)
        return [pool.submit_task("hubspot", kind) for kind in ("deals", "contacts")]

    def order(self, pool: WorkerPoolService) -> list[str]:
        return [task.id for task in pool.get_queued_tasks()]

    def test_changes_with_the_priority(
        self, pool: WorkerPoolService, operator: Client, waiting: list[str]
    ) -> None:
        answer = post(operator, f"/tasks/{waiting[1]}/priority", {"priority": 50})
        assert answer.json()["task"]["priority"] == 50
        assert self.order(pool) == waiting[::-1]

    def test_changes_with_a_move_to_the_front(
        self, pool: WorkerPoolService, operator: Client, waiting: list[str]
    ) -> None:
        assert post(operator, f"/tasks/{waiting[1]}/front").status_code == 200
        assert self.order(pool) == waiting[::-1]

    def test_a_held_task_stands_aside_until_it_is_released(
        self, pool: WorkerPoolService, operator: Client, waiting: list[str]
    ) -> None:
        held = post(operator, f"/tasks/{waiting[0]}/hold", {"reason": "month end"}).json()["task"]
        assert (held["held_by"], held["held_reason"]) == ("token ci", "month end")
        assert [t["id"] for t in get(operator, "/tasks?status=held")["items"]] == [waiting[0]]
        assert post(operator, f"/tasks/{waiting[0]}/release").json()["task"]["held_at"] is None

    def test_one_that_has_changed_meanwhile_is_left_alone(
        self, pool: WorkerPoolService, operator: Client, waiting: list[str]
    ) -> None:
        seen = get(operator, f"/tasks/{waiting[0]}")["task"]["revision"]
        post(operator, f"/tasks/{waiting[0]}/priority", {"priority": 1})
        for verb in ("front", "hold", "cancel"):
            answer = post(operator, f"/tasks/{waiting[0]}/{verb}", {"expected_revision": seen})
            assert code(answer) == (409, "CONFLICT")
            assert answer.json()["present"] == {"status": "queued", "revision": seen + 1}

    def test_a_running_task_has_no_place_to_change(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals")
        assert code(post(operator, f"/tasks/{task_id}/front")) == (409, "NOT_QUEUED")


class TestBulk:
    def test_does_what_was_seen(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        ids = [pool.submit_task("hubspot", kind) for kind in ("deals", "contacts")]
        pool.submit_task("arrivy", "tasks")
        asked = {"action": "cancel", "filter": {"crm_source": "hubspot", "status": "queued"}}
        found = post(operator, "/bulk/preview", asked).json()
        assert (found["count"], [task["id"] for task in found["sample"]]) == (2, ids)
        done = post(operator, "/bulk", {**asked, "digest": found["digest"]}).json()
        assert done == {"done": 2, "conflicts": []}
        assert [task.route for task in pool.get_queued_tasks()] == ["arrivy.tasks"]

    def test_does_nothing_when_something_else_is_there_by_now(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        full(pool)
        pool.submit_task("hubspot", "deals")
        asked = {"action": "priority", "priority": 9, "filter": {"status": "queued"}}
        digest = post(operator, "/bulk/preview", asked).json()["digest"]
        pool.submit_task("hubspot", "contacts")
        answer = post(operator, "/bulk", {**asked, "digest": digest})
        assert code(answer) == (409, "CONFLICT")
        assert [task.priority for task in pool.get_queued_tasks()] == [0, 0]

    def test_a_priority_must_be_given(self, pool: WorkerPoolService, operator: Client) -> None:
        found = post(operator, "/bulk/preview", {"action": "priority", "filter": {}}).json()
        sent = {"action": "priority", "filter": {}, "digest": found["digest"]}
        assert post(operator, "/bulk", sent).status_code == 422


class TestOverlap:
    def test_a_repeated_request_is_merged(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        first = pool.submit_task("hubspot", "deals")
        sent = {"crm_source": "hubspot", "sync_type": "deals", "on_overlap": "coalesce"}
        assert post(operator, "/tasks", sent).json()["absorbed_by"] == first

    def test_or_refused(self, pool: WorkerPoolService, operator: Client) -> None:
        first = pool.submit_task("hubspot", "deals")
        sent = {"crm_source": "hubspot", "sync_type": "deals", "on_overlap": "reject"}
        answer = post(operator, "/tasks", sent)
        assert code(answer) == (409, "OVERLAPS")
        assert answer.json()["present"] == {"task_id": first}


class TestQueue:
    def test_is_cleared_as_it_was_seen(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        pool.submit_task("hubspot", "deals")
        stale = post(operator, "/queue/clear", {"expected_count": 5})
        assert code(stale) == (409, "CONFLICT")
        assert stale.json()["present"] == {"count": 1}
        assert post(operator, "/queue/clear", {"expected_count": 1}).json() == {"cancelled": 1}

    def test_is_processed(self, pool: WorkerPoolService, operator: Client) -> None:
        assert post(operator, "/queue/process").json() == {"started": 0}


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
        assert post(boss, "/doctor/heal").json() == {"found": 0, "healed": []}
        assert post(boss, "/repair").json()["lost"] == 0

    def test_the_pool_is_reset_as_it_was_seen(self, pool: WorkerPoolService, boss: Client) -> None:
        full(pool)
        wrong = post(boss, "/reset", {"expected_active": 0, "expected_queued": 0})
        assert code(wrong) == (409, "CONFLICT")
        assert wrong.json()["present"]["active"] == 2
        right = post(boss, "/reset", {"expected_active": 2, "expected_queued": 0})
        assert right.json()["done"]
        assert not pool.get_active_tasks()


class TestHistory:
    def row(self, **named: Any) -> SyncHistory:
        given = {"crm_source": "hubspot", "sync_type": "deals", "status": "success"} | named
        given.setdefault("end_time", timezone.now())
        return SyncHistory.objects.create(**given)

    def test_can_be_searched(self, operator: Client) -> None:
        wanted = self.row(status="failed", error_message="Timeout at page 3")
        self.row(), self.row(crm_source="five9", sync_type="contacts")
        for query in ("status=failed", "text=timeout", "crm_source=hubspot&status=failed"):
            items = operator.get(f"/api/history?{query}").json()["items"]
            assert [item["id"] for item in items] == [wanted.pk]

    def test_can_be_searched_by_time(self, operator: Client) -> None:
        now = timezone.now()
        old = self.row(start_time=now - timedelta(days=2))
        self.row(start_time=now)
        until = (now - timedelta(days=1)).isoformat()
        items = operator.get("/api/history", {"until": until}).json()["items"]
        assert [item["id"] for item in items] == [old.pk]

    def test_pages_hold_each_run_once(self, operator: Client) -> None:
        moment = timezone.now()
        rows = {self.row(start_time=moment).pk for _ in range(5)}
        first = operator.get("/api/history?limit=3").json()
        second = operator.get(f"/api/history?limit=3&cursor={first['next_cursor']}").json()
        seen = [item["id"] for item in first["items"] + second["items"]]
        assert (len(seen), set(seen), second["next_cursor"]) == (5, rows, None)

    def test_one_run_tells_its_attempts_models_and_trail(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        task_id = pool.submit_task("hubspot", "deals", reason="try")
        take(pool, task_id)
        told = {"models": [{"model": "deals", "processed": 3, "seconds": {"extract": 1.5}}]}
        outcome = Outcome(TaskStatus.FAILED, "broken", result={"metrics": told})
        pool.finish_task(task_id, attempt=1, outcome=outcome)
        row = SyncHistory.objects.get(worker_pool_task_id=task_id)
        shown = operator.get(f"/api/history/{row.pk}").json()
        assert shown["models"] == told["models"]
        assert [(a["attempt"], a["how"]) for a in shown["attempts"]] == [(1, "fail")]
        assert [record["action"] for record in shown["audit"]] == ["fail", "submit"]
        assert (shown["reason"], shown["command"]) == ("try", "sync_hubspot_deals")

    def test_one_run_shows_its_lines_of_the_log(
        self, operator: Client, settings: Any, tmp_path: Any
    ) -> None:
        settings.LOG_DIR = tmp_path
        row = self.row(worker_pool_task_id="an-id")
        stamp = f"{row.start_time:%Y-%m-%d %H:%M:%S}"
        (tmp_path / "ingestion.log").write_text(
            f"{stamp},1 INFO a [1] task an-id began with password=hunter2\n"
            f"{stamp},2 INFO a [1] task of another\n"
            "2020-01-01 00:00:00,1 INFO a [1] task an-id long ago\n"
        )
        (line,) = operator.get(f"/api/history/{row.pk}").json()["log"]
        assert line.startswith(f"{stamp},1 INFO")
        assert "hunter2" not in line

    @pytest.mark.parametrize(("number", "status"), [("0", 422), ("77", 404), (str(2**70), 422)])
    def test_an_unknown_run_is_refused(self, operator: Client, number: str, status: int) -> None:
        assert operator.get(f"/api/history/{number}").status_code == status

    def test_a_run_of_the_command_line_can_be_tried_again(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        asked = {"mode": "full", "max_records": 5, "asked": "deals", "command": "x"}
        row = self.row(configuration=asked)
        answer = post(operator, f"/history/{row.pk}/retry")
        task = pool.get_task_status(answer.json()["task_id"])
        assert task is not None
        assert task.parameters == {"mode": "full", "max_records": 5}

    def test_is_a_table_for_spreadsheets(self, operator: Client) -> None:
        self.row(status="failed", error_message='=HYPERLINK("https://evil.example")')
        answer = operator.get("/api/history.csv?status=failed")
        lines = b"".join(answer.streaming_content).decode().splitlines()
        assert lines[0].startswith("id,task_id,crm_source")
        assert "\"'=HYPERLINK" in lines[1]
        assert answer["Content-Disposition"] == 'attachment; filename="history.csv"'


class TestAudit:
    def test_is_read_page_by_page(self, pool: WorkerPoolService, operator: Client) -> None:
        for n in (3, 4, 5):
            pool.set_max_workers(n, actor="ann")
        first = operator.get("/api/audit?action=limit&limit=2").json()
        second = operator.get(f"/api/audit?action=limit&cursor={first['next_cursor']}").json()
        assert [r["after"] for r in first["items"] + second["items"]] == [5, 4, 3]
        assert "limit" in first["actions"]

    def test_is_searched_by_a_name(self, pool: WorkerPoolService, operator: Client) -> None:
        pool.set_max_workers(3, actor="ann"), pool.set_max_workers(4, actor="bob")
        assert [r["after"] for r in operator.get("/api/audit?actor=bo").json()["items"]] == [4]


class TestCrms:
    def test_all_are_listed(self, operator: Client) -> None:
        shown = operator.get("/api/crms").json()
        assert "hubspot" in [crm["name"] for crm in shown]

    def test_one_tells_its_models(self, operator: Client) -> None:
        table_rows.forget()
        TestHistory().row(records_processed=4)
        shown = operator.get("/api/crms/hubspot").json()
        deals = next(model for model in shown["models"] if model["name"] == "deals")
        assert (deals["freshness"], deals["last_rows"], deals["trend"]) == ("fresh", 4, [4])
        assert shown["rows"]["deals"] is None
        assert [run["route"] for run in shown["last_runs"]] == ["hubspot.deals"]

    def test_an_unknown_one_is_404(self, operator: Client) -> None:
        assert code(operator.get("/api/crms/nobody")) == (404, "NOT_FOUND")
        assert code(post(operator, "/crms/nobody/check")) == (404, "NOT_FOUND")

    def test_credentials_are_checked_one_at_a_time(
        self, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            crms_door, "check_crms", answers([ModelCheck("hubspot", "deals", State.OK, 5)])
        )
        answer = post(operator, "/crms/hubspot/check")
        assert answer.json()["is_right"]
        assert AuditRecord.objects.get(action="check_crm").target == "hubspot"
        taken = threading.Lock()
        taken.acquire()
        monkeypatch.setattr(crms_door, "_checking", taken)
        assert code(post(operator, "/crms/hubspot/check")) == (429, "BUSY")


class TestSettings:
    def test_tell_where_a_value_comes_from(self, operator: Client) -> None:
        system = operator.get("/api/settings").json()["groups"][0]
        by_name = {setting["name"]: setting for setting in system["settings"]}
        assert by_name["LOG_DIR"]["source"] == "environment"
        limit = by_name["MAX_SYNC_WORKERS"]
        assert (limit["value"], limit["source"]) == ("2", "default")

    def test_tell_no_secret(self, operator: Client, settings: Any) -> None:
        settings.CRM_ENVIRONMENT = Sources(
            SECRET_KEY="top-secret-key-of-this-site",
            DATABASE_URL="postgresql://u:hunter2@host/name",
            HUBSPOT_ACCESS_TOKEN="pat-na1-hunter3",
        )
        text = operator.get("/api/settings").content.decode()
        assert not any(word in text for word in ("top-secret", "hunter2", "hunter3"))

    def test_tell_what_was_changed_while_it_ran(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        pool.set_max_workers(3, actor="ann", reason="night")
        changed = operator.get("/api/settings").json()["controls"]["max_workers"]
        assert (changed["value"], changed["set_by"], changed["reason"]) == (3, "ann", "night")


class Sources(dict[str, str]):
    def source_of(self, name: str) -> str:
        return "environment" if name in self else "default"


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

    def test_its_page_loads_nothing_inline(self, pool: WorkerPoolService) -> None:
        answer = browser(member("Viewers")).get("/api/docs")
        text = answer.content.decode()
        assert answer.status_code == 200
        assert "https://" not in text
        assert "<style" not in text
        assert "onload" not in text


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("get", "/api/nowhere", (404, "NOT_FOUND")),
        ("delete", "/api/tasks", (405, "METHOD_NOT_ALLOWED")),
        ("get", "/api/", (404, "NOT_FOUND")),
        ("post", "/api/status/", (405, "METHOD_NOT_ALLOWED")),
    ],
)
def test_every_refusal_has_one_form(
    pool: WorkerPoolService, method: str, path: str, said: tuple[int, str]
) -> None:
    client = browser(member("Administrators"))
    answer = getattr(client, method)(path)
    assert code(answer) == said
    assert answer["Content-Type"] == JSON


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
    for path in ("/api/dashboard", "/api/status/"):
        assert code(client.get(path)) == (503, "LEDGER_UNAVAILABLE")
