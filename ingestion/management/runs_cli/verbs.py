"""What each sub-command of ``manage_runs`` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import CliError, Conflict, Exit, WrongUse
from ingestion.services.runs.replay import ModelReplay, Wanted
from ingestion.services.runs.replay import accept as accepted
from ingestion.services.runs.replay import replay as replayed
from ingestion.services.security.secrets import mask
from ingestion.sync.common.errors import SyncBusy, SyncError
from ingestion.sync.common.progress import SilentReporter

EXAMPLES = 10


class RecordsLeft(CliError):
    """``replay`` could not load all."""

    code = "RECORDS_LEFT"


class NotFound(CliError):
    """There is no such CRM, model or run."""

    code = "NOT_FOUND"
    exit = Exit.NOT_FOUND


def replay(cli: Cli, options: Options) -> None:
    """Raises RecordsLeft."""
    wanted = Wanted(options["crm"], options["model"], options["run"], options["dry_run"])
    found = _replayed(cli, options, wanted)
    if cli.out.as_json:
        models = [one.to_dict() for one in found]
        cli.out.data({"schema": 1, "dry_run": wanted.dry_run, "models": models})
    else:
        cli.out.lines(_lines(found, is_dry=wanted.dry_run))
    if left := sum(len(one.left) for one in found):
        raise RecordsLeft(f"{left} record{'' if left == 1 else 's'} cannot be loaded.")


def accept(cli: Cli, options: Options) -> None:
    """Raises WrongUse without a column."""
    if bool(options["names"]) == options["all"]:
        raise WrongUse("Name the columns, or say --all; the model's page lists what is proposed.")
    names = None if options["all"] else options["names"]
    with _explained():
        found = accepted(options["crm"], options["model"], names, change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, "accepted": found})
    else:
        cli.out.lines(map(_accepted_line, found)) if found else cli.out.line("Nothing is proposed.")


def _accepted_line(one: dict[str, Any]) -> str:
    was = f"{one['was']} becomes " if one["was"] else "new, "
    return f"{one['column']}: {was}{one['becomes']}; the next run reads everything and fills it"


@contextmanager
def _explained() -> Iterator[None]:
    """What services raise as failures of a command."""
    try:
        yield
    except LookupError as unknown:
        raise NotFound(f"{unknown.args[0]}.") from unknown
    except SyncBusy as busy:
        raise Conflict(mask(str(busy))) from busy
    except SyncError as problem:
        raise CliError(mask(str(problem))) from problem


def _replayed(cli: Cli, options: Options, wanted: Wanted) -> list[ModelReplay]:
    with _explained():
        return list(replayed(wanted, SilentReporter(), change=cli.change(options)))


def _lines(found: list[ModelReplay], *, is_dry: bool) -> list[str]:
    if not found:
        return ["No record is rejected."]
    lines = []
    for one in found:
        would = "would be loaded" if is_dry else "loaded"
        name = f"{one.crm_source}.{one.model}"
        lines.append(
            f"{name}: {one.loaded} of {one.records} {would} ({one.created} new, {one.updated}"
            f" changed), {len(one.left)} left"
        )
        for left in one.left[:EXAMPLES]:
            lines.append(f"- {left['key'] or 'no key'}: {left['reason']}: {left['detail']}")
        if len(one.left) > EXAMPLES:
            lines.append(f"- and {len(one.left) - EXAMPLES} more; --json lists all")
    return lines
