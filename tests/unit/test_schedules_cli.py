"""``manage_schedules`` and ``load_schedules`` on the command line."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from ingestion.management.commands import load_schedules, manage_schedules
from ingestion.models import AuditRecord, SyncSchedule
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import Ran, pool_in_memory

pytestmark = pytest.mark.django_db
LEADS = ("add", "leads", "genius", "leads", "--every", "15m")


@pytest.fixture(autouse=True)
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def shell(*words: str, command: Any = manage_schedules) -> Ran:
    """As from the shell."""
    out, err = io.StringIO(), io.StringIO()
    found = command.Command(stdout=out, stderr=err)
    found._called_from_command_line = True
    try:
        call_command(found, *words)
    except SystemExit as left:
        return Ran(out.getvalue(), err.getvalue(), int(left.code or 0))
    return Ran(out.getvalue(), err.getvalue(), 0)


def the_one() -> SyncSchedule:
    return SyncSchedule.objects.get()


def test_adds_with_an_interval() -> None:
    assert shell(*LEADS, "--priority", "5", "--param", "max_records=9").code == 0
    assert (the_one().every, the_one().period, the_one().priority) == (15, "minutes", 5)
    assert the_one().options == {"max_records": 9}


def test_adds_with_a_crontab() -> None:
    words = ("--cron", "5 4 * * 1-5", "--timezone", "Europe/Berlin", "--disabled")
    assert shell(*LEADS[:4], *words, "--execution", "direct", "--mode", "full").code == 0
    found = the_one()
    assert (found.minute, found.hour, found.day_of_week, found.enabled) == ("5", "4", "1-5", False)
    assert (found.execution, found.mode) == ("direct", "full")


def test_a_dry_run_only_shows_its_times() -> None:
    ran = shell(*LEADS, "--dry-run", "--json")
    assert (ran.shape["words"], len(ran.shape["next_runs"])) == ("every 15 minutes", 5)
    assert not SyncSchedule.objects.exists()


def test_the_json_of_a_schedule() -> None:
    shape = shell(*LEADS, "--json").shape["schedule"]
    assert shape["words"] == "every 15 minutes"
    assert shape["last_run"] is None
    assert len(shape["next_runs"]) == 5


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "x", "genius", "lead", "--every", "1h"), 2, "genius has prospect"),
        (("add", "x", "genius", "leads", "--every", "soon"), 2, "15m"),
        (("add", "x", "genius", "leads", "--every", "1h", "--cron", "* * * * *"), 2, "not both"),
        (("add", "x", "genius", "leads", "--cron", "* *"), 2, "five words"),
        (("edit", "leads"), 2, "Say what to change"),
        (("delete", "leads"), 2, "--yes"),
        (("show", "77"), 3, "no schedule 77"),
        (LEADS, 4, "another schedule named 'leads'"),
        (("import", "/nowhere"), 2, "no exported schedules"),
    ],
)
def test_refuses_with_its_exit_code(
    words: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(*LEADS)
    ran = shell(*words)
    said = ran.err + capsys.readouterr().err
    assert (ran.code, says in said) == (code, True), said


def test_edits_by_name_or_id() -> None:
    shell(*LEADS)
    assert shell("edit", "leads", "--every", "1h").code == 0
    assert shell("edit", str(the_one().pk), "--name", "new").code == 0
    assert (the_one().name, the_one().every, the_one().period) == ("new", 1, "hours")


def test_switches_off_and_on(pool: WorkerPoolService) -> None:
    shell(*LEADS)
    shell("disable", "leads")
    assert not the_one().enabled
    shell("enable", "leads")
    assert the_one().enabled
    assert not pool.get_active_tasks()
    shell("enable", "leads", "--run-now")
    assert len(pool.get_active_tasks()) == 1


def test_runs_now_and_shows_its_runs(pool: WorkerPoolService) -> None:
    shell(*LEADS)
    task_id = shell("run", "leads").out.strip()
    assert pool.get_task_status(task_id) is not None
    (run,) = shell("runs", "leads", "--json").shape["runs"]
    assert (run["task_id"], run["status"]) == (task_id, "running")


def test_deletes_and_says_so() -> None:
    shell(*LEADS)
    assert shell("delete", "leads", "--yes", "--reason", "over").code == 0
    assert not SyncSchedule.objects.exists()
    assert AuditRecord.objects.get(action="schedule_delete").reason == "leads: over"


def test_an_export_is_imported_elsewhere(tmp_path: Path) -> None:
    shell(*LEADS)
    kept = tmp_path / "schedules.json"
    kept.write_text(shell("export").out)
    SyncSchedule.objects.all().delete()
    assert shell("import", str(kept), "--dry-run", "--json").shape["created"] == 1
    assert not SyncSchedule.objects.exists()
    assert shell("import", str(kept)).code == 0
    assert the_one().name == "leads"


def test_check_finds_and_warns_and_exits_1() -> None:
    assert shell("check").code == 0
    shell(*LEADS)
    warned = shell("add", "everything", "genius", "all", "--every", "1d")
    assert "genius.all is scheduled beside 1 of its models" in warned.err
    ran = shell("check", "--json")
    assert ran.code == 1
    assert {one["code"] for one in ran.shape["findings"]} == {"OVERLAP", "NOT_CONFIGURED"}
    assert json.loads(ran.err.splitlines()[-1])["error"]["code"] == "FINDINGS"


def test_lists_a_line_each() -> None:
    shell(*LEADS)
    assert "genius.leads (delta)\tevery 15 minutes\tpool" in shell("list").out
    assert shell("list", "--crm", "hubspot").out == ""


def test_loads_the_standard_set() -> None:
    dry = shell("--dry-run", "--json", command=load_schedules).shape
    assert (dry["created"], len(dry["load"])) == (38, 10)
    assert not SyncSchedule.objects.exists()
    ran = shell("--execution", "direct", "--every", "2", command=load_schedules)
    assert "38 created" in ran.out
    assert set(SyncSchedule.objects.values_list("execution", "every")) == {("direct", 2)}


def test_a_list_of_one_crm_knows_which_there_are() -> None:
    shell(*LEADS)
    assert "leads" in shell("list", "--crm", "genius").out
    assert "no schedule of hubspot" in shell("list", "--crm", "hubspot").err
    refused = shell("list", "--crm", "bogus")
    assert (refused.code, "hubspot" in refused.err) == (2, True)
