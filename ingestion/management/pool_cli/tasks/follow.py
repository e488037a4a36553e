"""``submit --wait``: tells how a task is doing until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.text import Text

from ingestion.management.cli import lines
from ingestion.management.cli.cli import COMMAND, Cli
from ingestion.management.cli.failures import NotCompleted
from ingestion.management.cli.output import Output
from ingestion.pool.errors import PoolUnavailable, TaskNotFound
from ingestion.pool.task import TaskStatus, WorkerTask, utc_now

POLL_SECONDS = 0.5
# On a pipe, mere numbers are told no more often than this; a new state at once.
TELL_SECONDS = 10.0
# A Redis that restarts answers again within this time; only then is it called unreachable.
PATIENCE_SECONDS = 30.0


def follow(cli: Cli, task_id: str, *, timeout_seconds: float | None) -> None:
    """Returns when the task is COMPLETED.

    Raises NotCompleted when it ends otherwise or time is up, PoolUnavailable when the pool stays
    out of reach. None of them, nor Ctrl-C, ends the task itself.
    """
    cli.out.talk(f"Task {task_id} was accepted.")
    try:
        task = _until_final(cli, task_id, timeout_seconds)
    except (KeyboardInterrupt, PoolUnavailable):
        cli.out.talk(_goes_on(task_id))
        raise
    _show_end(cli, task)
    if task.status != TaskStatus.COMPLETED:
        raise NotCompleted(why(task))


def _until_final(cli: Cli, task_id: str, timeout_seconds: float | None) -> WorkerTask:
    watch = Watch(cli, task_id)
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with progress_reporter(cli.out) as tell:
        while True:
            task = watch.look()
            if task is not None and task.status.is_final:
                return task
            if task is not None:
                tell(task)
            if deadline is not None and time.monotonic() >= deadline:
                raise NotCompleted(f"{timeout_seconds:g} seconds are over. {_goes_on(task_id)}")
            time.sleep(POLL_SECONDS)


@dataclass
class Watch:
    """Looks at one task, and bears with a pool that is out of reach for a while."""

    cli: Cli
    task_id: str
    unreachable_since: float | None = None

    def look(self) -> WorkerTask | None:
        """None while the pool cannot be asked. Raises PoolUnavailable, TaskNotFound."""
        try:
            task = self.cli.pool.get_task_status(self.task_id)
        except PoolUnavailable as problem:
            self._bear_with(problem)
            return None
        self.unreachable_since = None
        if task is None:
            raise TaskNotFound(
                f"The pool no longer knows task {self.task_id}; its history row tells its end."
            )
        return task

    def _bear_with(self, problem: PoolUnavailable) -> None:
        """Raises it once patience is over."""
        now = time.monotonic()
        if self.unreachable_since is None:
            self.unreachable_since = now
            self.cli.out.talk("The pool cannot be reached; trying again.")
        if now - self.unreachable_since >= PATIENCE_SECONDS:
            raise problem


@contextmanager
def progress_reporter(out: Output) -> Iterator[Callable[[WorkerTask], None]]:
    """Tells a task's state: in one line that changes on a terminal, else line by line."""
    if not out.talks_to_a_person:
        yield LineTeller(out).tell
        return
    with out.talk_console.status("waiting") as line:
        yield lambda task: line.update(Text(said(task)))  # a plain str would be markup


@dataclass
class LineTeller:
    """Says what is new, without a line for every page that was read."""

    out: Output
    last_state: object = None
    last_told: float = 0.0

    def tell(self, task: WorkerTask) -> None:
        state = (task.status, task.attempt, task.worker, task.cancel_requested_at)
        now = time.monotonic()
        if state == self.last_state and now - self.last_told < TELL_SECONDS:
            return
        self.last_state, self.last_told = state, now
        self.out.talk(said(task))


def said(task: WorkerTask) -> str:
    """How the task is doing, in one line."""
    name = f"Task {lines.short_id(task)}: {task.route}"
    if task.status == TaskStatus.QUEUED:
        again = f", after: {lines.printable(task.error_message)}" if task.error_message else ""
        return f"{name} is queued (priority: {task.priority}{again})"
    if task.confirmed_at is None:
        return f"{name} was sent, no worker has taken it yet"
    at = f"{name} is running for {lines.running_for(task, utc_now())}"
    return f"{at}, {lines.progress(task)}{lines.cancelling(task)}"


def why(task: WorkerTask) -> str:
    """Why a task did not complete."""
    ended = "was cancelled" if task.status == TaskStatus.CANCELLED else "failed"
    reason = lines.printable(task.error_message or "") or "no reason was recorded"
    return f"{task.route} {ended}: {reason}"


def _show_end(cli: Cli, task: WorkerTask) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict()})
    else:
        cli.out.line(f"Task {task.id}: {task.status}{_took(task)}{_counts(task)}")


def _took(task: WorkerTask) -> str:
    if task.started_at is None or task.completed_at is None:
        return ""
    return f" after {lines.duration((task.completed_at - task.started_at).total_seconds())}"


def _counts(task: WorkerTask) -> str:
    """``, processed 1200, created 1200, ...``."""
    return "".join(f", {name} {count}" for name, count in task.result.get("counts", {}).items())


def _goes_on(task_id: str) -> str:
    return f"The task goes on; cancel it with: {COMMAND} cancel {task_id}"
