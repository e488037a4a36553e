"""The words of ``manage_runs``: its sub-commands and their options."""

from __future__ import annotations

from argparse import SUPPRESS, RawDescriptionHelpFormatter

from django.core.management.base import CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.management.runs_cli import logs, verbs
from ingestion.services.runlog.lines import LEVELS

EXAMPLES = """examples:
  manage.py manage_runs logs 1234 --follow
  manage.py manage_runs replay --dry-run
  manage.py manage_runs replay hubspot contacts
  manage.py manage_runs replay hubspot --run 1234 --json
  manage.py manage_runs accept hubspot contacts lead_score

Exit codes: 0 fine, 1 failed or records are left, 2 wrong use, 3 not found, 4 another run of the model
is loading, 130 interrupted.
"""


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
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
