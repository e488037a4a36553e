"""Proves that the warehouse holds what the CRMs hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Column, Table

from ingestion.management.cli.cli import actor
from ingestion.management.sync_output import command_reporter
from ingestion.pool.change import ChangeRequest
from ingestion.services.runs import deletions, held
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import LOOK_UPS, verify
from ingestion.services.runs.verification_report import FAULTS, ModelReport
from ingestion.services.security.secrets import mask
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.registry import crms

COUNTS = ("source_rows", "warehouse_rows", *FAULTS)


class Command(BaseCommand):
    help = (
        "Read CRMs in full and compare every record with the warehouse, twice: as a sync reads them, "
        "and what was sent, by a reading that shares nothing with the sync's; ask the CRM for its own "
        "count and look some records up by key. Exit 1 unless all agree. Rows that are marked as "
        "deleted, or older than what the CRM keeps, do not count."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crm", nargs="+", choices=sorted(crms()), metavar="CRM")
        parser.add_argument("--model", help="only this model")
        parser.add_argument(
            "--accept-deletions",
            metavar="MODEL",
            help="read this model in full and mark as deleted what is gone, also where runs have held"
            " it back because it is much; kept in the audit record",
        )
        parser.add_argument(
            "--dismiss-deletions",
            metavar="MODEL",
            help="leave in the warehouse what runs have held back of this model; they are partial"
            " because of it no more, until there is more of it; kept in the audit record",
        )
        parser.add_argument(
            "--reason", default="", metavar="TEXT", help="why; kept in the audit record"
        )
        parser.add_argument(
            "--look-ups",
            type=int,
            default=LOOK_UPS,
            metavar="N",
            help="how many records of each model are looked up by key, at most; 0: none"
            f" (default {LOOK_UPS}; 5 where each is a request)",
        )
        parser.add_argument("--json", action="store_true", help="print the reports as JSON")
        parser.add_argument("--no-progress", action="store_true", help="show no progress")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["accept_deletions"] or options["dismiss_deletions"]:
            self._decide(options)
            return
        if options["look_ups"] < 0:
            raise CommandError("--look-ups must be 0 or more.", returncode=2)
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

    def _decide(self, options: dict[str, Any]) -> None:
        asked = [n for n in ("accept_deletions", "dismiss_deletions") if options[n]]
        flag = f"--{asked[0].replace('_', '-')}"
        if len(options["crm"]) != 1 or options["model"]:
            raise CommandError(f"{flag} takes one CRM, and no --model.", returncode=2)
        if len(asked) > 1:
            raise CommandError(
                "--accept-deletions and --dismiss-deletions contradict.", returncode=2
            )
        if options["dismiss_deletions"]:
            self._dismiss(options)
        else:
            self._accept(options)

    def _dismiss(self, options: dict[str, Any]) -> None:
        (name,), model = options["crm"], options["dismiss_deletions"]
        change = ChangeRequest(by=actor(), reason=options["reason"])
        try:
            row = held.decide(name, model, "dismissed", change=change)
        except held.NothingHeld as problem:
            raise CommandError(str(problem), returncode=1) from problem
        if options["json"]:
            self.stdout.write(json.dumps(held.to_dict(row)))
        else:
            self.stdout.write(f"{name}.{model}: {row.count} records stay as they are")

    def _accept(self, options: dict[str, Any]) -> None:
        (name,), model = options["crm"], options["accept_deletions"]
        silent = options["json"] or options["no_progress"]
        try:
            with command_reporter(name, silent=silent) as reporter:
                change = ChangeRequest(by=actor(), reason=options["reason"])
                result = deletions.accept(name, model, RunHandle(reporter), change=change)
        except (SyncError, LookupError) as problem:
            raise CommandError(mask(str(problem)), returncode=1) from problem
        if options["json"]:
            self.stdout.write(json.dumps(result.to_dict()))
        else:
            self.stdout.write(f"{name}.{model}: {result.counts['deleted']} marked as deleted")


def _reports(options: dict[str, Any]) -> Iterator[ModelReport]:
    for name in options["crm"]:
        silent = options["json"] or options["no_progress"]
        with command_reporter(name, silent=silent) as reporter:
            yield from verify(name, options["model"], reporter, look_ups=options["look_ups"])


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
        for note in _notes(report):
            console.print(f"{report.crm_source}.{report.model}: {note}", markup=False)


def _notes(report: ModelReport) -> Iterator[str]:
    """What was found, by example, how it was compared, and what to do."""
    yield from filter(None, (report.not_offered, *report.wrong_types, *report.examples))
    yield from report.notes
    if report.forgotten:
        yield f"{report.forgotten} rows are older than what the CRM keeps; they are no difference"
    if report.advice:
        yield f"to do: {report.advice}"


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
