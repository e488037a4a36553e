"""Writes docs/datasets.md from the CRM folders, as makecommands writes the commands."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion import installation_conf
from ingestion.services.crms import dataset_docs
from ingestion.sync.common.registry import crms


class Command(BaseCommand):
    help = "Write docs/datasets.md: every table and setting of the CRM folders."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")

    def handle(self, *args: Any, **options: Any) -> None:
        base_dir, found = installation_conf.system_conf().base_dir, crms().values()
        if options["check"] and dataset_docs.is_stale(base_dir, found):
            raise CommandError(
                f"{dataset_docs.FILE} is stale: run 'manage.py makedatasets'.", returncode=1
            )
        if not options["check"]:
            dataset_docs.write(base_dir, found)
        self.stdout.write(f"{dataset_docs.FILE} is up to date.")
