"""``manage.py manage_data``: the rows of the warehouse on the command line."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.run import run
from ingestion.management.data_cli.parser import add_subcommands


class Command(BaseCommand):
    help = "Look at the rows of the warehouse."
    # Its output is read by programs, and it must work while something is wrong.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: object, **options: object) -> None:
        run(self, options)
