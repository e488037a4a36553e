"""The endpoints of tasks: submit, see, order, many at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import ApiAnswer, AuditRecord, SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import JSON, code, full, get, post
from tests.unit.pool_shell import answers, take


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

    def test_who_starts_meanwhile_hides_no_other(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        pool.pause()
        ids = [pool.submit_task("hubspot", "deals") for _ in range(6)]
        first = operator.get("/api/tasks?limit=3").json()
        for task_id in ids[:2]:
            pool.cancel_task(task_id)
        query = {"limit": 3, "cursor": first["next_cursor"]}
        second = operator.get("/api/tasks", query).json()
        assert [task["id"] for task in second["items"]] == ids[3:]

    def test_a_filtered_page_goes_on_where_it_was_cut(
        self, pool: WorkerPoolService, operator: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.services.reporting.task_list.MOST_LOOKED_AT", 2)
        pool.pause()
        kinds = ("deals", "deals", "deals", "contacts", "deals")
        ids = [pool.submit_task("hubspot", kind) for kind in kinds]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"sync_type": "contacts", "cursor": cursor}
            shown = operator.get("/api/tasks", query).json()
            seen += [task["id"] for task in shown["items"]]
            cursor = shown["next_cursor"]
        assert seen == [ids[3]]

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
        assert get(operator, asked)["coalesced_into"] == waiting
        assert SyncHistory.objects.count() == 3

    def test_a_wait_for_others_can_be_foretold(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        first, second = (pool.submit_task("hubspot", kind) for kind in ("contacts", "deals"))
        asked = f"/forecast?crm_source=five9&after={first}&after={second}"
        assert get(operator, asked)["sentence"] == (
            f"It would wait. It waits for hubspot.contacts {first}, hubspot.deals {second}."
        )

    def test_a_forecast_refuses_a_predecessor_as_a_submission_does(
        self, pool: WorkerPoolService, operator: Client
    ) -> None:
        answers = [
            operator.get("/api/forecast", {"crm_source": "five9", "after": ["nonsense"]}),
            post(operator, "/tasks", {"crm_source": "five9", "after": ["nonsense"]}),
        ]
        assert [code(answer) for answer in answers] == [(422, "INVALID_PREDECESSOR")] * 2
        assert len({answer.json()["error"]["message"] for answer in answers}) == 1

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
        answer = post(operator, f"/tasks/{waiting[1]}/prioritize", {"priority": 50})
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
        post(operator, f"/tasks/{waiting[0]}/prioritize", {"priority": 1})
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
        asked = {"action": "prioritize", "priority": 9, "filter": {"status": "queued"}}
        digest = post(operator, "/bulk/preview", asked).json()["digest"]
        pool.submit_task("hubspot", "contacts")
        answer = post(operator, "/bulk", {**asked, "digest": digest})
        assert code(answer) == (409, "CONFLICT")
        assert [task.priority for task in pool.get_queued_tasks()] == [0, 0]

    def test_a_priority_must_be_given(self, pool: WorkerPoolService, operator: Client) -> None:
        found = post(operator, "/bulk/preview", {"action": "prioritize", "filter": {}}).json()
        sent = {"action": "prioritize", "filter": {}, "digest": found["digest"]}
        assert post(operator, "/bulk", sent).status_code == 422


class TestOverlap:
    def test_a_repeated_request_is_merged(self, pool: WorkerPoolService, operator: Client) -> None:
        full(pool)
        first = pool.submit_task("hubspot", "deals")
        sent = {"crm_source": "hubspot", "sync_type": "deals", "on_overlap": "coalesce"}
        assert post(operator, "/tasks", sent).json()["coalesced_into"] == first

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
