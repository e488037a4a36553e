"""``submit``: hand a sync to the pool, and follow it to its end if asked."""

from __future__ import annotations

from typing import Any

from ingestion.management.pool_cli.cli import COMMAND, Cli, Options
from ingestion.management.pool_cli.failures import WrongUse
from ingestion.management.pool_cli.follow import follow
from ingestion.pool.errors import TaskNotFound
from ingestion.services.ingestion_adapter import IngestionAdapter


def submit(cli: Cli, options: Options) -> None:
    """Print the task's ID; with --wait how it ended."""
    if options["timeout"] is not None and not options["wait"]:
        raise WrongUse("--timeout needs --wait.")
    task_id = cli.pool.submit_task(
        options["crm"],
        options["sync_type"],
        _parameters(options),
        priority=options["priority"],
        requested_by=cli.actor,
        reason=options["reason"],
    )
    if options["wait"]:
        follow(cli, task_id, timeout_seconds=options["timeout"])
    else:
        _accepted(cli, task_id)


def _parameters(options: Options) -> dict[str, Any]:
    """--params and every --param together. Raises WrongUse when one is given twice,
    InvalidParameters for an option that no sync has."""
    found: dict[str, Any] = dict(options["params"])
    for name, value in options["param"]:
        if name in found:
            raise WrongUse(f"The parameter {name!r} is given twice.")
        found[name] = value
    IngestionAdapter.validate_parameters(found)
    return found


def _accepted(cli: Cli, task_id: str) -> None:
    """A script gets the ID alone on stdout."""
    task = cli.pool.get_task_status(task_id)
    if task is None:
        raise TaskNotFound(f"Task {task_id} was accepted and then removed by somebody else.")
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict()})
    else:
        cli.out.line(task.id)
        cli.out.talk(f"{task.route} is {task.status}; watch it with: {COMMAND} monitor")
