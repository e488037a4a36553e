"""The words of ``manage_runs``: its sub-commands and their options."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter

from django.core.management.base import CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.subcommands import Subcommands, add_reason, add_yes
from ingestion.management.runs_cli import history, logs, verbs
from ingestion.models import SyncHistory
from ingestion.services.runlog.lines import LEVELS

EXAMPLES = """examples:
  manage.py manage_runs list --crm hubspot --status failed --since 1d
  manage.py manage_runs show 1234
  manage.py manage_runs retry 1234
  manage.py manage_runs retry --status failed --since 2h --yes
  manage.py manage_runs tail --follow
  manage.py manage_runs logs 1234 --follow
  manage.py manage_runs replay --dry-run
  manage.py manage_runs replay hubspot contacts
  manage.py manage_runs replay hubspot --run 1234 --json
  manage.py manage_runs accept hubspot contacts lead_score

Exit codes: 0 fine, 1 failed or records are left, 2 wrong use, 3 not found, 4 another run of the model
is loading, or the run has not ended, 130 interrupted.
"""


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
    _history(found)
    word = found.add(
        "replay",
        verbs.replay,
        "Load rejected records again, without asking the CRM; say what is left and why.",
    )
    word.add_argument("crm", nargs="?", metavar="CRM", help="Only of this CRM.")
    word.add_argument("model", nargs="?", metavar="MODEL", help="Only of this model.")
    word.add_argument(
        "--run", metavar="ID", help="Only what this run has rejected: its number or its run_id."
    )
    word.add_argument("--dry-run", action="store_true", help="Try it, and change nothing.")
    add_reason(word)
    word = found.add("logs", logs.logs, "Show the log of a run.")
    word.add_argument("run", type=options.whole_number, metavar="ID", help="Its number.")
    word.add_argument("--follow", action="store_true", help="As it grows, until the run has ended.")
    word.add_argument("--level", choices=LEVELS, help="From this level on.")
    word.add_argument("--text", metavar="TEXT", help="Only lines that hold this.")
    word = found.add(
        "accept",
        verbs.accept,
        "Say yes to new columns and types that runs have proposed; the next run fills them.",
    )
    word.add_argument("crm", metavar="CRM")
    word.add_argument("model", metavar="MODEL")
    word.add_argument("names", nargs="*", metavar="COLUMN", help="Which; names of fields do too.")
    word.add_argument("--all", action="store_true", help="All that is proposed for the model.")
    add_reason(word)


def _history(found: Subcommands) -> None:
    word = found.add("list", history.list_runs, "List runs, the latest first.")
    _add_search(word)
    _add_limit(word, 50)
    word.add_argument("--cursor", default="", metavar="C", help="Go on where a list has ended.")
    word = found.add("show", history.show, "Show all that is known of a run.")
    word.add_argument("run", type=options.whole_number, metavar="ID", help="Its number.")
    word = found.add("retry", history.retry, "Submit runs again; print the IDs of the new tasks.")
    word.add_argument(
        "run", type=options.whole_number, nargs="*", metavar="ID", help="Their numbers."
    )
    _add_search(word)
    add_yes(word)
    add_reason(word)
    word = found.add("tail", history.tail, "Show the last runs, the latest at the end.")
    _add_search(word)
    _add_limit(word, 10)
    word.add_argument(
        "-f", "--follow", action="store_true", help="And each run as it begins and ends."
    )


def _add_search(word: ArgumentParser) -> None:
    """The filters of the page of the history."""
    word.add_argument("--crm", metavar="C", help="Only runs of this CRM.")
    word.add_argument("--type", metavar="T", help="Only runs of this sync type.")
    word.add_argument("--status", choices=SyncHistory.Status.values, help="Only those.")
    when = "2h, 3d, 2026-01-31 or a full time."
    word.add_argument(
        "--since", type=options.moment, metavar="TIME", help=f"Started at or after: {when}"
    )
    word.add_argument("--until", type=options.moment, metavar="TIME", help=f"Before: {when}")
    word.add_argument("--text", metavar="TEXT", help="Part of the error, its kind, or the task.")


def _add_limit(word: ArgumentParser, number: int) -> None:
    word.add_argument(
        *("-n", "--limit"),
        type=options.tasks_of_a_page,
        default=number,
        metavar="N",
        help=f"At most so many (default {number}).",
    )
