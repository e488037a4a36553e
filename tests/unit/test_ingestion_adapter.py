"""From a CRM and a sync type to the command, and from parameters to its flags."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pytest
from django.core.management import BaseCommand, CommandError

from ingestion.management.sync import SyncCommand, sync_options
from ingestion.pool.errors import InvalidParameters, UnknownSource
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.requests import sync_commands
from ingestion.services.requests.parameters import KNOWN, command_flags
from ingestion.services.requests.routing import ROUTES
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.errors import PermanentError, SyncCancelled, TransientError
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crms
from ingestion.sync.common.run import SyncOptions


@pytest.fixture
def adapter() -> IngestionAdapter:
    return IngestionAdapter()


@pytest.mark.parametrize(
    ("asked", "normal"),
    [(None, "all"), ("", "all"), ("  ", "all"), (" Leads ", "leads"), ("ALL", "all")],
)
def test_normalises_the_sync_type(
    adapter: IngestionAdapter, asked: str | None, normal: str
) -> None:
    assert adapter._normalize_sync_type("genius", asked) == normal


@pytest.mark.parametrize(
    ("crm_source", "sync_type", "command"),
    [
        ("genius", "leads", "sync_genius_leads"),
        ("genius", None, "sync_genius_all"),
        ("genius", "marketsharp_contacts", "sync_genius_marketsharp_contacts"),
        ("genius", "unknown", "sync_genius_all"),
        ("callrail", "unknown", "sync_callrail_calls"),
        ("hubspot", "unknown", "sync_hubspot_all"),
        ("salespro", "unknown", "sync_salespro_all"),
        ("arrivy", "unknown", "sync_arrivy_all"),
        ("gsheet", "unknown", "sync_gsheet_leads"),
        ("salesrabbit", "unknown", "sync_salesrabbit_all"),
        ("leadconduit", "unknown", "sync_leadconduit_leads"),
        ("five9", "unknown", "sync_five9_contacts"),
        ("marketsharp", "contacts", "sync_marketsharp_all"),
        ("HubSpot", " Deals ", "sync_hubspot_deals"),
    ],
)
def test_finds_the_command(
    adapter: IngestionAdapter, crm_source: str, sync_type: str | None, command: str
) -> None:
    assert adapter._get_command_for_source(crm_source, sync_type) == command


def test_has_one_method_per_crm(adapter: IngestionAdapter) -> None:
    for (crm_source, sync_type), command in ROUTES.items():
        assert getattr(adapter, f"_get_{crm_source}_command")(sync_type) == command


def test_a_fallback_is_never_silent(
    adapter: IngestionAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        adapter._get_command_for_source("five9", "calls")
    assert "sync_five9_contacts" in caplog.text


def test_a_crm_without_a_folder_needs_its_all_command(
    adapter: IngestionAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownSource, match=", ".join(crms())):
        adapter._get_command_for_source("acme", "all")
    monkeypatch.setattr(
        "ingestion.services.requests.routing.get_commands", lambda: {"sync_acme_all": "acme"}
    )
    assert adapter._get_command_for_source("acme", "leads") == "sync_acme_all"


@pytest.mark.parametrize(
    ("parameters", "flags"),
    [
        ({}, []),
        ({"mode": "delta"}, []),
        ({"mode": "full"}, ["--full"]),
        ({"mode": "force7"}, ["--force7"]),
        ({"full": True, "force": False}, ["--full"]),
        ({"start_date": "2026-01-31"}, ["--start-date=2026-01-31"]),
        ({"since": date(2026, 1, 31)}, ["--since=2026-01-31"]),
        ({"end_date": "2026-01-31T06:00:00Z"}, ["--end-date=2026-01-31T06:00:00Z"]),
        ({"max_records": 5, "batch_size": 10_000}, ["--max-records=5", "--batch-size=10000"]),
        ({"dry_run": True, "end_date": None}, ["--dry-run"]),
        # A day counts to its end.
        (
            {"start_date": "2026-01-31T10:00:00Z", "end_date": "2026-01-31"},
            ["--start-date=2026-01-31T10:00:00Z", "--end-date=2026-01-31"],
        ),
    ],
)
def test_turns_parameters_into_flags(parameters: dict[str, Any], flags: list[str]) -> None:
    assert command_flags(parameters) == flags


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"color": "red"}, "color.*known are: mode, full"),
        ({"mode": "fast"}, "delta, full, force7"),
        ({"mode": ["full"]}, "delta, full, force7"),
        ({"full": "yes"}, "true or false"),
        ({"full": 1}, "true or false"),
        ({"max_records": 0}, "from 1"),
        ({"max_records": "5"}, "from 1"),
        ({"max_records": True}, "from 1"),
        ({"batch_size": 10_001}, "1 to 10000"),
        ({"start_date": "tomorrow"}, "2026-01-31"),
        ({"start_date": 5}, "2026-01-31"),
        ({"full": True, "start_date": "2026-01-01"}, "contradict"),
        ({"mode": "force7", "full": True}, "contradict"),
        ({"mode": "full", "end_date": "2026-01-01"}, "contradict"),
        ({"start_date": "2026-02-01", "end_date": "2026-01-31"}, "before start_date"),
        (
            {"since": "2026-02-01T00:00:01Z", "end_date": "2026-02-01T00:00:00Z"},
            "before start_date",
        ),
        ({"start_date": "0001-01-01T00:00:00+14:00"}, "must be a date"),
        ({"end_date": "9999-12-31T23:59:59-12:00"}, "must be a date"),
        ({"since": "2026-01-01", "start_date": "2026-01-01"}, "one of them"),
        ({"start_date": "2026-01-01 --full\n"}, "2026-01-31"),
    ],
)
def test_refuses_parameters_that_no_command_takes(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidParameters, match=says):
        IngestionAdapter.validate_parameters(parameters)


def test_the_command_line_takes_every_flag() -> None:
    """The two tables of flags agree."""
    values = {
        "mode": "force7",
        "start_date": "2026-01-31",
        "since": "2026-01-31",
        "end_date": "2026-02-01",
        "max_records": 5,
        "batch_size": 6,
    }
    command = SyncCommand()
    command.crm_source, command.sync_type = "genius", "leads"
    parser = command.create_parser("manage.py", "sync_genius_leads")
    for name in KNOWN:
        flags = command_flags({name: values.get(name, True)})
        options = sync_options(vars(parser.parse_args(flags)))
        assert flags
        assert options != SyncOptions()


class Recorder(BaseCommand):
    """Takes the place of a sync command."""

    stealth_options = ("run",)
    requires_system_checks: list[str] = []
    error: BaseException | None = None

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--full", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        if self.error:
            raise self.error


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(sync_commands, "get_commands", lambda: {"sync_genius_leads": found})
    return found


def test_runs_the_command_with_its_handle(adapter: IngestionAdapter, command: Recorder) -> None:
    handle = RunHandle(SilentReporter())
    adapter.run_source_ingestion("genius", "leads", run=handle, full=True)
    assert command.options["run"] is handle
    assert command.options["full"] is True


def test_a_direct_run_knows_what_was_asked(adapter: IngestionAdapter, command: Recorder) -> None:
    adapter.run_source_ingestion("genius", " LEADS ")
    assert command.options["run"].asked == "leads"
    assert command.options["run"].opens_history is True


def test_a_command_of_another_app_needs_no_handle(
    adapter: IngestionAdapter, command: Recorder
) -> None:
    command.stealth_options = ()
    adapter.run_source_ingestion("genius", "leads")
    assert "run" not in command.options


@pytest.mark.parametrize(
    ("raised", "arrives", "says"),
    [
        (TransientError("busy", retry_after_seconds=3), TransientError, "busy"),
        (SyncCancelled("asked"), SyncCancelled, "asked"),
        (SystemExit(3), PermanentError, "exit code 3"),
        (SystemExit(0), PermanentError, "exit code 0"),
        (SystemExit(-253), SystemExit, "-253"),
        (CommandError("wrong, password=hunter2222"), PermanentError, r"wrong, password=\*\*\*"),
        (ZeroDivisionError("x"), ZeroDivisionError, "x"),
    ],
)
def test_a_failure_stays_a_failure(
    adapter: IngestionAdapter,
    command: Recorder,
    raised: BaseException,
    arrives: type[BaseException],
    says: str,
) -> None:
    command.error = raised
    with pytest.raises(arrives, match=says):
        adapter.run_source_ingestion("genius", "leads")


def test_unknown_parameters_are_a_permanent_failure(
    adapter: IngestionAdapter, command: Recorder
) -> None:
    with pytest.raises(PermanentError, match="known are"):
        adapter.run_source_ingestion("genius", "leads", color="red")
    assert not hasattr(command, "options")


def test_a_missing_command_says_its_cure(adapter: IngestionAdapter, command: Recorder) -> None:
    with pytest.raises(PermanentError, match="makecommands"):
        adapter.run_source_ingestion("genius", "jobs")
