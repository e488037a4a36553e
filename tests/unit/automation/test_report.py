"""A report's figures, each counted again by hand."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apprise
import pytest
from django.core.management import CommandError, call_command
from pytest_httpserver import HTTPServer

from ingestion.celery import beat_schedule
from ingestion.management.commands.manage_automation import Command
from ingestion.models import AuditRecord, AutomationReport, RuleAct, SyncHistory
from ingestion.services.automation import html, notices, report, reporting
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.tasks_enhanced import generate_automation_reports, run_automation_rules
from tests.unit.pool_shell import Ran, pool_in_memory

pytestmark = pytest.mark.django_db
END = datetime(2026, 3, 2, 16, tzinfo=UTC)


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def ran(route: str, minutes_before: float, *, seconds: float = 60, **fields: Any) -> None:
    """A run that ended so long before the end of the period."""
    crm_source, sync_type = route.split(".")
    end = END - timedelta(minutes=minutes_before)
    usual = {
        "status": "success",
        "records_processed": 5,
        "performance_metrics": told(seconds, sync_type),
    }
    SyncHistory.objects.create(
        crm_source=crm_source,
        sync_type=sync_type,
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        **{**usual, **fields},
    )


def told(seconds: float, *names: str) -> dict[str, Any]:
    """What a run keeps of its models, each of which took so long, in two steps."""
    steps = {"extract": seconds / 2, "load": seconds / 2}
    return {
        "models": [
            {"model": name, "seconds": steps, "requests": 3, "throttled": 1} for name in names
        ]
    }


@pytest.fixture
def content(db: None) -> dict[str, Any]:
    ran("hubspot.contacts", 30)
    ran("hubspot.contacts", 29.5)  # began while the one before still ran
    ran("hubspot.deals", 90, status="failed", error_message="HubSpot answered 502")
    models = ("contacts", "owners", "products")
    ran("hubspot.all", 100, seconds=600, performance_metrics=told(200, *models))
    ran("callrail.all", 50, performance_metrics=told(60, "users"))  # nothing of its own runs
    ran("genius.leads", 200, records_processed=0, seconds=30)
    ran("genius.jobs", 210, status="cancelled")
    ran("callrail.calls", 12 * 60 + 1)  # before the period
    ran("callrail.calls", 0)  # after it
    SyncHistory.objects.create(crm_source="five9", sync_type="contacts")  # runs
    at = END - timedelta(minutes=5)
    RuleAct.objects.create(
        at=at,
        rule="restart_failed_sync",
        subject="hubspot.deals",
        sentence="Run it.",
        outcome="done",
    )
    return report.make(now=END, hours=12).content


def test_the_totals(content: dict[str, Any]) -> None:
    assert content["totals"] == {
        "runs": 7,
        "success": 5,
        "partial": 0,
        "failed": 1,
        "cancelled": 1,
        "success_rate": round(5 / 6, 4),
        "records": 30,
        "seconds": 60 + 60 + 60 + 600 + 60 + 30 + 60,
        "requests": 27,
        "throttled": 9,
    }


def test_the_routes_and_the_worst_of_them(content: dict[str, Any]) -> None:
    routes = {route["route"]: route for route in content["routes"]}
    assert routes["hubspot.contacts"]["runs"] == 2
    assert routes["hubspot.deals"]["last_error"] == "HubSpot answered 502"
    assert content["slowest"][0] == {"route": "hubspot.all", "mean_seconds": 600}
    assert content["most_failing"] == [{"route": "hubspot.deals", "failed": 1}]


@pytest.mark.django_db
def test_to_wait_is_no_work() -> None:
    ran("hubspot.deals", 90, seconds=10)
    ran("hubspot.deals", 80, seconds=300, status="cancelled", worker_pool_task_id="t-1", attempt=0)
    ran("genius.jobs", 70, seconds=900, status="cancelled", worker_pool_task_id="t-2", attempt=0)
    found = report.make(now=END, hours=12).content
    assert found["totals"]["seconds"] == 10
    assert found["slowest"] == [{"route": "hubspot.deals", "mean_seconds": 10}]
    routes = {route["route"]: route for route in found["routes"]}
    assert routes["hubspot.deals"]["longest_seconds"] == 10
    assert (routes["genius.jobs"]["runs"], routes["genius.jobs"]["mean_seconds"]) == (1, 0)
    assert found["wasted"]["seconds"] == 0


def test_the_hours_add_up(content: dict[str, Any]) -> None:
    assert len(content["hours"]) == 12
    kinds = ("complete", "failed", "cancelled")
    assert [sum(hour[kind] for hour in content["hours"]) for kind in kinds] == [5, 1, 1]


def test_how_old_every_dataset_is(content: dict[str, Any]) -> None:
    ages = {route["route"]: route["age_seconds"] for route in content["freshness"]}
    assert ages["callrail.calls"] == (12 * 60 + 1) * 60
    assert ages["hubspot.contacts"] == 29.5 * 60
    assert ages["hubspot.owners"] == 100 * 60  # loaded by a run of all
    assert ages["callrail.users"] == 50 * 60
    assert [route for route, age in ages.items() if age is None] == ["genius.jobs", "hubspot.deals"]
    assert not any(route.endswith(".all") for route in ages)
    loaded = [one["route"] for one in content["freshness"] if one["loaded_at"]]
    assert loaded[0] == "callrail.calls"


def test_what_was_wasted(content: dict[str, Any]) -> None:
    wasted = content["wasted"]
    assert (wasted["empty_runs"], wasted["overlaps"], wasted["redundant_all"]) == (1, 1, 1)
    # Of the run of all only the contacts, which had runs of their own.
    assert wasted["seconds"] == 30 + 60 + 200
    assert wasted["by_route"] == {"hubspot.contacts": 1, "hubspot.all": 1, "genius.leads": 1}


def test_what_the_rules_did(content: dict[str, Any]) -> None:
    did = {rule["rule"]: rule["outcomes"] for rule in content["rules"]}
    assert len(did) == 9
    assert did["restart_failed_sync"] == {"done": 1}
    assert [act["sentence"] for act in content["recommendations"]] == ["Run it."]


def test_every_part_says_where_it_comes_from(content: dict[str, Any]) -> None:
    named = {source.partition(".")[0] for source in content["sources"]}
    counted = content.keys() - {"schema", "period", "sources", "queries"}
    assert named == counted - {"slowest", "most_failing"}  # the first of the routes


def test_a_dry_run_loads_nothing(db: None) -> None:
    ran("hubspot.deals", 30)
    ran("hubspot.deals", 10, configuration={"dry_run": True})
    ran("hubspot.deals", 5, configuration={"parameters": {"dry_run": True}})
    (deals,) = report.make(now=END).content["freshness"]
    assert deals["age_seconds"] == 30 * 60


def test_an_empty_period_has_no_rate(db: None) -> None:
    made = report.make(now=END, hours=1)
    assert made.content["totals"]["success_rate"] is None
    assert "no run ended" in report.headline(made)


def test_the_page_holds_the_figures_and_escapes_what_crms_say(db: None) -> None:
    ran("hubspot.deals", 5, status="failed", error_message="<script>alert(1)</script>")
    page = html.page(report.make(now=END))
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "hubspot.deals" in page
    assert "<meter" in page


# People are told


def test_people_are_told_once(monkeypatch: pytest.MonkeyPatch, settings: Any, db: None) -> None:
    told: list[str] = []
    settings.INGESTION_AUTOMATION_NOTICE_URLS = ["json://example.invalid/hook"]
    monkeypatch.setattr(
        apprise.Apprise, "notify", lambda self, title, body: told.append(body) or True
    )
    made, is_told = reporting.generate()
    assert is_told
    (body,) = told
    assert report.headline(made) in body
    assert AuditRecord.objects.get(action="report").target == f"report {made.pk}"


def test_nobody_is_told_without_an_address(db: None) -> None:
    assert notices.send("t", "b") is None


def test_a_notice_that_fails_hides_its_address(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.INGESTION_AUTOMATION_NOTICE_URLS = ["nonsense-secret"]
    monkeypatch.setattr(apprise.Apprise, "notify", lambda self, title, body: False)
    assert notices.send("t", "b") is False
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("ingestion")]
    assert ours
    assert not any("nonsense-secret" in line for line in ours)


def test_a_notice_arrives_at_a_receiver(
    httpserver: HTTPServer, settings: Any, content: dict[str, Any]
) -> None:
    """Over HTTP, by apprise itself."""
    httpserver.expect_request("/hook", method="POST").respond_with_data("thanks")
    settings.INGESTION_AUTOMATION_NOTICE_URLS = [f"json://{httpserver.host}:{httpserver.port}/hook"]
    made, is_told = reporting.generate()
    assert is_told is True
    ((request, _),) = httpserver.log
    told = request.get_json()
    assert told["title"] == "Syncs of the data warehouse"
    assert told["message"].startswith(report.headline(made))
    assert AuditRecord.objects.get(action="report").after == {"hours": 12, "told": True}


def test_a_receiver_that_refuses_is_no_secret_and_no_failure(
    httpserver: HTTPServer, settings: Any, caplog: pytest.LogCaptureFixture, db: None
) -> None:
    httpserver.expect_request("/hook").respond_with_data("no", status=500)
    place = f"{httpserver.host}:{httpserver.port}/hook"
    settings.INGESTION_AUTOMATION_NOTICE_URLS = [f"json://ann:secret-word@{place}"]
    made, is_told = reporting.generate()
    assert is_told is False
    assert AutomationReport.objects.get() == made
    assert AuditRecord.objects.get(action="report").after["told"] is False
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("ingestion")]
    assert ours == ["a notice could not be sent to everybody"]
    assert "secret-word" not in caplog.text


# Doors


def test_the_command_prints_json_and_writes_a_page(tmp_path: Path, db: None) -> None:
    out, page = io.StringIO(), tmp_path / "report.html"
    call_command("generate_automation_reports", "--json", "--html", str(page), stdout=out)
    assert json.loads(out.getvalue())["schema"] == 1
    assert "Automation report" in page.read_text()
    with pytest.raises(CommandError, match="more than 0"):
        call_command("generate_automation_reports", "--hours=0")


def test_beats_tasks_do_it(pool: WorkerPoolService) -> None:
    assert AutomationReport.objects.get(pk=generate_automation_reports()).made_by.startswith("beat")
    assert run_automation_rules() == {}


def test_beat_reports_twice_a_day() -> None:
    entry = beat_schedule(monitor_seconds=120, queue="q")["automation-reports-0400-1600utc"]
    assert entry["schedule"].hour == {4, 16}
    assert entry["options"] == {"queue": "q", "routing_key": "q"}


def manage(*words: str) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(Command(stdout=out, stderr=err), *words)
    except CommandError as problem:
        return Ran(out.getvalue(), err.getvalue(), problem.returncode, str(problem))
    return Ran(out.getvalue(), err.getvalue(), 0)


def test_rules_are_set_on_the_command_line(pool: WorkerPoolService) -> None:
    assert manage("set", "restart_failed_sync", "--off", "--crm", "hubspot").code == 0
    shown = {rule["rule"]: rule for rule in manage("rules", "--json").shape["rules"]}
    assert shown["restart_failed_sync"]["enabled"] is True
    assert shown["restart_failed_sync"]["crms"]["hubspot"]["enabled"] is False
    assert "hubspot: off" in manage("rules").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "reboot", "--on"), 3),
        (("set", "restart_failed_sync"), 2),
        (("approve", "77"), 3),
        (("run",), 0),
        (("acts", "--open"), 0),
    ],
)
def test_the_command_line_has_clear_exit_codes(
    pool: WorkerPoolService, words: tuple[str, ...], code: int
) -> None:
    assert manage(*words).code == code


def test_a_proposal_is_decided_on_once(pool: WorkerPoolService) -> None:
    act = RuleAct.objects.create(
        rule="handle_zero_records",
        crm_source="hubspot",
        subject="hubspot.deals",
        sentence="Read 7 days.",
        outcome="proposed",
    )
    (shown,) = manage("acts", "--open", "--json").shape["acts"]
    assert shown["id"] == act.pk
    assert "(done)" in manage("approve", str(act.pk)).out
    assert manage("dismiss", str(act.pk)).code == 4
    assert len(pool.get_active_tasks()) == 1
