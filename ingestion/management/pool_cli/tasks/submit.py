"""``submit``: hand a sync to the pool, and follow it to its end if asked."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ingestion.deprecated_names import with_old_keys
from ingestion.management.cli.cli import COMMAND, Cli, Options
from ingestion.management.cli.failures import WrongUse
from ingestion.management.pool_cli.tasks import explaining, task_ids
from ingestion.management.pool_cli.tasks.follow import follow
from ingestion.management.pool_cli.tasks.submit_file import submit_file, tell_fallbacks
from ingestion.pool.errors import TaskNotFound
from ingestion.pool.task import utc_now
from ingestion.services.ingestion_adapter import IngestionAdapter
from ingestion.services.requests.routing import resolve
from ingestion.services.requests.submission import Submission, Submitted


def submit(cli: Cli, options: Options) -> None:
    """Print the task's ID; with --wait how it ended, with --dry-run what would happen."""
    if options["file"] is not None:
        _submit_file(cli, options)
        return
    if options["crm"] is None or options["sync_type"] is None:
        raise WrongUse("Name a CRM and a type, or a --file.")
    if options["timeout"] is not None and not options["wait"]:
        raise WrongUse("--timeout needs --wait.")
    _check_type(cli, options)
    if options["dry_run"]:
        _print_forecast(cli, options)
        return
    made = cli.pool.submit(_asked(cli, options))
    if made.coalesced_into:
        cli.out.talk(
            f"Task {made.coalesced_into} does the same work already and stands for this one."
        )
    if options["wait"]:
        follow(cli, made.task_id, timeout_seconds=options["timeout"])
    else:
        _accepted(cli, made)


def _check_type(cli: Cli, options: Options) -> None:
    """An unknown type is said before its fallback starts. Raises UnknownSyncType under --strict."""
    if fallback := resolve(options["crm"], options["sync_type"]).fallback_sentence:
        tell_fallbacks(cli, options, fallback)


def _submit_file(cli: Cli, options: Options) -> None:
    """Raises WrongUse for an option that is for one submission; the reason counts for all."""
    asked = [f.name for f in fields(Submission) if options.get(f.name, f.default) != f.default]
    for name in ("crm", "param", "params", "dry_run", "wait", "timeout", *asked):
        if options[name] and name != "reason":
            raise WrongUse(f"With --file, {name.replace('_', '-')} belongs into the lines.")
    submit_file(cli, options)


def _print_forecast(cli: Cli, options: Options) -> None:
    """Raises what the submission would raise. Nothing is stored."""
    if options["wait"]:
        raise WrongUse("--dry-run submits nothing; there is nothing to --wait for.")
    found = cli.pool.forecast(_asked(cli, options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
    else:
        cli.out.lines(explaining.forecast_lines(found, at=utc_now()))


def _asked(cli: Cli, options: Options) -> Submission:
    """The options that are named like its fields, and the rest."""
    named = {f.name: options[f.name] for f in fields(Submission) if f.name in options}
    named["after"] = [task_ids.find(typed) for typed in options["after"]]
    return Submission(
        options["crm"], parameters=_parameters(options), requested_by=cli.actor, **named
    )


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
        cli.out.data(
            with_old_keys(
                {"schema": 1, "task": task.to_dict(), "coalesced_into": made.coalesced_into}
            )
        )
    else:
        cli.out.line(task.id)
        cli.out.talk(f"{task.route} is {task.status}; watch it with: {COMMAND} monitor")
    if cli.pool.peek().runs_nothing:
        cli.out.talk("No Celery worker is online: nothing will run until one comes.")
