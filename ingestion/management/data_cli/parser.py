"""The words of ``manage_data``: its subcommands and their options."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter

from django.core.management.base import CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.subcommands import Subcommands, add_reason
from ingestion.management.data_cli import verbs
from ingestion.services.data.rows import DELETED, MOST_ROWS, OPERATORS, Filter

EXAMPLES = """examples:
  manage.py manage_data list
  manage.py manage_data show hubspot contacts
  manage.py manage_data head hubspot deals --sort -amount --filter dealstage:eq:closedwon
  manage.py manage_data sources > models/sources.yml
  manage.py manage_data sql hubspot "SELECT dealstage, count(*) FROM deals_current GROUP BY 1"

Personal data and secrets are masked; --personal shows personal data, and is recorded in the audit.

Exit codes: 0 fine, 1 failed, 2 wrong use, 3 not found, 5 the warehouse cannot be reached.
"""


def add_subcommands(parser: CommandParser) -> None:
    """Each subcommand sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    found = Subcommands(parser)
    word = found.add("list", verbs.list_datasets, "List every dataset with its rows and freshness.")
    word.add_argument("crm", nargs="?", metavar="CRM", help="Only of this CRM.")
    word = found.add("show", verbs.show, "Show a dataset's columns, fields and figures.")
    _add_dataset(word)
    word = found.add("head", verbs.head, "Show its first rows.")
    _add_dataset(word)
    word.add_argument("--limit", type=row_count, default=10, metavar="N", help="So many rows (10).")
    word.add_argument(
        "--filter",
        type=row_filter,
        action="append",
        default=[],
        metavar="COLUMN:OPERATOR:VALUE",
        help=f"Only these rows; operators: {', '.join(OPERATORS)}. May stand several times.",
    )
    word.add_argument("--sort", default="", metavar="COLUMN", help="With a minus: highest first.")
    word.add_argument("--deleted", choices=DELETED, default="no", help="Rows that are gone too.")
    word.add_argument("--columns", default="", metavar="A,B", help="Only these columns.")
    word.add_argument("--cursor", default="", metavar="TEXT", help="Go on where a page ended.")
    _add_personal(word)
    word = found.add("changes", verbs.changes, "What the last runs created, updated and deleted.")
    _add_dataset(word)
    _add_personal(word)
    found.add("sources", verbs.sources, "Print the datasets as dbt's sources.")
    word = found.add("sql", verbs.ask, "Ask a CRM's tables in SQL; is recorded.")
    word.add_argument("crm", metavar="CRM", help="Whose tables have their plain names.")
    word.add_argument("sql", metavar="QUERY", help="One SELECT, or - to read it from stdin.")
    _add_personal(word)
    word = found.add("sql-roles", verbs.sql_roles, "Make the roles by which PostgreSQL is asked.")
    word.add_argument(
        "--print", action="store_true", dest="prints", help="Print the statements, carry out none."
    )
    add_reason(word)


def _add_dataset(word: ArgumentParser) -> None:
    word.add_argument("crm", metavar="CRM")
    word.add_argument("model", metavar="MODEL")


def _add_personal(word: ArgumentParser) -> None:
    word.add_argument("--personal", action="store_true", help="Show personal data; is recorded.")
    add_reason(word)


def row_count(text: str) -> int:
    number = options.count(text)
    if not 1 <= number <= MOST_ROWS:
        raise ArgumentTypeError(f"{number} is out of range: allowed is 1 to {MOST_ROWS}")
    return number


def row_filter(text: str) -> Filter:
    column, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    if operator not in OPERATORS:
        raise ArgumentTypeError(f"{text!r} must be COLUMN:OPERATOR:VALUE, e.g. city:eq:London")
    return Filter(column, operator, value)
