"""The words that operators use day by day: feed the pool, limit it, pause it, order its queue."""

from __future__ import annotations

from argparse import ArgumentParser

from ingestion.management.cli import options
from ingestion.management.cli.subcommands import Subcommands, add_choice, add_reason
from ingestion.management.pool_cli import breakers, control, pauses
from ingestion.management.pool_cli.tasks import queue_actions, submit
from ingestion.pool.overlap import OnOverlap


def add(words: Subcommands) -> None:
    """Every sub-command of this module."""
    _submit(words)
    _config(words)
    _pauses(words)
    breakers.add(words)
    queue_actions.add(words)
    _cancel(words)
    words.add("process-queue", control.process_queue, "Start queued tasks in free slots now.")


def _submit(words: Subcommands) -> None:
    word = words.add("submit", submit.submit, "Submit a sync; print its task's ID.")
    word.add_argument("crm", metavar="CRM", nargs="?", help="e.g. hubspot")
    word.add_argument("sync_type", metavar="TYPE", nargs="?", help="e.g. contacts, or all")
    word.add_argument(
        "--file",
        metavar="FILE",
        help="Submit up to 10,000 at once: a JSON object a line, e.g. "
        '{"crm_source": "hubspot", "sync_type": "deals", "priority": 5}; - for stdin.',
    )
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
    add_reason(word)
    word.add_argument(
        "--on-overlap",
        choices=[str(choice) for choice in OnOverlap],
        default=str(OnOverlap.ALLOW),
        help="Where a task does the same work already: run both (default), let that one do for this "
        "one too, or refuse.",
    )
    word.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="ID",
        help="Wait until this task has completed; be cancelled where it fails or is cancelled. May be "
        "repeated.",
    )
    word.add_argument(
        "--dry-run",
        action="store_true",
        help="Say what would happen, and when it would start; submit nothing.",
    )
    word.add_argument(
        "--strict",
        action="store_true",
        help="Refuse a TYPE that the CRM does not have, in place of running its fallback.",
    )
    word.add_argument("--wait", action="store_true", help="Follow the task to its end.")
    word.add_argument(
        "--timeout",
        type=options.timeout_seconds,
        metavar="SECONDS",
        help="With --wait: exit 1 after this time; the task goes on.",
    )


def _config(words: Subcommands) -> None:
    word = words.add(
        "config",
        control.config,
        "Show or change how many syncs may run at once, and what a level of priority is worth.",
    )
    _add_crm(word, "The limit of this CRM, beside that of the pool.")
    word.add_argument("--max-workers", type=options.whole_number, metavar="N")
    word.add_argument("--no-limit", action="store_true", help="With --crm: take its limit away.")
    word.add_argument(
        "--priority-aging-seconds",
        type=options.aging_seconds,
        metavar="N",
        help="So many seconds of waiting are worth one level of priority; 0: priority is strict. "
        "What waits is put into its new order before anything else starts.",
    )
    _add_expires(word, "the limit before it holds again")
    add_reason(word)


def _pauses(words: Subcommands) -> None:
    pause = words.add("pause", pauses.pause, "Start nothing new, of the pool or of one CRM.")
    _add_crm(pause, "Pause this CRM alone.")
    _add_expires(pause, "it goes on by itself")
    resume = words.add("resume", pauses.resume, "End a pause.")
    _add_crm(resume, "End the pause of this CRM; that of the pool stays.")
    resume.add_argument("--worker", metavar="NAME", help="This worker takes syncs again.")
    drain = words.add(
        "drain", pauses.drain, "Before a deployment: pause the pool, and wait until nothing runs."
    )
    drain.add_argument(
        "--worker", metavar="NAME", help="Only this worker, as 'status --verbose' lists it."
    )
    drain.add_argument("--wait", action="store_true", help="Stay until nothing runs any more.")
    drain.add_argument(
        "--timeout",
        type=options.timeout_seconds,
        metavar="SECONDS",
        help="With --wait: exit 1 after this time and name what still runs; the pause stays.",
    )
    _add_expires(drain, "the pool goes on by itself")
    for word in (pause, resume, drain):
        add_reason(word)


def _cancel(words: Subcommands) -> None:
    for name in ("cancel-task", "cancel"):
        word = words.add(name, control.cancel, "Cancel a task: take it off the queue or stop it.")
        word.add_argument("id", nargs="?", metavar="ID", help="A task's ID or its beginning.")
        word.add_argument("--task-id", metavar="ID", help="The same, as an option.")
        add_choice(word)


def _add_crm(word: ArgumentParser, help: str) -> None:
    word.add_argument("--crm", metavar="C", help=help)


def _add_expires(word: ArgumentParser, then: str) -> None:
    word.add_argument(
        "--expires",
        type=options.coming,
        metavar="TIME",
        help=f"90m, 2h, 3d or a time to come: after it {then}.",
    )
