"""``manage.py backup``: ledger, warehouse and secrets into one folder, while everything runs."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import CliError
from ingestion.management.cli.options import whole_number
from ingestion.management.cli.run import run
from ingestion.services.backup import making
from ingestion.services.backup.bundle import BackupError


class Command(BaseCommand):
    help = (
        "Copy ledger (history, schedules, accounts, tasks), warehouse and secrets into a new folder in "
        "FOLDER, while everything runs. Keep it where this machine's disks are not. Put it back with: "
        "manage.py restore"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument(
            "--keep", type=whole_number, default=0, metavar="N", help="remove older ones but N"
        )
        parser.add_argument(
            "--no-secrets", action="store_true", help="leave .env and the keys in var/ out"
        )

    def handle(self, *args: object, **options: object) -> None:
        run(self, {**options, "method": make})


def make(cli: Cli, options: Options) -> None:
    """Raises CliError."""
    try:
        folder, manifest = making.make(
            options["folder"], keep=options["keep"], with_secrets=not options["no_secrets"]
        )
    except BackupError as problem:
        raise CliError(str(problem)) from problem
    if cli.out.as_json:
        cli.out.data({**manifest.to_dict(), "folder": str(folder)})
        return
    size = sum(stored.bytes for stored in manifest.files)
    cli.out.line(f"{folder}: {len(manifest.files)} files, {size / 1024**2:,.1f} MB")
    cli.out.line(", ".join(f"{count} {what}" for what, count in manifest.counts.items()))
    for sentence in manifest.left_out:
        cli.out.talk(f"Not in it: {sentence}")
