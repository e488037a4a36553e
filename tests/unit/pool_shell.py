"""Runs sub-commands of manage_worker_pool within the test's own process."""

from __future__ import annotations

import io
import json
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.management import BaseCommand, CommandError, call_command, load_command_class

from ingestion.management.commands.manage_worker_pool import Command
from ingestion.management.pool_cli import monitor
from ingestion.pool.memory.store import MemoryPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.waiting.run_times import run_times
from ingestion.services.worker_pool import WorkerPoolService, use_worker_pool


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class Sent:
    """Takes what would go to the broker."""

    tasks: list[WorkerTask] = field(default_factory=list)

    def __call__(self, task: WorkerTask) -> None:
        self.tasks.append(task)


@contextmanager
def pool_in_memory(sent: Sent | None = None) -> Iterator[WorkerPoolService]:
    """An empty pool with two slots and one worker online, that has learned nothing yet."""
    run_times.forget()
    service = WorkerPoolService(MemoryPoolStore(PoolPolicy()), send=sent or Sent())
    service.worker_tick("celery@test", capacity=4)
    with use_worker_pool(service):
        yield service


@dataclass(frozen=True)
class Ran:
    """What a sub-command wrote, and the code it would leave a shell with."""

    out: str
    err: str
    code: int
    message: str = ""

    @property
    def shape(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


def subcommands(command: str) -> dict[str, ArgumentParser]:
    """By name."""
    parser = load_command_class("ingestion", command).create_parser("manage.py", command)
    found = next(a for a in parser._actions if isinstance(a, _SubParsersAction))
    return dict(found.choices)


def own_options(subcommand: str) -> list[Action]:
    """The options of a sub-command of manage_worker_pool, without those of each Django command."""
    of_django = {action.dest for action in BaseCommand().create_parser("manage.py", "x")._actions}
    found = subcommands("manage_worker_pool")[subcommand]._actions
    return [a for a in found if a.option_strings and a.dest not in of_django - {"no_color"}]


def options_of(subcommand: str) -> set[str]:
    """What a sub-command of manage_worker_pool asks for."""
    return {action.dest for action in subcommands("manage_worker_pool")[subcommand]._actions}


def manage(*words: str) -> Ran:
    """As from Python: a failure is a CommandError."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("manage_worker_pool", *words, stdout=out, stderr=err)
    except CommandError as problem:
        return Ran(out.getvalue(), err.getvalue(), problem.returncode, str(problem))
    return Ran(out.getvalue(), err.getvalue(), 0)


def shell(*words: str) -> Ran:
    """As from the shell: a failure is a line on stderr and an exit code."""
    out, err = io.StringIO(), io.StringIO()
    command = Command(stdout=out, stderr=err)
    command._called_from_command_line = True
    try:
        call_command(command, *words)
    except SystemExit as left:
        return Ran(out.getvalue(), err.getvalue(), int(left.code or 0))
    return Ran(out.getvalue(), err.getvalue(), 0)


def take(pool: WorkerPoolService, task_id: str) -> None:
    """A worker confirms the first attempt of a task."""
    pool.confirm_task(task_id, attempt=1, worker="celery@test", token="t")


def answers(*given: object) -> Any:
    """A function that gives these in turn, the last one for ever; errors are raised."""
    left = list(given)

    def answer(*args: object, **kwargs: object) -> object:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found

    return answer


def interrupt_after(monkeypatch: pytest.MonkeyPatch, *, rounds: int) -> list[float]:
    """Ctrl-C in the pause after so many rounds; the pauses that were asked for."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == rounds:
            raise KeyboardInterrupt

    monkeypatch.setattr(monitor.time, "sleep", sleep)
    return pauses
