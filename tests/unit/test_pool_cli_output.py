"""How the pool reads on a pipe and on a terminal, and what options may be."""

from __future__ import annotations

import io
import json
from argparse import ArgumentTypeError
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.management.cli import lines, options, tables
from ingestion.management.cli.failures import EXITS, Exit, Failure, WrongUse, explain
from ingestion.management.cli.output import Output
from ingestion.pool import errors
from ingestion.pool.snapshot import LimitInfo, PoolSnapshot, WorkerInfo
from ingestion.pool.task import TaskStatus, WorkerTask
from tests.unit.pool_shell import Terminal

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def running() -> WorkerTask:
    return WorkerTask(
        id="abc12345-0000-4000-8000-000000000001",
        task_name="ingestion.tasks.sync_genius_all",
        crm_source="genius",
        sync_type="all",
        status=TaskStatus.RUNNING,
        queued_at=ago(minutes=5),
        started_at=ago(minutes=2, seconds=15),
        confirmed_at=ago(minutes=2),
        attempt=1,
        max_attempts=3,
        worker="celery@one",
        progress={"model": "jobs", "rows": 1200},
        requested_by="ann",
        parameters={"full": True},
    )


def waiting(**fields: object) -> WorkerTask:
    task = WorkerTask(
        id="def45678-0000-4000-8000-000000000002",
        task_name="ingestion.tasks.sync_five9_contacts",
        crm_source="five9",
        sync_type="contacts",
        queued_at=ago(minutes=1),
    )
    return replace(task, **fields)  # type: ignore[arg-type]


def snapshot(**fields: object) -> PoolSnapshot:
    whole = PoolSnapshot(
        taken_at=NOW,
        limit=LimitInfo(2, "ann", ago(hours=1), "night shift"),
        effective_limit=2,
        active=(running(),),
        queued=(waiting(),),
        delayed=(),
        queued_count=1,
        delayed_count=0,
        oldest_queued_at=ago(minutes=1),
        workers=(WorkerInfo("celery@one", ago(seconds=5), 2, is_online=True, release="1.2.3"),),
        counters={"submitted": 10, "completed": 8},
        last_monitor_at=ago(seconds=35),
    )
    return replace(whole, **fields)  # type: ignore[arg-type]


def on_terminal(**switches: bool) -> tuple[Output, Terminal]:
    stream = Terminal()
    return Output(stream, io.StringIO(), **switches), stream


class TestLines:
    def test_a_monitor_round_has_the_documented_form(self) -> None:
        assert list(lines.monitor_round(snapshot())) == [
            "[2026-03-01 12:00:00 UTC]",
            "Max workers: 2",
            "Active: 1/2 (50%)",
            "Queued: 1",
            "Active tasks:",
            "- Task abc12345: genius.all (running for 2m 15s)",
            "Queued tasks:",
            "- Task def45678: five9.contacts (priority: 0)",
        ]

    def test_an_idle_pool_has_no_task_sections(self) -> None:
        idle = snapshot(active=(), queued=(), queued_count=0)
        assert list(lines.monitor_round(idle))[1:] == [
            "Max workers: 2",
            "Active: 0/2 (0%)",
            "Queued: 0",
        ]

    def test_tasks_that_are_not_shown_are_counted(self) -> None:
        assert "  and 99 more" in lines.monitor_round(snapshot(queued_count=100))

    def test_a_delayed_task_says_when_it_may_start(self) -> None:
        later = waiting(not_before=NOW + timedelta(minutes=30), priority=7)
        shown = list(lines.monitor_round(snapshot(delayed=(later,), delayed_count=1)))
        assert shown[-2:] == [
            "Delayed tasks:",
            "- Task def45678: five9.contacts (priority: 7, not before 2026-03-01 12:30:00 UTC)",
        ]

    def test_status_tells_who_holds_a_slot_and_who_set_the_limit(self) -> None:
        text = "\n".join(lines.status(snapshot(), verbose=False))
        assert "Max workers: 2 (set by ann at 2026-03-01 11:00:00 UTC: night shift)" in text
        assert (
            "held by celery@one since 2026-03-01 11:57:45 UTC, attempt 1 of 3, "
            "model jobs, rows 1200" in text
        )
        assert "Monitor: last round 35s ago" in text
        assert "Workers online: 1 of 1" in text
        assert "Counters: completed 8, submitted 10" in text

    def test_at_the_start_of_an_outage_nobody_is_said_to_be_missing(self) -> None:
        unheard = snapshot(degraded=True, degraded_reason="", workers=(), last_monitor_at=None)
        text = "\n".join(lines.status(unheard, verbose=False))
        assert "Workers online: none heard yet since the pool is degraded" in text
        assert "Monitor: no round since the pool is degraded" in text

    def test_a_sent_task_without_a_worker_says_so(self) -> None:
        sent = replace(running(), worker=None, confirmed_at=None)
        text = "\n".join(lines.status(snapshot(active=(sent,)), verbose=False))
        assert "held by no worker yet since" in text

    def test_a_task_that_is_asked_to_stop_says_so(self) -> None:
        asked = replace(running(), cancel_requested_at=NOW)
        assert lines.active_details(asked).endswith(", asked to stop")

    def test_verbose_adds_ids_requesters_parameters_and_workers(self) -> None:
        text = "\n".join(lines.status(snapshot(), verbose=True))
        assert f"id {running().id}, submitted 2026-03-01 11:55:00 UTC by ann" in text
        assert 'parameters {"full": true}' in text
        assert "- celery@one: online, 2 processes, release 1.2.3, seen 5s ago" in text
        assert "Host one: 1 online, 2 processes, 1 running, release 1.2.3" in text

    def test_the_default_limit_has_no_author(self) -> None:
        assert lines.limit(snapshot(limit=LimitInfo(2))) == "2 (default)"

    def test_a_limit_that_the_workers_cannot_serve_says_so(self) -> None:
        shown = lines.limit(snapshot(limit=LimitInfo(8), effective_limit=2))
        assert shown == "8, 2 usable with the workers online (default)"

    def test_unreadable_tasks_are_listed_with_the_reason(self) -> None:
        text = list(lines.status(snapshot(dead_letters={"x1": "no task name"}), verbose=False))
        assert text[-2:] == ["Set aside as unreadable: 1", "- x1: no task name"]

    def test_a_stored_text_cannot_steer_the_terminal(self) -> None:
        assert lines.printable("a\x1b[2Jb\nc") == "a [2Jb c"

    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [
            (-3, "0s"),
            (45, "45s"),
            (135, "2m 15s"),
            (3600, "1h 0m"),
            (3900.9, "1h 5m"),
            (266_400, "3d 2h"),
        ],
    )
    def test_a_duration_has_its_two_largest_units(self, seconds: float, shown: str) -> None:
        assert lines.duration(seconds) == shown


class TestTables:
    def test_a_terminal_gets_tables_with_the_same_facts(self) -> None:
        out, stream = on_terminal()
        out.console.width = 140
        out.draw(*tables.status(snapshot(), verbose=True))
        shown = stream.getvalue()
        for fact in ("abc12345", "genius.all", "2m 15s", "celery@one", "def45678", "ann"):
            assert fact in shown
        assert "\x1b[" in shown

    def test_no_color_leaves_no_colour(self) -> None:
        out, stream = on_terminal(no_color=True)
        out.draw(*tables.status(snapshot(), verbose=False))
        assert "\x1b[32m" not in stream.getvalue()

    def test_no_color_of_the_environment_is_heeded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        out, stream = on_terminal()
        out.draw(*tables.status(snapshot(), verbose=False))
        assert "\x1b[32m" not in stream.getvalue()

    def test_a_dumb_terminal_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "dumb")
        out, _ = on_terminal()
        assert not out.draws_tables

    def test_a_pipe_gets_no_tables_even_with_an_inherited_force_color(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert not Output(io.StringIO(), io.StringIO()).draws_tables

    def test_tasks_that_are_not_shown_are_counted(self) -> None:
        assert tables.waiting("Queued tasks", (waiting(),), 100).caption == "and 99 more"


class TestOutput:
    def test_json_is_one_object_on_stdout(self) -> None:
        stdout = io.StringIO()
        Output(stdout, io.StringIO()).data(snapshot().to_dict())
        assert json.loads(stdout.getvalue()) == snapshot().to_dict()

    def test_a_failure_under_json_is_one_line_of_json_on_stderr(self) -> None:
        stderr = io.StringIO()
        failure = Failure("NOT_FOUND", "No such task. " * 40, Exit.NOT_FOUND)
        Output(io.StringIO(), stderr, as_json=True).fail(failure)
        assert stderr.getvalue().count("\n") == 1
        assert json.loads(stderr.getvalue()) == failure.to_dict()

    def test_without_a_terminal_nobody_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        with pytest.raises(WrongUse, match="add --yes"):
            Output(io.StringIO(), io.StringIO()).confirm("Cancel all?", flag="--yes")

    def test_a_no_changes_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("\n"))
        with pytest.raises(Exception, match="Nothing was changed"):
            Output(io.StringIO(), io.StringIO()).confirm("Cancel all?", flag="--yes")

    def test_a_yes_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("y\n"))
        stderr = io.StringIO()
        Output(io.StringIO(), stderr).confirm("Cancel all?", flag="--yes")
        assert stderr.getvalue() == "Cancel all? There is no undo. [y/N] "


class TestOptions:
    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("full=true", ("full", True)),
            ("max_records=10", ("max_records", 10)),
            ("start_date=2026-01-01", ("start_date", "2026-01-01")),
            ("code=007", ("code", "007")),
            ("note=a=b", ("note", "a=b")),
            ("note=", ("note", "")),
            ("x=NaN", ("x", "NaN")),
            ('tags=["a"]', ("tags", ["a"])),
        ],
    )
    def test_a_parameter_is_json_where_it_is_json(self, text: str, read: object) -> None:
        assert options.parameter(text) == read

    @pytest.mark.parametrize("text", ["full", "=1", " =1"])
    def test_a_parameter_without_name_or_value_is_refused(self, text: str) -> None:
        with pytest.raises(ArgumentTypeError, match="NAME=VALUE"):
            options.parameter(text)

    @pytest.mark.parametrize("text", ["nonsense", "[1]", "1", '{"a": NaN}', "{'a': 1}"])
    def test_parameters_must_be_a_json_object(self, text: str) -> None:
        with pytest.raises(ArgumentTypeError, match="JSON object"):
            options.parameter_object(text)

    @pytest.mark.parametrize("text", ["0", "4000", "nan", "soon", "inf", "-1"])
    def test_an_interval_names_its_range(self, text: str) -> None:
        with pytest.raises(ArgumentTypeError, match=r"0\.2 to 3600 seconds"):
            options.interval_seconds(text)


class TestFailures:
    @pytest.mark.parametrize(
        ("problem", "code", "exit_code"),
        [
            (errors.UnknownSource("no"), "UNKNOWN_SOURCE", 2),
            (errors.InvalidLimit("no"), "INVALID_LIMIT", 2),
            (errors.TaskNotFound("no"), "NOT_FOUND", 3),
            (errors.AlreadyFinished("no"), "ALREADY_FINISHED", 4),
            (errors.PoolUnavailable("no"), "UNAVAILABLE", 5),
            (errors.PoolError("no"), "POOL_ERROR", 1),
        ],
    )
    def test_every_refusal_has_its_exit_code(
        self, problem: Exception, code: str, exit_code: int
    ) -> None:
        assert explain(problem) == Failure(code, "no", Exit(exit_code))

    def test_a_refusal_without_words_is_explained_by_its_class(self) -> None:
        assert explain(errors.TaskNotFound()).message.startswith("The pool knows no such task")

    def test_the_general_error_comes_last(self) -> None:
        assert EXITS[-1] == (errors.PoolError, Exit.FAILED)
