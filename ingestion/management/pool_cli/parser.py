"""The words of ``manage_worker_pool``: its sub-commands and their options."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import NoReturn

from django.core.management.base import CommandError, CommandParser

from ingestion.management.pool_cli import (
    control,
    doctor,
    listing,
    monitor,
    options,
    records,
    repair,
    status,
    submit,
)
from ingestion.management.pool_cli.cli import Verb
from ingestion.management.pool_cli.failures import Exit, Failure, WrongUse

EXAMPLES = """examples:
  manage.py manage_worker_pool submit hubspot contacts --param full=true --wait
  manage.py manage_worker_pool status --verbose
  manage.py manage_worker_pool monitor --continuous --interval 2
  manage.py manage_worker_pool cancel 3f2a9c1e
  manage.py manage_worker_pool config --max-workers 5 --reason "night shift"

An ID may be shortened to a beginning that only one task has.
Exit codes: 0 fine, 1 failed, 2 wrong use, 3 not found, 4 conflict,
5 broker or cache unreachable, 130 interrupted.
"""


class SubParser(CommandParser):
    """Refuses in one sentence instead of a page of usage, as JSON under ``--json``."""

    _as_json = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        self._as_json = "--json" in (args or ())
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unknown words: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        if not self.called_from_command_line:
            raise CommandError(message, returncode=Exit.WRONG_USE)
        failure = Failure(WrongUse.code, f"{message}; see '{self.prog} --help'.", Exit.WRONG_USE)
        shown = json.dumps(failure.to_dict()) if self._as_json else f"Error: {failure.message}"
        self.exit(failure.exit, f"{shown}\n")


def add_subcommands(parser: CommandParser) -> None:
    """Each sub-command sets ``method``, the Verb that carries it out."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--json", action="store_true", dest="as_json", help=SUPPRESS)
    words = Words(parser)
    for add in (_watching, _operating, _repairing):
        add(words)


class Words:
    """Adds sub-commands that know the base options too."""

    def __init__(self, parser: CommandParser) -> None:
        self._common = common_options()
        self._sub = parser.add_subparsers(
            dest="subcommand", metavar="COMMAND", required=True, parser_class=SubParser
        )

    def add(self, name: str, method: Verb, help: str) -> ArgumentParser:
        word = self._sub.add_parser(name, help=help, description=help, parents=[self._common])
        word.set_defaults(method=method)
        return word


def common_options() -> SubParser:
    """What may stand before and after the sub-command. Without a default, so that leaving it out
    after the sub-command does not undo what stood before it."""
    common = SubParser(add_help=False, argument_default=SUPPRESS)
    common.add_argument(
        "--json", action="store_true", dest="as_json", help="Print one JSON object."
    )
    common.add_argument("--no-color", action="store_true", help="No colour.")
    common.add_argument("--force-color", action="store_true", help=SUPPRESS)
    common.add_argument("-v", "--verbosity", type=int, choices=range(4), help=SUPPRESS)
    common.add_argument("--settings", help=SUPPRESS)
    common.add_argument("--pythonpath", help=SUPPRESS)
    common.add_argument("--traceback", action="store_true", help=SUPPRESS)
    return common


def _watching(words: Words) -> None:
    _status(words)
    _monitor(words)
    _list_tasks(words)
    _audit(words)


def _status(words: Words) -> None:
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


def _monitor(words: Words) -> None:
    word = words.add("monitor", monitor.monitor, "Show what runs and what waits.")
    word.add_argument("--continuous", action="store_true", help="Again and again, until Ctrl-C.")
    word.add_argument(
        "--interval",
        type=options.interval_seconds,
        default=2.0,
        metavar="SECONDS",
        help="Pause between two rounds (default 2).",
    )


def _list_tasks(words: Words) -> None:
    word = words.add("list-tasks", listing.list_tasks, "List the tasks that run and that wait.")
    word.add_argument("--active", action="store_true", help="Only those that run.")
    word.add_argument("--queued", action="store_true", help="Only those that wait.")
    word.add_argument("--verbose", action="store_true", help="Every task in full.")
    word.add_argument(
        "--limit",
        type=options.shown_tasks,
        default=1000,
        metavar="N",
        help="Show the first N waiting tasks (default 1000); the counts are of all of them.",
    )


def _audit(words: Words) -> None:
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


def _operating(words: Words) -> None:
    _submit(words)
    _config(words)
    _cancel(words)
    words.add("process-queue", control.process_queue, "Start queued tasks in free slots now.")


def _submit(words: Words) -> None:
    word = words.add("submit", submit.submit, "Submit a sync; print its task's ID.")
    word.add_argument("crm", metavar="CRM", help="e.g. hubspot")
    word.add_argument("sync_type", metavar="TYPE", help="e.g. contacts, or all")
    word.add_argument("--priority", type=options.whole_number, default=0, metavar="N")
    word.add_argument(
        "--param",
        type=options.parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="An option of the sync; read as JSON where it is JSON. May be repeated.",
    )
    word.add_argument(
        "--params",
        type=options.parameter_object,
        default={},
        metavar="JSON",
        help="All options of the sync as one JSON object.",
    )
    _add_reason(word)
    word.add_argument("--wait", action="store_true", help="Follow the task to its end.")
    word.add_argument(
        "--timeout",
        type=options.timeout_seconds,
        metavar="SECONDS",
        help="With --wait: exit 1 after this time; the task goes on.",
    )


def _config(words: Words) -> None:
    word = words.add("config", control.config, "Show or change how many syncs may run at once.")
    word.add_argument("--max-workers", type=options.whole_number, metavar="N")
    _add_reason(word)


def _cancel(words: Words) -> None:
    for name in ("cancel-task", "cancel"):
        word = words.add(name, control.cancel, "Cancel a task: take it off the queue or stop it.")
        word.add_argument("id", nargs="?", metavar="ID", help="A task's ID or its beginning.")
        word.add_argument("--task-id", metavar="ID", help="The same, as an option.")
        _add_reason(word)


def _repairing(words: Words) -> None:
    doctor_word = words.add(
        "doctor",
        doctor.doctor,
        "Compare slots, queue, ledger, workers and clocks; exit 1 where they disagree.",
    )
    doctor_word.add_argument("--repair", action="store_true", help="Carry out the cures.")
    _add_reason(doctor_word)
    fix = words.add(
        "fix-stuck", repair.fix_stuck, "End lost and stale tasks, send unconfirmed ones again."
    )
    _add_reason(fix)
    clear = words.add("clear-queue", repair.clear_queue, "Cancel every queued task.")
    _add_yes(clear)
    _add_reason(clear)
    reset = words.add(
        "reset-state", repair.reset_state, "End every task and delete the pool's state."
    )
    _add_yes(reset)
    _add_reason(reset)


def _add_reason(word: ArgumentParser) -> None:
    word.add_argument("--reason", default="", metavar="TEXT", help="Why; kept in the audit record.")


def _add_yes(word: ArgumentParser) -> None:
    word.add_argument("-y", "--yes", "--force", action="store_true", dest="yes", help="Do not ask.")
