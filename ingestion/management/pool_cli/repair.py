"""``fix-stuck``, ``import-old-state``, ``take-over``, ``clear-queue``, ``reset-state``: when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.management.cli import lines
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.pool_cli.tasks import filters, queue_actions
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.failover.connections import other_installation

SHOWN_TASKS = 10
LOST = ("active", "queued", "delayed", "held", "dead_letters")


def fix_stuck(cli: Cli, options: Options) -> None:
    _show_counts(cli, cli.pool.fix_stuck(change=cli.change(options)))


def import_old_state(cli: Cli, options: Options) -> None:
    """What an older version pickled; nothing that it names is run."""
    _show_counts(cli, cli.pool.import_old_state(change=cli.change(options)))


def take_over(cli: Cli, options: Options) -> None:
    """After the question: what another installation has there is lost to it."""
    if not options["yes"]:
        said = (
            other_installation() or "The pool's keys in Redis belong to this installation already."
        )
        cli.out.talk(said)
        cli.out.confirm("Replace what Redis holds by the tasks of this database?", flag="--yes")
    _show_counts(cli, cli.pool.take_over(change=cli.change(options)))


def clear_queue(cli: Cli, options: Options) -> None:
    """Cancel what waits: all of it, or what matches a filter."""
    wanted = filters.task_filter(options)
    if wanted is not None:
        queue_actions.all_that_match(cli, options, "cancel", filters.of_waiting(wanted))
        return
    filters.agree(
        cli, options, cli.pool.peek().waiting_count, question="Cancel all {tasks} that wait?"
    )
    cancelled = cli.pool.clear_queue(change=cli.change(options))
    _show_counts(cli, {"cancelled": cancelled})


def reset_state(cli: Cli, options: Options) -> None:
    """Forget everything; the question tells what would be lost."""
    if not options["yes"]:
        _confirm_loss(cli)
    _show_counts(cli, cli.pool.reset_state(force=True, change=cli.change(options)))


def _confirm_loss(cli: Cli) -> None:
    stake = cli.pool.reset_state()
    try:
        snapshot = cli.pool.snapshot(queue_limit=SHOWN_TASKS)
    except PoolUnavailable as problem:
        cli.out.talk(f"The state cannot be read: {problem}")
    else:
        for said in lines.at_stake(snapshot):
            cli.out.talk(said)
    lost = ", ".join(f"{stake[name]} {name}" for name in LOST)
    question = f"End every task ({lost.replace('_', ' ')}) and delete the pool's keys in Redis?"
    cli.out.confirm(question, flag="--force")


def _show_counts(cli: Cli, counts: Mapping[str, object]) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, **counts})
    else:
        cli.out.lines(
            f"{name.replace('_', ' ').capitalize()}: {lines.printable(str(count))}"
            for name, count in counts.items()
        )
