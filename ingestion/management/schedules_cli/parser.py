"""The words of ``manage_schedules``: its sub-commands and their options."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter

from django.core.management.base import CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.cli import Verb
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.management.schedules_cli import verbs, words
from ingestion.models import SyncSchedule

EXAMPLES = """examples:
  manage.py manage_schedules add "nightly leads" genius leads --cron "0 4 * * 1-5" --timezone America/Denver
  manage.py manage_schedules add contacts hubspot contacts --every 15m --priority 5 --dry-run
  manage.py manage_schedules enable contacts --run-now
  manage.py manage_schedules export > schedules.json

SCHEDULE is an ID or a name.
Exit codes: 0 fine, 1 failed or findings, 2 wrong use, 3 not found, 4 name taken,
5 broker, cache or ledger unreachable, 130 interrupted.
"""


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
    for add in (_watching, _changing, _running, _moving):
        add(found)


def _watching(found: Subcommands) -> None:
    word = found.add("list", verbs.list_, "List the schedules, their next and last runs.")
    word.add_argument("--crm", default="", help="Only of this CRM.")
    _one(found, "show", verbs.show, "Show one schedule, all of it.")
    word = _one(found, "runs", verbs.runs, "Show its runs, the latest first.")
    word.add_argument("--limit", type=options.shown_tasks, default=20, metavar="N")
    found.add("check", verbs.check, "Say which schedules overlap or cannot keep up; then exit 1.")


def _changing(found: Subcommands) -> None:
    word = found.add("add", verbs.add, "Make a schedule.")
    add_reason(word)
    for name in ("name", "crm", "model"):
        word.add_argument(name, metavar=name.upper())
    _add_fields(word)
    word.add_argument("--disabled", action="store_true", help="Leave it switched off.")
    word.add_argument("--dry-run", action="store_true", help="Only show when it would run.")
    word = _action(found, "edit", verbs.edit, "Change a schedule.")
    word.add_argument("--name", help="Its new name.")
    _add_fields(word)
    word = _action(found, "delete", verbs.delete, "Delete a schedule; its runs stay.")
    word.add_argument("--yes", action="store_true", help="Do not ask.")


def _running(found: Subcommands) -> None:
    word = _action(found, "enable", verbs.enable, "Switch on; it runs at its next time.")
    word.add_argument("--run-now", action="store_true", help="Run it at once, too.")
    _action(found, "disable", verbs.disable, "Switch off.")
    _action(found, "run", verbs.run, "Run it now; print the task's ID.")


def _moving(found: Subcommands) -> None:
    found.add("export", verbs.export, "Print all schedules as JSON.")
    word = found.add("import", verbs.import_, "Create and change schedules from an export.")
    word.add_argument("file", metavar="FILE", help="A file, or - for stdin.")
    word.add_argument("--dry-run", action="store_true", help="Store nothing.")


def _one(found: Subcommands, name: str, verb: Verb, help: str) -> ArgumentParser:
    word = found.add(name, verb, help)
    word.add_argument("schedule", metavar="SCHEDULE", help="An ID or a name.")
    return word


def _action(found: Subcommands, name: str, verb: Verb, help: str) -> ArgumentParser:
    word = _one(found, name, verb, help)
    add_reason(word)
    return word


def _add_fields(word: ArgumentParser) -> None:
    word.add_argument("--every", type=words.every, metavar="TIME", help="e.g. 15m, 2h, 1d")
    word.add_argument(
        "--cron", type=words.cron, metavar="WORDS", help="e.g. '0 4 * * 1-5', as in a crontab"
    )
    word.add_argument("--timezone", metavar="ZONE", help="Of --cron, e.g. Europe/Berlin.")
    word.add_argument("--mode", choices=SyncSchedule.Mode.values)
    word.add_argument("--execution", choices=SyncSchedule.Execution.values)
    word.add_argument("--priority", type=options.whole_number, metavar="N")
    word.add_argument(
        "--param",
        type=options.parameter,
        action="append",
        metavar="NAME=VALUE",
        help="An option of the sync; read as JSON where it is JSON. May be repeated.",
    )
    word.add_argument("--start", metavar="TIME", help="Not before, e.g. 2026-01-31T06:00:00Z.")
    word.add_argument("--end", metavar="TIME", help="Not after.")
