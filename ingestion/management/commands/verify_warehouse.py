"""Proves that the warehouse holds what the CRMs hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Column, Table

from ingestion.management.sync_output import command_reporter
from ingestion.services.secrets import mask
from ingestion.services.verification import ModelReport, verify
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.registry import crms

COUNTS = ("source_rows", "warehouse_rows", "missing", "extra", "different", "duplicates")


class Command(BaseCommand):
    help = (
        "Read CRMs in full and compare every record with the warehouse; exit 1 unless they are "
        "equal. Rows that are marked as deleted do not count."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crm", nargs="+", choices=sorted(crms()), metavar="CRM")
        parser.add_argument("--model", help="only this model")
        parser.add_argument("--json", action="store_true", help="print the reports as JSON")
        parser.add_argument("--no-progress", action="store_true", help="show no progress")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reports = list(_reports(options))
        except SyncError as problem:
            raise CommandError(mask(str(problem)), returncode=1) from problem
        unequal = [report for report in reports if not report.is_equal]
        if options["json"]:
            shown = {"is_equal": not unequal, "models": [r.to_dict() for r in reports]}
            self.stdout.write(json.dumps(shown))
        else:
            _print(reports)
        if unequal:
            names = ", ".join(f"{r.crm_source}.{r.model}" for r in unequal)
            raise CommandError(
                f"{len(unequal)} of {len(reports)} tables differ from their CRM: {names}.",
                returncode=1,
            )
        if options["model"] and reports[0].not_offered:
            raise CommandError(f"Nothing was compared: {reports[0].not_offered}", returncode=1)


def _reports(options: dict[str, Any]) -> Iterator[ModelReport]:
    for name in options["crm"]:
        silent = options["json"] or options["no_progress"]
        with command_reporter(name, silent=silent) as reporter:
            yield from verify(name, options["model"], reporter)


def _print(reports: list[ModelReport]) -> None:
    """A table on a terminal, one line per model otherwise."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if console.is_terminal:
        console.print(_table(reports))
    else:
        for report in reports:
            counts = ", ".join(f"{name} {getattr(report, name)}" for name in COUNTS)
            console.print(f"{report.crm_source}.{report.model}: {_verdict(report)}, {counts}")
    for report in reports:
        for note in filter(None, (report.not_offered, *report.wrong_types, *report.examples)):
            console.print(f"{report.crm_source}.{report.model}: {note}", markup=False)


def _table(reports: list[ModelReport]) -> Table:
    counted = (Column(name.replace("_", " "), justify="right") for name in COUNTS)
    table = Table(Column("model", no_wrap=True), *counted, "verdict")
    for report in reports:
        counts = (f"{getattr(report, name):,}" for name in COUNTS)
        table.add_row(f"{report.crm_source}.{report.model}", *counts, _verdict(report))
    return table


def _verdict(report: ModelReport) -> str:
    if report.not_offered:
        return "not offered"
    return "equal" if report.is_equal else "DIFFERENT"
