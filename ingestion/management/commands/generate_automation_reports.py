"""``manage.py generate_automation_reports``: what happened in the last hours."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import actor
from ingestion.services.automation import html, report, reporting
from ingestion.services.security.audit import acting

LONGEST_HOURS = 31 * 24


class Command(BaseCommand):
    help = "Make a report of the syncs of the last hours, keep it, and tell people of it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--hours", type=_hours, default=12.0, help="how far to look back (12)")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--html", type=Path, metavar="FILE", help="write it as a page, too")
        parser.add_argument("--no-notice", action="store_true", help="tell nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        with acting(actor()):
            made, told = reporting.generate(hours=options["hours"], tells=not options["no_notice"])
        if options["html"]:
            options["html"].write_text(html.page(made))
        if options["json"]:
            self.stdout.write(json.dumps(report.to_dict(made), indent=2))
        else:
            self.stdout.write(f"Report {made.pk}. {report.headline(made)}")
        if told is False:
            self.stderr.write("Not everybody in AUTOMATION_NOTICE_URLS could be told.")


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= LONGEST_HOURS:
        raise ArgumentTypeError(f"must be more than 0 and at most {LONGEST_HOURS}")
    return hours
