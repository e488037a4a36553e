"""What each sub-command of ``manage_schedules`` does."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import CliError, WrongUse
from ingestion.management.schedules_cli import lines
from ingestion.management.schedules_cli.words import fields_of
from ingestion.models import SyncSchedule
from ingestion.services.requests.routing import known_crms
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.errors import InvalidSchedule


class Findings(CliError):
    """``check`` found something."""

    code = "FINDINGS"


def list_(cli: Cli, options: Options) -> None:
    crm_source = options["crm"].strip().lower()
    if crm_source and crm_source not in known_crms():
        raise WrongUse(f"There is no CRM {crm_source!r}; there are {', '.join(known_crms())}.")
    found = schedules.stored(crm_source)
    if cli.out.as_json:
        cli.out.data({"schema": 1, "schedules": schedules.to_dicts(found)})
    else:
        lines.show_all(cli.out, found, crm_source=crm_source)


def show(cli: Cli, options: Options) -> None:
    _show(cli, schedules.find(options["schedule"]))


def add(cli: Cli, options: Options) -> None:
    """With --dry-run only its times are shown."""
    fields = {**fields_of(options), "enabled": not options["disabled"]}
    if options["dry_run"]:
        _preview(cli, fields)
        return
    _show_and_warn(cli, schedules.create(fields, change=cli.change(options)))


def edit(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    changes = fields_of(options)
    if not changes:
        raise WrongUse("Say what to change, e.g. --every 30m; see 'edit --help'.")
    _show_and_warn(cli, schedules.edit(found.pk, changes, change=cli.change(options)))


def enable(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    run_now = bool(options["run_now"])
    switched = schedules.set_enabled(found.pk, True, run_now=run_now, change=cli.change(options))
    _show_and_warn(cli, switched)


def disable(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    _show(cli, schedules.set_enabled(found.pk, False, change=cli.change(options)))


def run(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    task_id = schedules.run(found.pk, change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, "schedule_id": found.pk, "task_id": task_id or None})
    else:
        cli.out.line(task_id or "Sent to a Celery worker; it runs beside the pool's limit.")


def runs(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    rows = schedules.runs(found.pk, limit=options["limit"])
    if cli.out.as_json:
        shape = [schedules.run_to_dict(row) for row in rows]
        cli.out.data({"schema": 1, "schedule_id": found.pk, "runs": shape})
    else:
        cli.out.lines([lines.run_line(row) for row in rows] or ["It has not run yet."])


def delete(cli: Cli, options: Options) -> None:
    found = schedules.find(options["schedule"])
    if not options["yes"]:
        cli.out.confirm(f"Delete the schedule {found.name!r}?", flag="--yes")
    schedule_id = found.pk
    schedules.delete(schedule_id, change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, "deleted": schedule_id})
    else:
        cli.out.line(f"Deleted {found.name}; its runs stay in the history.")


def export(cli: Cli, options: Options) -> None:
    cli.out.data(schedules.export_all())


def import_(cli: Cli, options: Options) -> None:
    wanted = _read(options["file"])
    counts = schedules.import_all(wanted, dry_run=options["dry_run"], change=cli.change(options))
    if cli.out.as_json:
        cli.out.data({"schema": 1, "dry_run": options["dry_run"], **counts})
    else:
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        cli.out.line(f"{told}{' (dry run: nothing was stored)' if options['dry_run'] else ''}.")
    lines.warn(cli.out, schedules.judge())


def check(cli: Cli, options: Options) -> None:
    """Raises Findings."""
    found = schedules.judge()
    if cli.out.as_json:
        cli.out.data({"schema": 1, "findings": [one.to_dict() for one in found]})
    elif found:
        cli.out.lines(f"- {one.code}: {one.sentence}" for one in found)
    else:
        cli.out.line("The schedules go together.")
    if found:
        raise Findings(f"{len(found)} finding{'' if len(found) == 1 else 's'}.")


def _show(cli: Cli, found: SyncSchedule) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "schedule": schedules.to_dict(found)})
    else:
        cli.out.lines(lines.whole(found))


def _preview(cli: Cli, fields: dict[str, Any]) -> None:
    found = schedules.preview(fields)
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
    else:
        cli.out.lines([f"Runs {found.words}.", *lines.times(found.next_runs)])


def _show_and_warn(cli: Cli, found: SyncSchedule) -> None:
    """Of all that is wrong, what it has to do with."""
    _show(cli, found)
    subjects = {found.crm_source, found.route, found.name, "pool"}
    lines.warn(cli.out, (one for one in schedules.judge() if one.subject in subjects))


def _read(name: str) -> list[dict[str, Any]]:
    """Raises WrongUse for what no export has written."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
        wanted = json.loads(text)["schedules"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise WrongUse(f"{name} holds no exported schedules ({problem}).") from problem
    if not isinstance(wanted, list) or not all(isinstance(one, dict) for one in wanted):
        raise InvalidSchedule({"schedules": "must be a list of objects."})
    return wanted
