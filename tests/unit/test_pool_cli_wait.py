"""``submit --wait``: the command follows its task and tells its fate."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ingestion.management.cli.cli import COMMAND
from ingestion.management.cli.output import Output
from ingestion.management.pool_cli.tasks import follow
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
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


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


class TestWait:
    """The worker is played between two looks, in place of the pause."""

    def ends(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
    ) -> None:
        def work(seconds: float) -> None:
            (task,) = pool.get_active_tasks()
            take(pool, task.id)
            pool.finish_task(task.id, attempt=1, outcome=outcome)

        monkeypatch.setattr(follow.time, "sleep", work)

    def test_a_completed_task_is_fine(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = {"counts": {"processed": 12, "created": 3}}
        self.ends(pool, monkeypatch, Outcome(TaskStatus.COMPLETED, result=result))
        ran = manage("submit", "hubspot", "all", "--wait")
        assert ran.code == 0
        assert ran.out.endswith(", processed 12, created 3\n")
        assert "no worker has taken it yet" in ran.err

    def test_a_failed_task_fails_with_its_error(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.ends(pool, monkeypatch, Outcome(TaskStatus.FAILED, "HubSpot answered 500."))
        ran = manage("submit", "hubspot", "all", "--wait", "--json")
        assert (ran.code, ran.message) == (1, "hubspot.all failed: HubSpot answered 500.")
        assert ran.shape["task"]["status"] == "failed"

    def test_a_cancelled_task_fails(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.ends(pool, monkeypatch, Outcome(TaskStatus.CANCELLED, "stopped by ann"))
        assert manage("submit", "hubspot", "all", "--wait").code == 1

    def test_a_terminal_shows_one_line_that_changes_and_no_markup(self) -> None:
        task = WorkerTask("abcd1234", "t", "hubspot", "all", error_message="answered [/500]")
        stderr = Terminal()
        with follow.progress_reporter(Output(io.StringIO(), stderr)) as tell:
            tell(task)
        assert "is queued (priority: 0, after: answered [/500])" in stderr.getvalue()

    def test_a_pipe_gets_a_line_per_state_and_not_per_page(self) -> None:
        stderr = io.StringIO()
        task = WorkerTask("abcd1234", "t", "hubspot", "all", status=TaskStatus.RUNNING)
        with follow.progress_reporter(Output(io.StringIO(), stderr)) as tell:
            tell(task)
            tell(replace(task, progress={"rows": 1}))
            tell(replace(task, attempt=2))
        assert stderr.getvalue().count("\n") == 2

    def test_a_timeout_leaves_the_task_alone(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(follow.time, "sleep", lambda seconds: None)
        ran = manage("submit", "hubspot", "all", "--wait", "--timeout", "0")
        (task,) = pool.get_active_tasks()
        assert ran.code == 1
        assert f"cancel {task.id}" in ran.message

    def test_ctrl_c_leaves_the_task_alone_and_says_how_to_cancel(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        interrupt_after(monkeypatch, rounds=1)
        ran = shell("submit", "hubspot", "all", "--wait")
        (task,) = pool.get_active_tasks()
        assert ran.code == 130
        assert f"The task goes on; cancel it with: {COMMAND} cancel {task.id}" in ran.err

    def test_an_outage_is_borne_for_a_while(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = WorkerTask("x", "t", "hubspot", "all", status=TaskStatus.COMPLETED)
        monkeypatch.setattr(follow.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(pool, "get_task_status", answers(PoolUnavailable("gone"), ended))
        ran = manage("submit", "hubspot", "all", "--wait")
        assert (ran.code, "trying again" in ran.err) == (0, True)

    def test_an_outage_that_lasts_is_unreachable(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(follow, "PATIENCE_SECONDS", 0)
        monkeypatch.setattr(pool, "get_task_status", answers(PoolUnavailable("gone")))
        ran = manage("submit", "hubspot", "all", "--wait")
        assert (ran.code, ran.message) == (5, "gone")
        assert "The task goes on" in ran.err
