"""Schedules, rules and reports through the API and on their pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from ingestion.models import AuditRecord, AutomationReport, RuleAct, SyncSchedule
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation import report
from ingestion.services.scheduling import schedules
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, member, program

FIELDS = {
    "name": "contacts", "crm_source": "hubspot", "model_name": "contacts",
    "every": 10, "period": "minutes",
}  # fmt: skip


@pytest.fixture
def boss(pool: WorkerPoolService) -> Client:
    return program("admin")


@pytest.fixture
def admin(pool: WorkerPoolService) -> Client:
    return browser(member("Administrators"))


@pytest.fixture
def viewer(pool: WorkerPoolService) -> Client:
    return browser(member("Viewers", "vera"))


def made(**fields: Any) -> SyncSchedule:
    return schedules.create({**FIELDS, **fields}, change=ChangeRequest(by="ann"))


def proposal(**fields: Any) -> RuleAct:
    usual = {
        "rule": "handle_zero_records", "crm_source": "hubspot", "subject": "hubspot.contacts",
        "sentence": "Read the last seven days again.", "outcome": "proposed",
    }  # fmt: skip
    return RuleAct.objects.create(**{**usual, **fields})


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, path, json.dumps(body or {}), content_type="application/json")


def text(answer: Any) -> str:
    return str(answer.content.decode())


class TestSchedulesInTheApi:
    def test_one_is_made_changed_and_deleted_with_reasons_on_record(self, boss: Client) -> None:
        created = send(boss, "POST", "/api/schedules", {**FIELDS, "reason": "month end"})
        assert created.status_code == 201
        path = f"/api/schedules/{created.json()['schedule']['id']}"

        edited = send(boss, "PATCH", path, {"every": 20}).json()["schedule"]
        assert (edited["words"], edited["name"]) == ("every 20 minutes", "contacts")
        assert len(edited["next_runs"]) == 5
        assert boss.delete(f"{path}?reason=over").json() == {"deleted": edited["id"]}

        assert boss.get(path).json()["error"]["code"] == "SCHEDULE_NOT_FOUND"
        told = AuditRecord.objects.filter(action__startswith="schedule").order_by("pk")
        assert [(r.action, r.actor, r.reason) for r in told] == [
            ("schedule_create", "token ci", "contacts: month end"),
            ("schedule_edit", "token ci", "contacts"),
            ("schedule_delete", "token ci", "contacts: over"),
        ]

    def test_a_refusal_names_each_wrong_field(self, boss: Client) -> None:
        wrong = {**FIELDS, "every": 5, "period": "seconds", "options": {"color": "red"}}
        answer = send(boss, "POST", "/api/schedules", wrong)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "INVALID_SCHEDULE")
        assert set(error["fields"]) == {"every", "options"}

    def test_a_second_one_of_the_name_is_a_conflict(self, boss: Client) -> None:
        made()
        answer = send(boss, "POST", "/api/schedules", FIELDS)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SCHEDULE_EXISTS")

    def test_no_interval_is_too_long_for_the_calendar(self, boss: Client) -> None:
        wrong = {**FIELDS, "every": 999_999, "period": "days"}
        answer = send(boss, "POST", "/api/schedules/preview", {"schedule": wrong})
        assert "a year" in answer.json()["error"]["fields"]["every"]

    def test_a_preview_stores_nothing(self, boss: Client) -> None:
        cron = {**FIELDS, "recurrence": "crontab", "minute": "0", "hour": "4"}
        answer = send(boss, "POST", "/api/schedules/preview", {"schedule": cron, "count": 3})
        assert answer.json()["words"] == "at 04:00, UTC time"
        assert len(answer.json()["next_runs"]) == 3
        assert not SyncSchedule.objects.exists()

    def test_switching_on_runs_at_once_only_when_asked(
        self, boss: Client, pool: WorkerPoolService
    ) -> None:
        path = f"/api/schedules/{made(enabled=False).pk}"
        assert send(boss, "POST", f"{path}/enable").json()["schedule"]["enabled"]
        assert pool.get_active_tasks() == []
        send(boss, "POST", f"{path}/disable", {"reason": "holidays"})
        assert not boss.get(path).json()["schedule"]["enabled"]
        send(boss, "POST", f"{path}/enable", {"run_now": True})
        assert [task.sync_type for task in pool.get_active_tasks()] == ["contacts"]

    def test_a_repeated_run_with_one_key_runs_once(
        self, boss: Client, pool: WorkerPoolService
    ) -> None:
        path = f"/api/schedules/{made().pk}"
        for _ in range(2):
            answer = boss.post(
                f"{path}/run", {}, content_type="application/json", headers={"Idempotency-Key": "k"}
            )
        task_ids = [run["task_id"] for run in boss.get(f"{path}/runs").json()["runs"]]
        assert task_ids == [answer.json()["task_id"]]

    def test_the_list_can_be_of_one_crm(self, boss: Client) -> None:
        made()
        made(name="leads", crm_source="genius", model_name="leads")
        shown = boss.get("/api/schedules?crm_source=genius").json()["schedules"]
        assert [one["name"] for one in shown] == ["leads"]

    def test_findings_tell_of_two_that_do_the_same(self, boss: Client) -> None:
        made()
        made(name="again")
        codes = {one["code"] for one in boss.get("/api/schedules/findings").json()["findings"]}
        assert "SAME_ROUTE" in codes


class TestAutomationInTheApi:
    def test_a_rule_is_set_for_one_crm(self, boss: Client) -> None:
        body = {"crm_source": "hubspot", "level": "act", "hourly_limit": 1}
        send(boss, "PATCH", "/api/automation/rules/handle_zero_records", body)
        rules = {rule["rule"]: rule for rule in boss.get("/api/automation/rules").json()["rules"]}
        assert len(rules) == 9
        found = rules["handle_zero_records"]
        assert (found["level"], found["crms"]["hubspot"]["level"]) == ("ask", "act")

    def test_an_unknown_rule_is_not_found(self, boss: Client) -> None:
        answer = send(boss, "PATCH", "/api/automation/rules/be_lucky", {"enabled": False})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "UNKNOWN_RULE")

    def test_what_waits_is_approved_once_and_done(
        self, boss: Client, pool: WorkerPoolService
    ) -> None:
        act = proposal()
        waiting = boss.get("/api/automation/acts?open=true").json()["items"]
        assert [one["id"] for one in waiting] == [act.pk]
        path = f"/api/automation/acts/{act.pk}"

        approved = send(boss, "POST", f"{path}/approve").json()["act"]

        assert (approved["outcome"], approved["actor"]) == ("done", "token ci")
        assert pool.get_active_tasks()[0].parameters == {"mode": "force7"}
        refused = send(boss, "POST", f"{path}/dismiss")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ALREADY_DECIDED")

    def test_a_dismissed_one_does_nothing(self, boss: Client, pool: WorkerPoolService) -> None:
        path = f"/api/automation/acts/{proposal().pk}/dismiss"
        assert send(boss, "POST", path).json()["act"]["outcome"] == "dismissed"
        assert pool.get_active_tasks() == []
        assert AuditRecord.objects.get(action="automation_dismiss").actor == "token ci"

    def test_acts_go_on_with_a_cursor(self, boss: Client) -> None:
        ids = [proposal().pk for _ in range(3)]
        first = boss.get("/api/automation/acts?limit=2").json()
        rest = boss.get(f"/api/automation/acts?limit=2&cursor={first['next_cursor']}").json()
        assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1]

    def test_a_report_is_made_listed_and_read(self, boss: Client) -> None:
        answer = send(boss, "POST", "/api/reports", {"hours": 24})
        assert answer.status_code == 201
        (listed,) = boss.get("/api/reports").json()["items"]
        assert listed == answer.json()["report"]
        whole = boss.get(f"/api/reports/{listed['id']}").json()["report"]
        assert whole["totals"]["runs"] == 0
        assert boss.get("/api/reports/999").json()["error"]["code"] == "REPORT_NOT_FOUND"


class TestPages:
    def test_the_list_tells_state_next_run_and_last_result(
        self, admin: Client, pool: WorkerPoolService
    ) -> None:
        made()
        made(name="nightly", enabled=False)
        schedules.run(SyncSchedule.objects.get(name="contacts").pk)
        page = text(admin.get("/schedules/"))
        for told in ("every 10 minutes", "Running", "Never ran", "Switch on: nightly", "data-then"):
            assert told in page

    def test_a_viewer_sees_no_deeds(self, viewer: Client) -> None:
        schedule, act = made(), proposal()
        for path in ("/schedules/", f"/schedules/{schedule.pk}/", "/automation/", "/reports/"):
            assert "data-method" not in text(viewer.get(path))
        assert act.sentence in text(viewer.get("/automation/"))
        assert viewer.get("/schedules/new/").status_code == 403

    def test_one_shows_its_times_and_runs(self, admin: Client) -> None:
        schedule = made(options={"max_records": 5})
        schedules.run(schedule.pk)
        page = text(admin.get(f"/schedules/{schedule.pk}/"))
        assert page.count("<li><time") == 5
        run = schedules.runs(schedule.pk)[0]
        assert f"/history/{run.pk}/" in page
        assert "max_records" in page
        assert admin.get("/schedules/999/").status_code == 404

    def test_the_form_begins_with_what_is_stored(self, admin: Client) -> None:
        schedule = made(mode="full", start_at="2030-01-01T00:00:00Z")
        page = text(admin.get(f"/schedules/{schedule.pk}/edit/"))
        assert '"mode": "full"' in page
        assert "2030-01-01T00:00:00+00:00" in page
        assert '"crm_source": "genius"' in text(admin.get("/schedules/new/?crm_source=genius"))

    def test_a_report_tells_every_part_and_is_a_file_too(self, viewer: Client) -> None:
        proposal()
        found = report.make(hours=6)
        page = text(viewer.get(f"/reports/{found.pk}/"))
        for told in ("report-plots", "Read the last seven days again.", "SyncHistory with"):
            assert told in page
        file = viewer.get(f"/reports/{found.pk}/file/")
        assert "attachment" in file["Content-Disposition"]
        assert "<h1>Automation report</h1>" in text(file)
        assert viewer.get(f"/reports/{found.pk + 1}/").status_code == 404

    @pytest.mark.parametrize("path", ["/reports/", "/automation/"])
    def test_a_made_up_cursor_shows_the_newest(self, viewer: Client, path: str) -> None:
        proposal()
        report.make()
        assert viewer.get(f"{path}?cursor=nonsense").status_code == 200
        assert AutomationReport.objects.count() == 1
