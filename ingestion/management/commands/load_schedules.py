"""``manage.py load_schedules``: the standard set of schedules."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.run import run
from ingestion.management.schedules_cli import lines
from ingestion.management.schedules_cli.first_syncs import first_load
from ingestion.models import SyncSchedule
from ingestion.services.scheduling import load as schedule_load
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.load import CrmLoad, Finding
from ingestion.services.scheduling.standard import SETS, fields_of


class Command(BaseCommand):
    help = "Load a set of schedules; those that are there are set as the set says."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument("--set", choices=sorted(SETS), default="standard", dest="set_name")
        parser.add_argument(
            "--execution",
            choices=SyncSchedule.Execution.values,
            default=SyncSchedule.Execution.POOL.value,
            help="pool: within the limit; direct: beside it (default pool)",
        )
        parser.add_argument(
            "--every", type=_minutes, metavar="MINUTES", help="instead of each one's own interval"
        )
        parser.add_argument(
            "--first",
            nargs="+",
            metavar="CRM",
            help="in a new warehouse alone: those of these CRMs, and a first sync of each; print the "
            "rows as they arrive",
        )
        parser.add_argument("--no-wait", action="store_true", help="with --first: do not follow")
        parser.add_argument("--dry-run", action="store_true", help="only show the load they make")

    def handle(self, *args: object, **options: object) -> None:
        run(self, {**options, "method": first_load if options["first"] else load})


def load(cli: Cli, options: Options) -> None:
    wanted = fields_of(
        SETS[options["set_name"]], execution=options["execution"], every_minutes=options["every"]
    )
    counts = schedules.import_all(wanted, dry_run=options["dry_run"], change=cli.change(options))
    drafts = schedules.drafts(wanted)
    by_crm = schedule_load.load(schedule_load.plan(drafts))
    found = schedules.judge(drafts if options["dry_run"] else None)
    if cli.out.as_json:
        cli.out.data({"schema": 1, **counts, **_shape(by_crm, found, options)})
    else:
        cli.out.line(_summary(counts, is_dry=options["dry_run"]))
        cli.out.lines(lines.load_line(crm) for crm in by_crm)
        lines.warn(cli.out, found)


def _shape(
    by_crm: tuple[CrmLoad, ...], found: tuple[Finding, ...], options: Options
) -> dict[str, Any]:
    return {
        "dry_run": options["dry_run"],
        "load": [crm.to_dict() for crm in by_crm],
        "findings": [one.to_dict() for one in found],
    }


def _summary(counts: dict[str, int], *, is_dry: bool) -> str:
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"{told}{' (dry run: nothing was stored)' if is_dry else ''}."


def _minutes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise ArgumentTypeError(f"{text!r} must be a whole number of minutes from 1 to 10000")
    return int(text)
