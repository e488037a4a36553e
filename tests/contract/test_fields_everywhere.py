"""A field of a task, or of its submission, that was forgotten somewhere: each test names the field."""

from __future__ import annotations

import inspect
import json
import re
from argparse import Action
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from ingestion.api.pool.tasks import NewTask
from ingestion.api.reporting.history import RunDetails
from ingestion.api.reporting.summaries import RunningSummary, WaitingSummary
from ingestion.api.schemas.tasks import Task
from ingestion.management.cli import lines
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import InvalidSubmission
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.fields import from_fields, to_fields
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger.state import new_row, record_of
from ingestion.services.reporting import reruns, task_summary
from ingestion.services.requests.submission import ROUTED, TAKEN_OVER, Submission, prepare
from ingestion.services.worker_pool import WorkerPoolService
from tests.contract.stores import AGAIN, Pool
from tests.unit.pool_shell import options_of, own_options, pool_in_memory, shell

ROOT = Path(__file__).parents[2]
PAGE = [
    *(ROOT / "templates/ingestion/dashboard").glob("*.html"),
    *(ROOT / "static/ingestion/js/dashboard").glob("*.js"),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHANGE = ChangeRequest(by="ann", reason="the CRM is back")
# One value of each type that a field may have.
VALUES: dict[Any, Any] = {
    str: "a text",
    int: 7,
    datetime: NOON,
    dict[str, Any]: {"full": True},
    dict[str, str]: {"4f6f": "hubspot.deals"},
    TaskStatus: TaskStatus.RUNNING,
}


def agree(is_there: bool, is_expected: bool, name: str, *, place: str, exceptions: str) -> None:
    """A field is in a place, unless this file lists it among the exceptions."""
    assert is_there or not is_expected, (
        f"{name!r} was forgotten in {place}; if it does not belong there, add it to {exceptions}."
    )
    assert is_expected or not is_there, f"{name!r} is in {place}: take it out of {exceptions}."


def _value(kind: Any) -> Any:
    return next(VALUES[known] for known in VALUES if kind in (known, known | None))


TYPES = get_type_hints(WorkerTask)
FULL = WorkerTask(**{field.name: _value(TYPES[field.name]) for field in fields(WorkerTask)})
EVERY_FIELD = pytest.mark.parametrize("name", [field.name for field in fields(WorkerTask)])
EVERY_ASKED = pytest.mark.parametrize("name", [field.name for field in fields(Submission)])
EVERY_FREE_TEXT = pytest.mark.parametrize(
    "name",
    [
        name
        for name, kind in get_type_hints(Submission).items()
        if kind is str and name not in ROUTED
    ],
)
EVERY_TAKEN_OVER = pytest.mark.parametrize("name", TAKEN_OVER)
SUBMIT = [option for option in own_options("submit") if option.dest != "file"]
# What ``submit`` takes together with --file, as it counts for all lines.
WITH_A_FILE = {"as_json", "no_color", "reason", "strict"}

# What no submission says.
WRITTEN_BY_THE_POOL = {
    "id", "task_name", "status", "queued_at", "started_at", "completed_at", "celery_task_id",
    "error_message", "last_heartbeat", "attempt", "worker", "confirmed_at", "lease_expires_at",
    "cancel_requested_at", "progress", "result", "sync_history_id", "revision",
    "held_at", "held_by", "held_reason", "front_score", "followers",
}  # fmt: skip
SHOWN_ON_THE_DASHBOARD = {*task_summary.SHOWN, *task_summary.OF_RUNNING, *task_summary.OF_HELD}
# What nobody decides by on the dashboard: the page of the run has it, the reason for which a task waits
# says it, or nobody reads it.
NOT_ON_THE_DASHBOARD = {
    "task_name",
    "completed_at",
    "celery_task_id",
    "error_message",
    "lease_expires_at",
    "result",
    "front_score",
    "after",
    "followers",
}
# What the dashboard gets for the programs that read it, and its page does not show.
NOT_ON_ITS_PAGE = {"last_heartbeat", "held_by", "held_reason", "not_before"}
# What the page of a run leaves out: how often it may be tried, and when it was to begin.
NOT_ON_THE_RUN = {"max_attempts", "not_before", "after"}
# What a run that is submitted once more does not repeat: another one asks, and asks for now.
NOT_REPEATED = {"requested_by", "not_before", "after"}
# What the command line does not ask for.
NOT_TYPED = {"max_attempts", "not_before"}
# What the dashboard's dialog does not ask for; ``parameters`` have inputs of their own.
NOT_IN_THE_DIALOG = {"max_attempts", "parameters", "requested_by"}
TYPED_AS = {
    "crm_source": "crm",
    "parameters": "params",
    "requested_by": None,  # whoever types
}


@EVERY_FIELD
def test_it_is_asked_for_or_the_pools_own(name: str) -> None:
    is_asked = name in {field.name for field in fields(Submission)}
    place, exceptions = "Submission (requests/submission.py)", "WRITTEN_BY_THE_POOL"
    is_expected = name not in WRITTEN_BY_THE_POOL
    agree(is_asked, is_expected, name, place=place, exceptions=exceptions)


class TestStoredForms:
    @EVERY_FIELD
    def test_json(self, name: str) -> None:
        stored = json.loads(json.dumps(FULL.to_dict()))
        kept = getattr(WorkerTask.from_dict(stored), name)
        assert kept == getattr(FULL, name), f"{name!r}: to_dict and from_dict of pool/task.py"

    @EVERY_FIELD
    def test_the_hash_in_redis(self, name: str) -> None:
        kept = getattr(from_fields(to_fields(FULL)), name)
        assert kept == getattr(FULL, name), f"{name!r}: to_fields, from_fields of redis/fields.py"

    @EVERY_FIELD
    @pytest.mark.django_db
    def test_the_row_of_the_ledger(self, name: str) -> None:
        row = new_row(TaskRecord(FULL, confirm_token="t"))
        row.save()
        kept = record_of(SyncHistory.objects.get(pk=row.pk))
        is_kept = getattr(kept.task, name) == getattr(FULL, name)
        assert is_kept, f"{name!r}: new_row and record_of of services/ledger/state.py"


class TestSubmission:
    @EVERY_ASKED
    def test_submit_task_takes_it(self, name: str) -> None:
        is_taken = name in inspect.signature(WorkerPoolService.submit_task).parameters
        assert is_taken, f"{name!r} was forgotten in WorkerPoolService.submit_task"

    @EVERY_ASKED
    def test_the_api_takes_it(self, name: str) -> None:
        is_taken = name in NewTask.model_fields or name == "requested_by"  # whoever calls
        assert is_taken, f"{name!r} was forgotten in NewTask of ingestion/api/pool/tasks.py"

    @EVERY_ASKED
    def test_the_command_line_takes_it(self, name: str) -> None:
        typed = TYPED_AS.get(name, name)
        is_typed = typed is None or typed in options_of("submit")
        place, is_expected = "the options of `manage_worker_pool submit`", name not in NOT_TYPED
        agree(is_typed, is_expected, name, place=place, exceptions="NOT_TYPED")

    @pytest.mark.parametrize("option", SUBMIT, ids=lambda action: action.dest)
    @pytest.mark.django_db
    def test_an_option_of_one_submission_is_refused_beside_a_file(
        self, option: Action, tmp_path: Path
    ) -> None:
        lines = tmp_path / "tasks.jsonl"
        lines.write_text('{"crm_source": "hubspot", "sync_type": "deals"}\n')
        with pool_in_memory():
            done = shell("submit", "--file", str(lines), *_typed(option))
        is_refused = done.code == 2 and "belongs into the lines" in done.err
        place, is_expected = (
            "_submit_file of pool_cli/tasks/submit.py",
            option.dest not in WITH_A_FILE,
        )
        agree(is_refused, is_expected, option.dest, place=place, exceptions="WITH_A_FILE")

    @EVERY_ASKED
    def test_the_dialog_asks_for_it(self, name: str) -> None:
        dialog = (ROOT / "templates/ingestion/dashboard/submit.html").read_text()
        is_asked, is_expected = f'"wish.{name}"' in dialog, name not in NOT_IN_THE_DIALOG
        agree(is_asked, is_expected, name, place="submit.html", exceptions="NOT_IN_THE_DIALOG")

    @EVERY_FREE_TEXT
    def test_no_secret_in_a_text_is_stored(self, name: str) -> None:
        asked = replace(Submission("five9", "contacts"), **{name: "password=hunter22"})
        good = prepare(asked, usual_attempts=1)
        assert "hunter22" not in str(good), f"{name!r} is not masked in _checked of submission.py"

    @EVERY_FREE_TEXT
    @pytest.mark.parametrize("text", ["a\x00b", "\ud83d", "x" * 1_000_000, 7])
    def test_a_text_that_no_store_takes_is_refused(self, name: str, text: Any) -> None:
        asked = replace(Submission("five9", "contacts"), **{name: text})
        try:
            prepare(asked, usual_attempts=1)
        except InvalidSubmission:
            return
        pytest.fail(f"{name!r} is not looked at with checked_text in _checked of submission.py")

    @EVERY_TAKEN_OVER
    def test_it_stays_through_every_attempt(self, pool: Pool, name: str) -> None:
        # Who waits for others starts when there are none left.
        usual = {"max_attempts": 2, "not_before": None, "after": {}}
        value = usual.get(name, getattr(FULL, name))
        task_id = pool.held(**{"max_attempts": 2, name: value})
        pool.finish(task_id, AGAIN)
        assert pool.status(task_id) == TaskStatus.QUEUED
        stays = getattr(pool.task(task_id), name) == value or name == "not_before"
        assert stays, f"{name!r} was lost with the first attempt"

    @EVERY_TAKEN_OVER
    @pytest.mark.django_db
    def test_a_rerun_repeats_it(self, name: str) -> None:
        value = getattr(FULL, name)
        given = {name: list(value) if name == "after" else value}
        good = prepare(Submission("hubspot", "deals", **given), usual_attempts=1)
        row = new_row(TaskRecord(good.task, confirm_token=""))
        row.configuration, row.end_time = good.configuration(good.taken_over), NOON
        row.status = SyncHistory.Status.FAILED
        row.save()
        with pool_in_memory() as pool:
            again = pool.get_task_status(reruns.of_run(pool, row.pk, change=CHANGE))
        assert again is not None
        is_repeated = getattr(again, name) == getattr(good.task, name)
        place, is_expected = "_submitted of reporting/reruns.py", name not in NOT_REPEATED
        agree(is_repeated, is_expected, name, place=place, exceptions="NOT_REPEATED")


def _typed(option: Action) -> list[str]:
    """The option with a value that it takes, and that is not its default."""
    if option.nargs == 0:
        return [option.option_strings[0]]
    if option.choices:
        return [option.option_strings[0], list(option.choices)[-1]]
    wants = {"params": '{"full": true}', "param": "full=true"}
    return [option.option_strings[0], wants.get(option.dest, "3")]


class TestShown:
    @EVERY_FIELD
    def test_the_api_describes_it(self, name: str) -> None:
        assert name in Task.model_fields, f"{name!r} was forgotten in Task of api/schemas/tasks.py"

    @pytest.mark.parametrize("name", sorted(SHOWN_ON_THE_DASHBOARD))
    def test_the_api_describes_it_to_the_dashboard(self, name: str) -> None:
        described = {**RunningSummary.model_fields, **WaitingSummary.model_fields}
        assert name in described, f"{name!r} was forgotten in api/reporting/summaries.py"

    @EVERY_FIELD
    def test_the_dashboard_gets_it(self, name: str) -> None:
        held = task_summary.waiting(FULL, None)
        running = task_summary.running(FULL, None)
        shown = {*held, *running, *(["parameters"] if "parameters_text" in held else [])}
        place, is_expected = "reporting/task_summary.py", name not in NOT_ON_THE_DASHBOARD
        agree(name in shown, is_expected, name, place=place, exceptions="NOT_ON_THE_DASHBOARD")

    @pytest.mark.parametrize(
        "name", sorted(SHOWN_ON_THE_DASHBOARD - {"sync_type"})
    )  # it is in the route
    def test_its_page_shows_it(self, name: str) -> None:
        is_shown = any(
            re.search(rf"\b(task|t|target)\.{name}\b", path.read_text()) for path in PAGE
        )
        place, is_expected = "the page of the dashboard", name not in NOT_ON_ITS_PAGE
        agree(is_shown, is_expected, name, place=place, exceptions="NOT_ON_ITS_PAGE")

    @pytest.mark.parametrize("table", ["queue", "held"])
    def test_each_table_of_what_waits_shows_a_sync_in_the_same_way(self, table: str) -> None:
        queue = (ROOT / "templates/ingestion/dashboard/queue.html").read_text()
        rows = queue.split(f'id="{table}"')[1].split("</table>")[0]
        for part in ("sync.html", "why.html", "row_tools.html"):
            assert part in rows, f"the table {table!r} of queue.html does without {part}"

    @pytest.mark.parametrize("name", [*TAKEN_OVER, "reason"])
    def test_the_page_of_the_run_shows_it(self, name: str) -> None:
        page = (ROOT / "templates/ingestion/run.html").read_text()
        is_shown, is_expected = f"run.{name}" in page, name not in NOT_ON_THE_RUN
        agree(is_shown, is_expected, name, place="run.html", exceptions="NOT_ON_THE_RUN")

    @pytest.mark.parametrize("name", [*TAKEN_OVER, "reason"])
    def test_the_api_describes_it_of_a_run(self, name: str) -> None:
        is_there, is_expected = name in RunDetails.model_fields, name not in NOT_ON_THE_RUN
        place = "RunDetails of ingestion/api/reporting/history.py"
        agree(is_there, is_expected, name, place=place, exceptions="NOT_ON_THE_RUN")

    @EVERY_TAKEN_OVER
    def test_the_command_line_shows_it(self, name: str) -> None:
        bare = WorkerTask("1", "t", "five9", "contacts", queued_at=NOON)
        full = replace(bare, **{name: getattr(FULL, name)})

        def shown(task: WorkerTask) -> list[str]:
            return [lines.waiting_line(task), lines.active_details(task), *lines.facts(task)]

        assert shown(full) != shown(bare), f"{name!r} was forgotten in management/cli/lines.py"
