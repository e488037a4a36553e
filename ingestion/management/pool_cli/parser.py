"""The words of ``manage_worker_pool``: its sub-commands and their options."""

from __future__ import annotations

from argparse import SUPPRESS, RawDescriptionHelpFormatter

from django.core.management.base import CommandParser

from ingestion.management.cli import options
from ingestion.management.cli.subcommands import (
    Subcommands,
    add_agreement,
    add_filter,
    add_reason,
    add_yes,
)
from ingestion.management.pool_cli import doctor, monitor, operating, records, repair, status
from ingestion.management.pool_cli.tasks import explaining, listing

EXAMPLES = """examples:
  manage.py manage_worker_pool submit hubspot contacts --param full=true --wait
  manage.py manage_worker_pool status --verbose
  manage.py manage_worker_pool monitor --continuous --interval 2
  manage.py manage_worker_pool explain 3f2a9c1e
  manage.py manage_worker_pool cancel 3f2a9c1e
  manage.py manage_worker_pool hold --crm hubspot --yes
  manage.py manage_worker_pool drain --wait --timeout 900
  manage.py manage_worker_pool config --max-workers 5 --reason "night shift"

An ID may be shortened to a beginning that only one task has.
Exit codes: 0 fine, 1 failed, 2 wrong use, 3 not found, 4 conflict,
5 broker or cache unreachable, 130 interrupted.
"""


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    words = Subcommands(parser)
    for add in (_watching, operating.add, _repairing):
        add(words)


def _watching(words: Subcommands) -> None:
    _status(words)
    _monitor(words)
    _list_tasks(words)
    _explain(words)
    _audit(words)


def _status(words: Subcommands) -> None:
    word = words.add("status", status.status, "Show the pool: limit, slots, queue, workers.")
    word.add_argument("--verbose", action="store_true", help="Every task in full, every worker.")
    word.add_argument(
        "--check",
        action="store_true",
        help="For monitoring: exit 1 when the pool is degraded, no worker is online, the monitor is "
        "overdue, the queue does not move, or entries were set aside.",
    )
    word.add_argument(
        "--max-wait",
        type=options.minutes,
        default=60.0,
        metavar="MINUTES",
        help="With --check: how long a task may wait while every slot is taken (default 60).",
    )


def _monitor(words: Subcommands) -> None:
    word = words.add("monitor", monitor.monitor, "Show what runs and what waits.")
    word.add_argument("--continuous", action="store_true", help="Again and again, until Ctrl-C.")
    word.add_argument(
        "--interval",
        type=options.interval_seconds,
        default=2.0,
        metavar="SECONDS",
        help="Pause between two rounds (default 2).",
    )


def _list_tasks(words: Subcommands) -> None:
    word = words.add("list-tasks", listing.list_tasks, "List the tasks that run and that wait.")
    word.add_argument("--active", action="store_true", help="Only those that run.")
    word.add_argument("--queued", action="store_true", help="Only those that wait.")
    word.add_argument("--verbose", action="store_true", help="Every task in full.")
    add_filter(word)
    word.add_argument(
        "--limit",
        type=options.tasks_of_a_page,
        default=100,
        metavar="N",
        help="Show the first N waiting tasks (default 100, at most 500). Without a filter the counts "
        "are of all, with one of those that match among 500.",
    )
    word.add_argument("--cursor", default="", metavar="C", help="Go on where a list has ended.")
    word.add_argument("--all", action="store_true", help="An export: all that wait, page by page.")


def _explain(words: Subcommands) -> None:
    word = words.add(
        "explain", explaining.explain, "Say why a task waits, who holds the slots, when it starts."
    )
    word.add_argument("id", metavar="ID", help="A task's ID or its beginning.")


def _audit(words: Subcommands) -> None:
    word = words.add("audit", records.show, "Show who did what, when and why; the latest first.")
    word.add_argument("--task", metavar="ID", help="Only of this task; a beginning is enough.")
    word.add_argument("--action", default="", metavar="A", help="Only this, e.g. cancel or limit.")
    word.add_argument(
        "--since", type=options.moment, metavar="TIME", help="2h, 3d, 2026-01-31 or a full time."
    )
    word.add_argument(
        "--limit",
        type=options.shown_tasks,
        default=50,
        metavar="N",
        help="Show N records (default 50).",
    )


def _repairing(words: Subcommands) -> None:
    doctor_word = words.add(
        "doctor",
        doctor.doctor,
        "Compare slots, queue, ledger, workers and clocks; exit 1 where they disagree.",
    )
    doctor_word.add_argument("--repair", action="store_true", help="Carry out the repairs.")
    add_reason(doctor_word)
    fix = words.add(
        "fix-stuck", repair.fix_stuck, "End lost and stale tasks, send unconfirmed ones again."
    )
    add_reason(fix)
    old = words.add(
        "import-old-state",
        repair.import_old_state,
        "Take over the tasks that an older version left pickled in Redis; nothing of it is run.",
    )
    add_reason(old)
    taking = words.add(
        "take-over",
        repair.take_over,
        "Put this installation's state into a Redis that holds another's; after a restore.",
    )
    add_yes(taking)
    add_reason(taking)
    clear = words.add(
        "clear-queue", repair.clear_queue, "Cancel every task that waits, or those that match."
    )
    add_filter(clear)
    add_agreement(clear)
    add_reason(clear)
    reset = words.add(
        "reset-state", repair.reset_state, "End every task and delete the pool's state."
    )
    add_yes(reset)
    add_reason(reset)
