"""``manage.py manage_runs``: the history and what runs have left behind, on the command line."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.run import run
from ingestion.management.runs_cli.parser import add_subcommands


class Command(BaseCommand):
    help = "List, show and repeat runs, read their logs, and load again what they have rejected."
    # Its output is read by programs, and it must work while something is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: object, **options: object) -> None:
        run(self, options)
