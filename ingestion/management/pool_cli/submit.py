"""``submit``: hand a sync to the pool, and follow it to its end if asked."""

from __future__ import annotations

from typing import Any

from ingestion.management.pool_cli import explaining
from ingestion.management.pool_cli.cli import COMMAND, Cli, Options
from ingestion.management.pool_cli.failures import WrongUse
from ingestion.management.pool_cli.follow import follow
from ingestion.pool.errors import TaskNotFound
from ingestion.pool.task import utc_now
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.submission import Submitted


def submit(cli: Cli, options: Options) -> None:
    """Print the task's ID; with --wait how it ended, with --dry-run what would happen."""
    if options["timeout"] is not None and not options["wait"]:
        raise WrongUse("--timeout needs --wait.")
    if options["dry_run"]:
        _foretell(cli, options)
        return
    made = cli.pool.submit(
        options["crm"],
        options["sync_type"],
        _parameters(options),
        priority=options["priority"],
        on_overlap=options["on_overlap"],
        requested_by=cli.actor,
        reason=options["reason"],
    )
    if made.absorbed_by:
        cli.out.talk(f"Task {made.absorbed_by} does the same work already and stands for this one.")
    if options["wait"]:
        follow(cli, made.task_id, timeout_seconds=options["timeout"])
    else:
        _accepted(cli, made)


def _foretell(cli: Cli, options: Options) -> None:
    """Raises what the submission would raise. Nothing is stored."""
    if options["wait"]:
        raise WrongUse("--dry-run submits nothing; there is nothing to --wait for.")
    found = cli.pool.forecast(
        options["crm"],
        options["sync_type"],
        _parameters(options),
        priority=options["priority"],
        on_overlap=options["on_overlap"],
    )
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
    else:
        cli.out.lines(explaining.foretold(found, at=utc_now()))


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


def _accepted(cli: Cli, made: Submitted) -> None:
    """A script gets the ID alone on stdout."""
    task = cli.pool.get_task_status(made.task_id)
    if task is None:
        raise TaskNotFound(f"Task {made.task_id} was accepted and then removed by somebody else.")
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict(), "absorbed_by": made.absorbed_by})
    else:
        cli.out.line(task.id)
        cli.out.talk(f"{task.route} is {task.status}; watch it with: {COMMAND} monitor")
