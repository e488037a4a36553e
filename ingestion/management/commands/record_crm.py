"""Records what a CRM sends, with made-up values in place of people's, to hand a fault over."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion.management.sync import add_batch_size, add_bounds
from ingestion.management.sync_output import command_reporter
from ingestion.services.runs.recording import NotRecorded, Recording, record
from ingestion.services.security.secrets import mask_error
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.registry import crms
from ingestion.sync.common.run import SyncOptions

FAILED, WRONG_USE = 1, 2
SHOWN_LINES = 40


def _new_file(text: str) -> Path:
    path = Path(text)
    if path.exists():
        raise ArgumentTypeError(f"{text} exists already")
    if not path.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {path.parent}")
    return path


class Command(BaseCommand):
    help = (
        "Read a model of a CRM, load nothing, and write what was exchanged into a file that may be "
        "handed over: without secrets, and with made-up values of the same shape in place of people's. "
        "Shows what it would write, and asks before it does. manage.py crm_sandbox --replay plays it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crm", choices=sorted(crms()), metavar="CRM")
        parser.add_argument("model", metavar="MODEL")
        parser.add_argument("--out", required=True, type=_new_file, metavar="FILE")
        parser.add_argument(
            "--yes", action="store_true", help="write without a question; needed without a terminal"
        )
        parser.add_argument("--no-progress", action="store_true", help="show no progress")
        what = parser.add_argument_group("what to read (default: everything)")
        add_bounds(what)
        add_batch_size(what)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with command_reporter(options["crm"], silent=options["no_progress"]) as reporter:
                found = record(options["crm"], options["model"], _options(options), reporter)
        except LookupError as unknown:
            raise CommandError(f"{unknown.args[0]}.", returncode=WRONG_USE) from unknown
        except SyncError as problem:
            code = WRONG_USE if isinstance(problem, NotRecorded) else FAILED
            raise CommandError(mask_error(str(problem)), returncode=code) from problem
        self._show(found)
        self._check_wanted(options)
        _write(options["out"], found.text)
        self.stdout.write(f"Written to {options['out']}; play it with")
        self.stdout.write(f"  python manage.py crm_sandbox --replay {options['out']}")

    def _show(self, found: Recording) -> None:
        """Values as they are are shown to whoever has them anyway, and kept nowhere."""
        bundle = found.bundle
        console = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
        console.print(
            f"{bundle.crm}.{bundle.model}: {bundle.outcome}; {len(bundle.exchanges)} requests and"
            f" answers, {len(found.text.encode()):,} bytes"
        )
        if found.failure:
            console.print(f"The run failed, which is recorded too: {found.failure}", markup=False)
        settings = ", ".join(f"{n}={v}" for n, v in bundle.settings.items()) or "none"
        console.print(f"Settings that go along: {settings}", markup=False)
        console.print("\nThese values are written as they are. Look whether one is somebody's:")
        console.print(_table(found.stays, are_made_up=False))
        console.print("\nThese become made-up ones:")
        console.print(_table(found.goes, are_made_up=True))
        console.print("\nThe file begins with:")
        for line in found.text.splitlines()[:SHOWN_LINES]:
            console.print(line, markup=False)

    def _check_wanted(self, options: dict[str, Any]) -> None:
        if options["yes"]:
            return
        if not sys.stdin.isatty():
            raise CommandError("Nothing was written: add --yes.", returncode=WRONG_USE)
        answer = input(f"Write this to {options['out']}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was written.", returncode=FAILED)


def _options(options: dict[str, Any]) -> SyncOptions:
    start, end = options["start_date"], options["end_date"]
    if start and end and end < start:
        raise CommandError("--end-date is before --start-date.", returncode=WRONG_USE)
    return SyncOptions(
        mode="delta" if start or end else "full",
        start_date=start,
        end_date=end,
        max_records=options["max_records"],
        batch_size=options["batch_size"],
    )


def _table(seen: dict[str, Any], *, are_made_up: bool) -> Table:
    table = Table("field", "values", "for example")
    for name in sorted(seen):
        pairs = seen[name].examples.items()
        shown = (f"{old} → {new}" if are_made_up else old for old, new in pairs)
        table.add_row(escape(name), str(seen[name].count), escape("; ".join(shown)))
    return table


def _write(path: Path, text: str) -> None:
    """For its owner alone, until its owner hands it over; never over another file."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise CommandError(
            f"{path} cannot be written: {problem.strerror}.", returncode=FAILED
        ) from problem
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
