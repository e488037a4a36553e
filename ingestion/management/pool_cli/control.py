"""``config``, ``cancel``, ``process-queue``: what an operator does day by day."""

from __future__ import annotations

from typing import Any

from ingestion.management.cli import lines
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import WrongUse
from ingestion.management.pool_cli.tasks import filters, queue_actions
from ingestion.pool.errors import AlreadyFinished, TaskNotFound
from ingestion.pool.task import WorkerTask


def config(cli: Cli, options: Options) -> None:
    """Change a limit and the aging if they are given, then show what is in force."""
    changes_limit = options["max_workers"] is not None or options["no_limit"]
    changes_aging = options["priority_aging_seconds"] is not None
    _check_use(options, changes_limit=changes_limit, changes_aging=changes_aging)
    if changes_limit:
        _change_limit(cli, options)
    if changes_aging:
        cli.pool.set_priority_aging(options["priority_aging_seconds"], change=cli.change(options))
    _show(cli)


def _check_use(options: Options, *, changes_limit: bool, changes_aging: bool) -> None:
    if options["expires"] and not changes_limit:
        raise WrongUse("--expires needs --max-workers: nothing else here has an end.")
    if options["reason"] and not (changes_limit or changes_aging):
        raise WrongUse(
            "--reason needs --max-workers or --priority-aging-seconds: there is no change here."
        )
    if options["no_limit"] and (options["crm"] is None or options["max_workers"] is not None):
        raise WrongUse(
            "--no-limit takes the limit of a CRM away: give --crm, and no --max-workers."
        )
    if changes_aging and options["crm"] is not None:
        raise WrongUse("--priority-aging-seconds is for the whole pool: give no --crm.")


def _change_limit(cli: Cli, options: Options) -> None:
    given: dict[str, Any] = {"change": cli.change(options), "expires_at": options["expires"]}
    if options["crm"] is None:
        cli.pool.set_max_workers(options["max_workers"], **given)
    else:
        cli.pool.set_crm_limit(options["crm"], options["max_workers"], **given)


def _show(cli: Cli) -> None:
    snapshot = cli.pool.snapshot(queue_limit=0)
    if cli.out.as_json:
        whole = snapshot.to_dict()
        names = ("schema", "max_workers", "effective_limit", "limit", "controls", "warnings")
        cli.out.data({name: whole[name] for name in names})
    else:
        cli.out.lines(
            (
                f"Max workers: {lines.limit(snapshot)}",
                f"Priority aging: {lines.aging(snapshot.controls.priority_aging)}",
                *lines.control_lines(snapshot.controls),
                *lines.warnings(snapshot),
            )
        )


def cancel(cli: Cli, options: Options) -> None:
    typed = {value for value in (options["id"], options["task_id"]) if value}
    if len(typed) > 1:
        raise WrongUse("Give one task: 'cancel ID' or 'cancel --task-id ID'.")
    chosen = filters.chosen(options, sorted(typed))
    if chosen.filter is not None:
        queue_actions.all_that_match(cli, options, "cancel", chosen.filter)
    else:
        _cancel(cli, chosen.ids[0], options)


def _cancel(cli: Cli, task_id: str, options: Options) -> None:
    task = cli.pool.get_task_status(task_id)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {task_id}; 'list-tasks' shows the open ones.")
    if not cli.pool.cancel_task(task_id, change=cli.change(options)):
        raise AlreadyFinished(f"Task {task_id} has ended already; nothing was changed.")
    _say_cancelled(cli, cli.pool.get_task_status(task_id) or task)


def _say_cancelled(cli: Cli, task: WorkerTask) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict()})
    elif task.status.is_final:
        cli.out.line(f"Task {task.id}: {task.status}.")
    else:
        cli.out.line(f"Task {task.id}: asked to stop; it ends at its next page.")


def process_queue(cli: Cli, options: Options) -> None:
    started = cli.pool.process_queue()
    if cli.out.as_json:
        cli.out.data({"schema": 1, "started": started})
    else:
        cli.out.line(f"Started {started} queued task{'' if started == 1 else 's'}.")
