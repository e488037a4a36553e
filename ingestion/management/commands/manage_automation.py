"""``manage.py manage_automation``: the rules, what they found, and what people decide."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.run import run
from ingestion.management.schedules_cli.automation import add_subcommands


class Command(BaseCommand):
    help = "Show, set and run the rules of the automation; decide on what they ask."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_subcommands(parser)

    def handle(self, *args: object, **options: object) -> None:
        run(self, options)
