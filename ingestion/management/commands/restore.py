"""``manage.py restore``: a backup in the place of what is there."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import CliError, Conflict
from ingestion.management.cli.run import run
from ingestion.services.backup import restoring
from ingestion.services.backup.bundle import BackupError, Manifest


class Command(BaseCommand):
    help = (
        "Put a backup of manage.py backup in the place of ledger and warehouse, and build the pool's "
        "state in Redis from it. Web, beat and workers must be stopped. Secrets are not touched: "
        "compare the files secret-* in the backup with .env and var/ by hand."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="BACKUP")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument("--check", action="store_true", help="only look whether it is whole")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: object, **options: object) -> None:
        run(self, {**options, "method": put_back})


def put_back(cli: Cli, options: Options) -> None:
    """After the question. Raises CliError, Conflict."""
    folder: Path = options["folder"]
    try:
        manifest = restoring.look(folder)
    except BackupError as problem:
        raise Conflict(str(problem)) from problem
    if options["check"]:
        _say(cli, manifest, {"files": len(manifest.files)})
        return
    if not options["yes"]:
        question = f"Replace ledger and warehouse by what they were at {manifest.created_at}?"
        cli.out.confirm(question, flag="--yes")
    try:
        done = restoring.put_back(folder, manifest, change=cli.change(options))
    except BackupError as problem:
        raise CliError(str(problem)) from problem
    _say(cli, manifest, done)
    if done["tasks"] is None:
        cli.out.talk("Next: manage.py deploy, then manage.py manage_worker_pool take-over --yes")


def _say(cli: Cli, manifest: Manifest, done: dict[str, int | None]) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "created_at": manifest.created_at, **done})
        return
    counts = ", ".join(f"{count} {what}" for what, count in manifest.counts.items())
    cli.out.line(f"backup of {manifest.created_at}: {counts}")
    for name, value in done.items():
        cli.out.line(f"{name}: {'not put in yet' if value is None else value}")
