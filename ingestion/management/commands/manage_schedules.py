"""``manage.py manage_schedules``: the schedules of syncs on the command line."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.run import run
from ingestion.management.schedules_cli.parser import add_subcommands


class Command(BaseCommand):
    help = "List, make, change, run and move the schedules of syncs."
    # Its output is read by programs, and it must work while something is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: object, **options: object) -> None:
        run(self, options)
