"""A sync by command: its flags, its output, its exit code, its history row."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.management.sync import SyncCommand
from ingestion.models import SyncHistory
from ingestion.services.runs import runner
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common import registry
from ingestion.sync.common.errors import (
    CredentialsError,
    NotOffered,
    PermanentError,
    SyncBusy,
    SyncCancelled,
    SyncError,
    TransientError,
)
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.source import SourceContext
from tests.fake_crm import FAKE, FakeSource, people

pytestmark = pytest.mark.django_db


class Leads(SyncCommand):
    crm_source, sync_type = "fake", "leads"


class Everything(SyncCommand):
    crm_source, sync_type = "fake", "all"


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> FakeSource:
    """The fake CRM stands where a real one would; the warehouse is a new file."""
    fake = FakeSource({model.name: people(3) for model in FAKE.models})
    fake.records["links"] = [{"from_id": "1", "to_id": "2"}]

    def opened(name: str, context: SourceContext) -> FakeSource:
        context.meter.requests += 1
        return fake

    monkeypatch.setattr(registry, "crms", lambda: {"fake": FAKE})
    monkeypatch.setattr(runner, "open_source", opened)
    settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
    settings.INGESTION_SYNC_LOCK_WAIT_SECONDS = 0
    return fake


def fails_with(error: BaseException, *models: str) -> Callable[[str, int], None]:
    def on_page(model: str, number: int) -> None:
        if model in models:
            raise error

    return on_page


def only_row() -> SyncHistory:
    return SyncHistory.objects.get()


def exit_code(command: SyncCommand, *words: str) -> int:
    """What the shell sees."""
    try:
        command.run_from_argv(["manage.py", "sync_fake", *words])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_a_run_makes_one_history_row(source: FakeSource) -> None:
    call_command(Leads(), "--quiet")
    row = only_row()
    assert (row.crm_source, row.sync_type, row.endpoint) == ("fake", "leads", "sync_fake_leads")
    assert (row.status, row.records_processed, row.records_created) == ("success", 3, 3)
    assert row.end_time is not None
    assert row.error_message is None
    assert row.performance_metrics["models"][0]["watermark"] == "2026-01-01T00:03:00+00:00"
    assert source.is_closed


def test_the_row_tells_what_was_asked_for(source: FakeSource) -> None:
    call_command(Leads(), "--start-date=2026-01-01", "--max-records=2", "--quiet")
    told = only_row().configuration
    assert told.pop("process")["pid"] == os.getpid()
    assert told == {
        "asked": "leads",
        "command": "sync_fake_leads",
        "mode": "delta",
        "start_date": "2026-01-01T00:00:00+00:00",
        "max_records": 2,
        "execution": "shell",
    }


def test_all_runs_every_model_in_the_order_of_the_table(source: FakeSource) -> None:
    call_command(Everything(), "--quiet")
    row = only_row()
    models = [model["model"] for model in row.performance_metrics["models"]]
    assert models == [model.name for model in FAKE.models]
    assert row.records_created == 4 * 3 + 1


def test_a_model_that_fails_does_not_stop_the_others(source: FakeSource) -> None:
    source.on_page = fails_with(PermanentError("the users are broken"), "users")
    with pytest.raises(CommandError, match=r"1 of 5 models failed \(users\).*users are broken"):
        call_command(Everything(), "--quiet")
    row = only_row()
    assert row.status == "failed"
    assert row.records_created == 3 * 3 + 1
    assert [m["error"] for m in row.performance_metrics["models"]][1] == "the users are broken"


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"users": TransientError("a"), "jobs": TransientError("b")}, TransientError),
        ({"users": TransientError("a"), "jobs": PermanentError("b")}, PermanentError),
    ],
)
def test_another_attempt_makes_sense_only_if_it_may_help_every_model(
    source: FakeSource, errors: dict[str, SyncError], expected: type[SyncError]
) -> None:
    def on_page(model: str, number: int) -> None:
        if model in errors:
            raise errors[model]

    source.on_page = on_page
    with pytest.raises(expected, match=r"2 of 5 models failed \(users, jobs\)"):
        call_command(Everything(), run=RunHandle(SilentReporter()))


def test_a_crm_that_is_away_ends_all_after_three_models(source: FakeSource) -> None:
    source.on_page = fails_with(TransientError("cut off"), *(model.name for model in FAKE.models))
    with pytest.raises(TransientError, match=r"3 of 5 models failed .*last 2 were not tried"):
        call_command(Everything(), run=RunHandle(SilentReporter()))


def test_models_that_others_load_do_not_end_all(source: FakeSource) -> None:
    source.on_page = fails_with(SyncBusy("locked"), *(model.name for model in FAKE.models))
    with pytest.raises(TransientError, match="5 of 5 models failed"):
        call_command(Everything(), run=RunHandle(SilentReporter()))


def test_refused_credentials_end_all_at_once(source: FakeSource) -> None:
    source.on_page = fails_with(CredentialsError("the token was refused"), "users")
    with pytest.raises(CommandError, match=r"^the token was refused$"):
        call_command(Everything(), "--quiet")
    assert len(only_row().performance_metrics["models"]) == 2


def test_all_fails_where_no_model_is_offered(source: FakeSource) -> None:
    source.on_page = fails_with(NotOffered("none here"), *(model.name for model in FAKE.models))
    with pytest.raises(CommandError, match=r"offers no model.*none here"):
        call_command(Everything(), "--quiet")
    assert only_row().status == "failed"


def test_a_warning_makes_the_row_partial(source: FakeSource) -> None:
    source.records["leads"].append({"id": None})
    call_command(Leads(), "--quiet")
    assert only_row().status == "partial"
    assert "have no key" in (only_row().error_message or "")


def test_a_failed_run_is_a_failing_command_and_a_failed_row(
    source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    source.on_page = fails_with(PermanentError("a bad\nrequest"), "leads")
    assert exit_code(Leads(), "--no-progress") == 1
    assert capsys.readouterr().err.strip().splitlines()[-1] == "CommandError: a bad request"
    assert only_row().status == "failed"


def test_secrets_do_not_reach_the_row(source: FakeSource) -> None:
    source.on_page = fails_with(PermanentError("GET https://x:hunter22@crm/ failed"), "leads")
    assert exit_code(Leads(), "--quiet") == 1
    assert "hunter22" not in json.dumps([only_row().error_message, only_row().performance_metrics])


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SyncCancelled("asked to stop")])
def test_an_interrupted_run_is_cancelled(source: FakeSource, stop: BaseException) -> None:
    source.on_page = fails_with(stop, "leads")
    assert exit_code(Leads(), "--quiet") == 130
    assert only_row().status == "cancelled"


def test_sigterm_ends_a_run_as_an_interrupt_does(source: FakeSource) -> None:
    before = signal.getsignal(signal.SIGTERM)
    source.on_page = lambda model, number: os.kill(os.getpid(), signal.SIGTERM)
    assert exit_code(Leads(), "--quiet") == 130
    assert only_row().status == "cancelled"
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--full", "--start-date=2026-01-01"], "--full and --start-date contradict each other"),
        (["--full", "--force7"], "--full and --force7 contradict each other"),
        (["--force7", "--end-date=2026-01-01"], "--force7 and --end-date contradict each other"),
        (["--since=2026-01-01", "--start-date=2026-01-01"], "another name for --start-date"),
        (["--start-date=2026-01-02", "--end-date=2026-01-01"], "--end-date is before"),
        (["--batch-size=0"], "from 1 to 10000"),
        (["--batch-size=10001"], "from 1 to 10000"),
        (["--max-records=-1"], "whole number from 1"),
        (["--start-date=yesterday"], "must be a date such as 2026-01-31"),
    ],
)
def test_wrong_use_is_refused(
    source: FakeSource, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert exit_code(Leads(), *words) == 2
    assert told in capsys.readouterr().err
    assert not SyncHistory.objects.exists()


@pytest.mark.parametrize(
    ("words", "since", "until"),
    [
        (["--since", "2026-01-01"], datetime(2026, 1, 1, tzinfo=UTC), None),
        (
            ["--start-date", "2026-01-01T06:00:00+02:00", "--end-date", "2026-01-02"],
            datetime(2026, 1, 1, 4, tzinfo=UTC),
            datetime(2026, 1, 2, 23, 59, 59, 999999, tzinfo=UTC),
        ),
    ],
)
def test_dates_become_a_window(
    source: FakeSource, words: list[str], since: datetime, until: datetime | None
) -> None:
    call_command(Leads(), *words, "--quiet")
    assert (source.windows[0].since, source.windows[0].until) == (since, until)


def test_json_is_all_that_stdout_gets(
    source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(Leads(), "--json")
    shown = capsys.readouterr()
    told: dict[str, Any] = json.loads(shown.out)
    assert told["status"] == "success"
    assert told["counts"] == {
        "processed": 3,
        "created": 3,
        "updated": 0,
        "deleted": 0,
        "failed": 0,
    }
    assert shown.err == ""


def test_json_tells_a_failure_too(source: FakeSource, capsys: pytest.CaptureFixture[str]) -> None:
    source.on_page = fails_with(PermanentError("broken"), "leads")
    assert exit_code(Leads(), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "failed"
    assert told["error"] == {"code": "FAILED", "message": "broken"}


def test_without_a_terminal_each_step_is_a_line_on_stderr(
    source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(Leads())
    shown = capsys.readouterr()
    assert shown.err.splitlines() == [
        "fake.leads: extract",
        "fake.leads: load (3 records read)",
    ]
    assert shown.out.startswith(
        "fake.leads: 3 processed, 3 created, 0 updated, 0 deleted, 0 failed"
    )


def test_quiet_says_nothing(source: FakeSource, capsys: pytest.CaptureFixture[str]) -> None:
    call_command(Leads(), "--quiet")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_a_caller_with_a_handle_gets_the_result_and_no_row(
    source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = RunHandle(SilentReporter(), opens_history=False)
    call_command(Leads(), "--max-records=2", run=handle)
    assert handle.result is not None
    assert handle.result.counts["created"] == 2
    assert not SyncHistory.objects.exists()
    assert capsys.readouterr().out == ""


def test_a_caller_with_a_handle_gets_errors_as_they_are(source: FakeSource) -> None:
    failure = TransientError("later", retry_after_seconds=9)
    source.on_page = fails_with(failure, "leads")
    handle = RunHandle(SilentReporter(), opens_history=False)
    with pytest.raises(TransientError) as caught:
        call_command(Leads(), run=handle)
    assert caught.value is failure
    assert handle.result is not None
    assert handle.result.models[0].error == "later"


def test_a_crm_that_is_not_connected_says_so(
    source: FakeSource, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "crms", lambda: {"fake": replace(FAKE, connected=False)})
    assert exit_code(Leads(), "--quiet") == 1
    assert "Fake is not connected yet" in capsys.readouterr().err
    assert only_row().status == "failed"
