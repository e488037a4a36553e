"""Says whether credentials and access to the CRMs are in order, without loading anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ingestion.services.runs.check import ModelCheck, State, check_all_crms, check_crms
from ingestion.sync.common.registry import crms

WRONG, WRONG_USE = 1, 2


class Command(BaseCommand):
    help = (
        "Ask CRMs for a few records of each model: are credentials and rights in order? Loads "
        "nothing. Exit 0: all is right; 1: something is wrong; 2: wrong use."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("crm", nargs="*", metavar="CRM", help=f"of {', '.join(crms())}")
        parser.add_argument(
            "--all", action="store_true", help="every CRM of which a credential is set"
        )
        parser.add_argument("--model", help="only this model")
        parser.add_argument("--json", action="store_true", help="print the checks as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = _checks(options["crm"], options["model"], is_all=options["all"])
        if options["json"]:
            shown = {"is_right": not _wrong(checks), "checks": [c.to_dict() for c in checks]}
            self.stdout.write(json.dumps(shown))
        else:
            _print(checks)
        if wrong := _wrong(checks):
            raise CommandError(_verdict(wrong), returncode=WRONG)


def _checks(names: Sequence[str], model: str | None, *, is_all: bool) -> list[ModelCheck]:
    """Raises CommandError for wrong use, and where no CRM is configured at all."""
    if is_all == bool(names) or (is_all and model):
        raise CommandError(
            "Name one or more CRMs, with or without --model, or give --all alone.",
            returncode=WRONG_USE,
        )
    if not is_all:
        return _checks_of(tuple(dict.fromkeys(names)), model)
    checks = check_all_crms()
    if all(check.state is State.UNUSED for check in checks):
        raise CommandError(
            "No CRM is configured; .env.example lists the settings of each.", returncode=WRONG
        )
    return checks


def _checks_of(names: Sequence[str], model: str | None) -> list[ModelCheck]:
    try:
        return check_crms(names, model)
    except LookupError as unknown:
        raise CommandError(f"{unknown.args[0]}.", returncode=WRONG_USE) from unknown


def _wrong(checks: Sequence[ModelCheck]) -> list[ModelCheck]:
    return [check for check in checks if not check.is_right]


def _verdict(wrong: Sequence[ModelCheck]) -> str:
    named = ", ".join(_name(check) for check in wrong)
    return f"Something is wrong with {named}."


def _print(checks: Sequence[ModelCheck]) -> None:
    """A table on a terminal, one line per model otherwise."""
    console = Console(file=sys.stdout, highlight=False, soft_wrap=not sys.stdout.isatty())
    if console.is_terminal:
        console.print(_table(checks))
        return
    for check in checks:
        console.print(_line(check), markup=False)


def _line(check: ModelCheck) -> str:
    told = check.message if check.records is None else f"records seen {check.records}"
    return f"{_name(check)}: {_words(check.state)}, {told}"


def _table(checks: Sequence[ModelCheck]) -> Table:
    table = Table("model", "state", "records seen", "seconds", "what to do")
    for check in checks:
        records = "" if check.records is None else str(check.records)
        state = _words(check.state) if check.is_right else f"[bold red]{_words(check.state)}[/]"
        table.add_row(_name(check), state, records, f"{check.seconds:.1f}", escape(check.message))
    return table


def _name(check: ModelCheck) -> str:
    return check.crm_source if check.model is None else f"{check.crm_source}.{check.model}"


def _words(state: State) -> str:
    return state.replace("_", " ")
