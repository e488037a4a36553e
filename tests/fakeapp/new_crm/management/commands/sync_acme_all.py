"""The command of a CRM that only a newer version of the project has. ``--batch-size`` is a label."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from tests.fakeapp.management.commands.sync_five9_contacts import write_down


class Command(BaseCommand):
    stealth_options = ("run",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--batch-size", type=int)
        parser.add_argument("--max-records", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        write_down("start", options["batch_size"])
        write_down("end", options["batch_size"])
