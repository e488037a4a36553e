"""The sub-commands of manage_worker_pool, on a pool in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ingestion.management.cli import cli as cli_module
from ingestion.management.commands.manage_worker_pool import Command
from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import (
    Terminal,
    answers,
    interrupt_after,
    manage,
    pool_in_memory,
    shell,
    take,
)

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def fill(pool: WorkerPoolService, count: int = 4) -> list[str]:
    """Two run, the others wait."""
    return [pool.submit_task("five9", "contacts") for _ in range(count)]


class TestWatching:
    def test_status_of_an_idle_pool(self, pool: WorkerPoolService) -> None:
        ran = manage("status")
        assert ran.code == 0
        assert "State: available" in ran.out
        assert "Active: 0/2 (0%)" in ran.out

    def test_status_json_is_the_snapshot(self, pool: WorkerPoolService) -> None:
        fill(pool)
        shape = manage("status", "--json").shape
        assert shape.keys() == pool.snapshot().to_dict().keys()
        assert (shape["active_count"], shape["queued_count"]) == (2, 2)

    def test_check_fails_while_the_monitor_has_not_run(self, pool: WorkerPoolService) -> None:
        assert manage("status").code == 0
        ran = manage("status", "--check")
        assert (ran.code, "monitor is overdue" in ran.message) == (1, True)

    def test_check_says_each_problem_in_a_line(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool.worker_gone("celery@test")
        broken = replace(pool.snapshot(), dead_letters={"x": "{}"}, degraded=True)
        monkeypatch.setattr(pool, "snapshot", answers(broken))
        ran = shell("status", "--check")
        said = [line for line in ran.err.splitlines() if line.startswith("- ")]
        assert (ran.code, len(said)) == (1, 4)

    def test_check_names_its_problems_in_json_too(self, pool: WorkerPoolService) -> None:
        ran = shell("status", "--check", "--json")
        error = json.loads(ran.err.splitlines()[-1])["error"]
        assert error["code"] == "NOT_HEALTHY"
        assert ran.shape["state"] == "available"

    def test_check_is_fine_after_a_monitor_round(self, pool: WorkerPoolService) -> None:
        pool.run_monitor_round()
        assert manage("status", "--check").code == 0

    def test_monitor_shows_one_round(self, pool: WorkerPoolService) -> None:
        first, *_, last = fill(pool, 3)
        out = manage("monitor").out
        assert f"- Task {first[:8]}: five9.contacts (running for " in out
        assert f"- Task {last[:8]}: five9.contacts (priority: 0)" in out

    def test_monitor_continuous_goes_round_until_it_is_interrupted(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses = interrupt_after(monkeypatch, rounds=3)
        ran = shell("monitor", "--continuous", "--json", "--interval", "7")
        assert ran.code == 130
        assert [json.loads(line)["schema"] for line in ran.out.splitlines()] == [1, 1, 1]
        assert pauses == [7.0, 7.0, 7.0]

    def test_monitor_continuous_outlives_an_outage(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        interrupt_after(monkeypatch, rounds=2)
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("gone"), pool.snapshot()))
        ran = shell("monitor", "--continuous")
        assert ran.err.startswith("Error: gone")
        assert "Active: 0/2 (0%)" in ran.out

    def test_a_terminal_keeps_the_last_round_over_an_outage(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        interrupt_after(monkeypatch, rounds=2)
        monkeypatch.setattr(pool, "snapshot", answers(pool.snapshot(), PoolUnavailable("gone")))
        ran = shell("monitor", "--continuous", "--force-color")
        shown = ran.out[ran.out.index("Error: gone") - 200 :]
        assert (ran.code, "Active: 0/2 (0%)" in shown) == (130, True)

    @pytest.mark.parametrize(
        ("words", "lists"),
        [
            ((), {"active", "queued", "delayed", "held"}),
            (("--active",), {"active"}),
            (("--queued",), {"queued", "delayed", "held"}),
            (("--active", "--queued"), {"active", "queued", "delayed", "held"}),
        ],
    )
    def test_list_tasks_json_holds_the_lists_asked_for(
        self, pool: WorkerPoolService, words: tuple[str, ...], lists: set[str]
    ) -> None:
        fill(pool)
        shape = manage("list-tasks", "--json", *words).shape
        assert {name for name, value in shape.items() if isinstance(value, list)} == lists

    def test_list_tasks_counts_what_its_limit_hides(self, pool: WorkerPoolService) -> None:
        fill(pool, 6)
        shape = manage("list-tasks", "--queued", "--limit", "1", "--json").shape
        assert (len(shape["queued"]), shape["queued_count"]) == (1, 4)
        assert "and 3 more" in manage("list-tasks", "--limit", "1").out

    def test_list_tasks_of_an_idle_pool_writes_no_data(self, pool: WorkerPoolService) -> None:
        ran = manage("list-tasks")
        assert (ran.out, ran.err) == ("", "No tasks.\n")

    def test_list_tasks_verbose_shows_whole_ids(self, pool: WorkerPoolService) -> None:
        ids = fill(pool)
        out = manage("list-tasks", "--verbose").out
        assert all(task_id in out for task_id in ids)


class TestConfig:
    def test_shows_the_limit(self, pool: WorkerPoolService) -> None:
        assert manage("config").out == (
            "Max workers: 2 (default)\nPriority aging: 3600 s of waiting a level (default)\n"
        )

    def test_changes_the_limit_and_says_who_and_why(self, pool: WorkerPoolService) -> None:
        shape = manage("config", "--max-workers", "5", "--reason", "night", "--json").shape
        assert shape["max_workers"] == 5
        assert shape["limit"]["reason"] == "night"
        assert shape["limit"]["set_by"].endswith("(command line)")

    @pytest.mark.parametrize("number", ["0", "-3", "100000"])
    def test_refuses_a_limit_out_of_range(self, pool: WorkerPoolService, number: str) -> None:
        ran = manage("config", "--max-workers", number)
        assert ran.code == 2
        assert "from 1 to" in ran.message
        assert pool.get_max_workers() == 2

    def test_refuses_a_reason_without_a_change(self, pool: WorkerPoolService) -> None:
        assert manage("config", "--reason", "why not").code == 2


class TestCancel:
    @pytest.mark.parametrize("words", [("cancel-task",), ("cancel",), ("cancel", "--task-id")])
    def test_cancels_a_queued_task(self, pool: WorkerPoolService, words: tuple[str, ...]) -> None:
        *_, last = fill(pool)
        ran = manage(*words, last)
        assert (ran.code, ran.out) == (0, f"Task {last}: cancelled.\n")
        assert AuditRecord.objects.get(action="cancel").actor.endswith("(command line)")

    def test_asks_a_running_task_to_stop(self, pool: WorkerPoolService) -> None:
        first, *_ = fill(pool)
        take(pool, first)
        assert "asked to stop" in manage("cancel", first).out

    def test_takes_the_beginning_of_an_id(self, pool: WorkerPoolService) -> None:
        *_, last = fill(pool)
        assert manage("cancel", last[:8].upper()).code == 0

    def test_json_holds_the_task(self, pool: WorkerPoolService) -> None:
        *_, last = fill(pool)
        shape = manage("cancel", last, "--json").shape
        assert shape["task"]["status"] == "cancelled"

    def test_an_ambiguous_beginning_lists_the_matches(self, pool: WorkerPoolService) -> None:
        ids = ["abcd1234" + UNKNOWN_ID[8:], "abcd1235" + UNKNOWN_ID[8:]]
        for task_id in ids:
            SyncHistory.objects.create(worker_pool_task_id=task_id, status="queued")
        ran = manage("cancel", "abcd123")
        assert ran.code == 2
        assert all(task_id in ran.message for task_id in ids)

    def test_an_open_task_is_meant_before_an_ended_one(self, pool: WorkerPoolService) -> None:
        *_, last = fill(pool)
        ended = last[:8] + UNKNOWN_ID[8:]
        SyncHistory.objects.create(worker_pool_task_id=ended, status="success")
        assert manage("cancel", last[:8]).out.startswith(f"Task {last}")

    @pytest.mark.parametrize("typed", [UNKNOWN_ID, "ffffffff"])
    def test_an_unknown_task_is_not_found(self, pool: WorkerPoolService, typed: str) -> None:
        assert manage("cancel", typed).code == 3

    def test_an_ended_task_is_a_conflict(self, pool: WorkerPoolService) -> None:
        *_, last = fill(pool)
        manage("cancel", last)
        ran = manage("cancel", last)
        assert (ran.code, "ended already" in ran.message) == (4, True)

    @pytest.mark.parametrize(
        "words", [(), ("abcd1234", "--task-id", "abcd1235"), ("abc",), ("%%%",), ("",)]
    )
    def test_refuses_what_names_no_task(
        self, pool: WorkerPoolService, words: tuple[str, ...]
    ) -> None:
        fill(pool)
        assert manage("cancel", *words).code == 2
        assert len(pool.get_queued_tasks()) == 2


class TestOperating:
    def test_process_queue_starts_what_fits(self, pool: WorkerPoolService) -> None:
        assert manage("process-queue").out == "Started 0 queued tasks.\n"
        assert manage("process-queue", "--json").shape == {"schema": 1, "started": 0}

    @pytest.mark.parametrize("flag", ["--yes", "--force", "-y"])
    def test_clear_queue_cancels_what_waits(self, pool: WorkerPoolService, flag: str) -> None:
        fill(pool)
        assert manage("clear-queue", flag, "--json").shape == {"schema": 1, "cancelled": 2}
        assert len(pool.get_active_tasks()) == 2

    @pytest.mark.parametrize(
        ("word", "flag"), [("clear-queue", "--yes"), ("reset-state", "--force")]
    )
    def test_refuses_unasked_without_a_terminal(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch, word: str, flag: str
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        fill(pool)
        ran = manage(word)
        assert (ran.code, f"add {flag}" in ran.message) == (2, True)
        assert len(pool.get_queued_tasks()) == 2

    def test_reset_state_asks_after_showing_what_would_be_lost(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("n\n"))
        first, *_ = fill(pool)
        ran = manage("reset-state")
        assert (ran.code, ran.message) == (1, "Nothing was changed.")
        assert f"- Task {first[:8]}: five9.contacts (running for" in ran.err
        assert "2 active, 2 queued, 0 delayed, 0 held, 0 dead letters" in ran.err
        assert len(pool.get_queued_tasks()) == 2

    def test_reset_state_does_it_when_told_so(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("y\n"))
        fill(pool)
        assert manage("reset-state", "--reason", "a new start").code == 0
        assert pool.get_active_tasks() == []
        assert AuditRecord.objects.get(action="reset").reason == "a new start"

    def test_reset_state_ends_everything(self, pool: WorkerPoolService) -> None:
        fill(pool)
        assert manage("reset-state", "--force").code == 0
        assert (pool.get_active_tasks(), pool.get_queued_tasks()) == ([], [])

    def test_fix_stuck_says_what_it_did(self, pool: WorkerPoolService) -> None:
        assert "Lost: 0\n" in manage("fix-stuck").out
        assert manage("fix-stuck", "--json").shape["stale"] == 0


class TestSubmit:
    def test_prints_the_id_alone(self, pool: WorkerPoolService) -> None:
        ran = manage("submit", "hubspot", "contacts", "--priority", "-5", "--param", "full=true")
        task = pool.get_task_status(ran.out.strip())
        assert task is not None
        assert (task.priority, task.parameters, task.route) == (
            -5,
            {"full": True},
            "hubspot.contacts",
        )
        assert task.requested_by.endswith("(command line)")
        assert "hubspot.contacts is running" in ran.err

    def test_json_holds_the_task(self, pool: WorkerPoolService) -> None:
        shape = manage("submit", "hubspot", "all", "--json").shape
        assert shape["task"]["status"] == "running"

    def test_params_and_param_go_together(self, pool: WorkerPoolService) -> None:
        words = ("--params", '{"full": true}', "--param", "max_records=5", "--json")
        shape = manage("submit", "hubspot", "all", *words).shape
        assert shape["task"]["parameters"] == {"full": True, "max_records": 5}

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("salesforce", "all"), "known are"),
            (("hubspot", "all", "--priority", "5000"), "from -1000 to 1000"),
            (("hubspot", "all", "--priority", "high"), "whole number"),
            (("hubspot", "all", "--params", "nonsense"), "JSON object"),
            (("hubspot", "all", "--param", "colour=red"), "known are"),
            (("hubspot", "all", "--param", "full=perhaps"), "true or false"),
            (("hubspot", "all", "--param", "full=true", "--param", "full=false"), "given twice"),
            (("hubspot", "all", "--timeout", "3"), "needs --wait"),
            (("hubspot", "all", "--wait", "--timeout", "-1"), "seconds"),
        ],
    )
    def test_nonsense_is_refused_and_leaves_no_trace(
        self, pool: WorkerPoolService, words: tuple[str, ...], says: str
    ) -> None:
        before = pool.snapshot()
        ran = manage("submit", *words)
        assert (ran.code, says in ran.message) == (2, True), ran.message
        assert pool.snapshot().counters == before.counters
        assert not SyncHistory.objects.exists()
        assert not AuditRecord.objects.exists()


class TestShell:
    def test_a_failure_is_a_line_and_a_code(self, pool: WorkerPoolService) -> None:
        ran = shell("cancel", "ffffffff")
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith("Error: No task's ID begins with 'ffffffff'")
        assert ran.err.count("\n") == 1

    def test_a_failure_under_json_is_json(self, pool: WorkerPoolService) -> None:
        ran = shell("submit", "salesforce", "all", "--json")
        error = json.loads(ran.err.splitlines()[-1])["error"]
        assert (ran.code, error["code"]) == (2, "UNKNOWN_SOURCE")

    def test_an_unreachable_pool_has_a_code_of_its_own(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("Redis is gone.")))
        assert shell("status").code == 5

    @pytest.mark.parametrize(
        "words",
        [
            ("--no-color", "-v", "0", "status"),
            ("status", "--no-color", "-v", "0"),
            ("status", "--settings", "data_warehouse.settings", "--traceback"),
            ("--json", "status"),
        ],
    )
    def test_base_options_stand_on_both_sides(
        self, pool: WorkerPoolService, words: tuple[str, ...]
    ) -> None:
        assert shell(*words).code == 0

    def test_an_option_before_is_not_undone_after(self) -> None:
        parser = Command().create_parser("manage.py", "manage_worker_pool")
        assert parser.parse_args(["--no-color", "status"]).no_color
        assert parser.parse_args(["status", "--no-color"]).no_color

    @pytest.mark.parametrize("words", [("nonsense",), (), ("status", "--colour"), ("explain",)])
    def test_wrong_words_exit_with_2(
        self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as left:
            _shell_parser().parse_args(words)
        assert left.value.code == 2
        assert capsys.readouterr().err

    def test_a_bad_value_is_refused_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            _shell_parser().parse_args(["submit", "hubspot", "all", "--params", "x"])
        assert capsys.readouterr().err.count("\n") == 1

    def test_a_bad_value_under_json_is_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            _shell_parser().parse_args(["monitor", "--interval", "soon", "--json"])
        assert json.loads(capsys.readouterr().err)["error"]["code"] == "WRONG_USE"

    def test_a_user_without_a_name_has_a_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cli_module.getpass, "getuser", answers(KeyError("uid")))
        assert cli_module.actor().startswith("uid ")


def _shell_parser() -> Any:
    command = Command()
    command._called_from_command_line = True
    return command.create_parser("manage.py", "manage_worker_pool")
