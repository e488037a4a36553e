"""``manage.py manage_notices``: what is wrong, who is told, and whether messages arrive."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.run import run
from ingestion.management.schedules_cli.notices import add_subcommands


class Command(BaseCommand):
    help = "Show what is wrong and who is told of it; set and test the channels."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: object, **options: object) -> None:
        run(self, options)
