"""``drain --worker`` and ``resume --worker``: one worker takes no more syncs, the others go on."""

from __future__ import annotations

import time

from ingestion.management.cli import lines
from ingestion.management.cli.cli import COMMAND, Cli, Options
from ingestion.management.cli.failures import CliError, Exit
from ingestion.pool.task import WorkerTask
from ingestion.services.worker import draining
from ingestion.services.worker.draining import WorkerSilent

POLL_SECONDS = 1.0


class NoSuchWorker(CliError):
    """No worker of this name answers."""

    code = "NO_SUCH_WORKER"
    exit = Exit.NOT_FOUND


class StillRuns(CliError):
    """The worker still runs syncs."""

    code = "NOT_DRAINED"


def drain(cli: Cli, options: Options) -> None:
    """With --wait until it runs nothing. Raises NoSuchWorker, StillRuns."""
    name = options["worker"]
    try:
        draining.drain(name, change=cli.change(options))
    except WorkerSilent as problem:
        raise NoSuchWorker(str(problem)) from problem
    cli.out.talk(f"{name} takes nothing new until '{COMMAND} resume --worker {name}' or a restart.")
    left = _until_empty(cli, name, options["timeout"]) if options["wait"] else _held(cli, name)
    _show(cli, name, left)
    if options["wait"] and left:
        raise StillRuns(f"{options['timeout']:g} seconds are over; {name} still runs {len(left)}.")


def resume(cli: Cli, options: Options) -> None:
    """Raises NoSuchWorker."""
    try:
        draining.resume(options["worker"], change=cli.change(options))
    except WorkerSilent as problem:
        raise NoSuchWorker(str(problem)) from problem
    _show(cli, options["worker"], _held(cli, options["worker"]))


def _until_empty(cli: Cli, name: str, timeout_seconds: float | None) -> list[WorkerTask]:
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while left := _held(cli, name):
        if deadline is not None and time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    return left


def _held(cli: Cli, name: str) -> list[WorkerTask]:
    return draining.held_by(name, cli.pool.snapshot(queue_limit=0))


def _show(cli: Cli, name: str, left: list[WorkerTask]) -> None:
    if cli.out.as_json:
        active = [task.to_dict() for task in left]
        cli.out.data({"schema": 1, "worker": name, "drained": not left, "active": active})
        return
    routes = ", ".join(lines.printable(task.route) for task in left)
    cli.out.line(f"{name} runs {routes or 'nothing'}.")
