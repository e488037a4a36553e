"""What the command line can do, the API can do: a row for every word, a endpoint for every row."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ingestion.api.app import api
from ingestion.models import RuleAct, SyncSchedule
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation import engine
from ingestion.services.scheduling import schedules
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import program
from tests.unit.pool_shell import answers, subcommands

# The endpoints that a program needs for what the word does.
ENTRY_POINTS = {
    "manage_worker_pool": {
        "status": ("GET /api/status",),
        "monitor": ("GET /api/dashboard",),
        "list-tasks": ("GET /api/tasks",),
        "explain": ("GET /api/tasks/{task_id}",),
        "audit": ("GET /api/audit",),
        "submit": (
            "POST /api/tasks",
            "POST /api/submissions",
            "GET /api/forecast",
            "GET /api/tasks/{task_id}",
        ),
        "config": (
            "GET /api/limits",
            "PUT /api/limits",
            "PUT /api/limits/{crm_source}",
            "PUT /api/priority-aging",
        ),
        "pause": ("POST /api/pause",),
        "resume": ("POST /api/resume",),
        "breaker": (
            "GET /api/breakers",
            "POST /api/breakers/{crm_source}/open",
            "POST /api/breakers/{crm_source}/close",
        ),
        "drain": ("POST /api/pause", "GET /api/dashboard"),
        "hold": ("POST /api/tasks/{task_id}/hold", "POST /api/bulk"),
        "release": ("POST /api/tasks/{task_id}/release", "POST /api/bulk"),
        "prioritize": ("POST /api/tasks/{task_id}/prioritize", "POST /api/bulk"),
        "move-to-front": ("POST /api/tasks/{task_id}/front", "POST /api/bulk"),
        "cancel": ("POST /api/tasks/{task_id}/cancel", "POST /api/bulk"),
        "cancel-task": ("POST /api/tasks/{task_id}/cancel", "POST /api/bulk"),
        "process-queue": ("POST /api/queue/process",),
        "doctor": ("GET /api/doctor", "POST /api/doctor/repair"),
        "fix-stuck": ("POST /api/repair",),
        "clear-queue": ("POST /api/queue/clear", "POST /api/bulk"),
        "reset-state": ("POST /api/reset",),
        # Once, by hand: it reads what an older version pickled.
        "import-old-state": (),
        # Once, by hand, where the files of both installations can be looked at.
        "take-over": (),
    },
    "manage_schedules": {
        "list": ("GET /api/schedules",),
        "show": ("GET /api/schedules/{schedule_id}",),
        "runs": ("GET /api/schedules/{schedule_id}/runs",),
        "check": ("GET /api/schedules/findings",),
        "add": ("POST /api/schedules", "POST /api/schedules/preview"),
        "edit": ("PATCH /api/schedules/{schedule_id}",),
        "delete": ("DELETE /api/schedules/{schedule_id}",),
        "enable": ("POST /api/schedules/{schedule_id}/enable",),
        "disable": ("POST /api/schedules/{schedule_id}/disable",),
        "run": ("POST /api/schedules/{schedule_id}/run",),
        "export": ("GET /api/schedules/export",),
        "import": ("POST /api/schedules/import",),
    },
    "manage_automation": {
        "rules": ("GET /api/automation/rules",),
        "run": ("POST /api/automation/run",),
        "acts": ("GET /api/automation/acts",),
        "approve": ("POST /api/automation/acts/{act_id}/approve",),
        "dismiss": ("POST /api/automation/acts/{act_id}/dismiss",),
        "set": ("PATCH /api/automation/rules/{rule}",),
    },
}


@pytest.mark.parametrize("command", ENTRY_POINTS)
def test_every_word_of_a_command_has_its_endpoints(command: str) -> None:
    paths = api.get_openapi_schema()["paths"]
    there = {
        f"{method.upper()} {path}" for path, endpoints in paths.items() for method in endpoints
    }
    assert set(ENTRY_POINTS[command]) == set(subcommands(command))
    assert {
        endpoint for endpoints in ENTRY_POINTS[command].values() for endpoint in endpoints
    } <= there


def test_tasks_are_found_by_all_that_the_command_line_asks(pool: WorkerPoolService) -> None:
    ids = [pool.submit_task("hubspot", "deals", requested_by=name) for name in ("ann", "bob")]
    client = program("read")

    def found(query: str) -> list[str]:
        return [task["id"] for task in client.get(f"/api/tasks?{query}").json()["items"]]

    assert found("requested_by=bob") == ids[1:]
    assert found("older_than_seconds=0") == ids
    assert found("older_than_seconds=3600") == []
    assert client.get("/api/tasks?older_than_seconds=-1").status_code == 422


def test_the_status_is_for_programs_too(pool: WorkerPoolService) -> None:
    shown = program("read").get("/api/status").json()
    assert shown.keys() == pool.snapshot().to_dict().keys()


class TestMovingSchedules:
    FIELDS: dict[str, Any] = {
        "name": "contacts", "crm_source": "hubspot", "model_name": "contacts",
        "every": 10, "period": "minutes",
    }  # fmt: skip

    def send(self, client: Client, body: Any) -> Any:
        return client.post("/api/schedules/import", body, content_type="application/json")

    def test_what_was_exported_can_be_imported(self, pool: WorkerPoolService) -> None:
        schedules.create(self.FIELDS, change=ChangeRequest(by="ann"))
        exported = program("read", "reader").get("/api/schedules/export").json()
        SyncSchedule.objects.all().delete()

        boss = program("admin")
        tried = self.send(boss, {"schedules": exported["schedules"], "dry_run": True}).json()
        assert tried == {"created": 1, "changed": 0, "unchanged": 0}
        assert not SyncSchedule.objects.exists()
        self.send(boss, {"schedules": exported["schedules"]})
        assert boss.get("/api/schedules/export").json() == exported

    def test_all_or_none_are_stored(self, pool: WorkerPoolService) -> None:
        wrong = {**self.FIELDS, "name": "second", "every": 0}
        answer = self.send(program("admin"), {"schedules": [self.FIELDS, wrong]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "INVALID_SCHEDULE")
        assert "second" in answer.json()["error"]["message"]
        assert not SyncSchedule.objects.exists()

    def test_a_viewer_may_not(self, pool: WorkerPoolService) -> None:
        assert self.send(program("read"), {"schedules": []}).status_code == 403


def test_the_rules_judge_when_they_are_asked(
    pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = RuleAct.objects.create(
        rule="handle_zero_records", subject="hubspot.deals", sentence="x", outcome="proposed"
    )
    monkeypatch.setattr(engine, "run_rules", answers([act]))
    answer = program("admin").post("/api/automation/run", {}, content_type="application/json")
    assert [one["id"] for one in answer.json()["acts"]] == [act.pk]
