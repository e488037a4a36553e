"""``config``, ``cancel``, ``process-queue``: what an operator does day by day."""

from __future__ import annotations

from typing import Any

from ingestion.management.pool_cli import filters, lines, order
from ingestion.management.pool_cli.cli import Cli, Options
from ingestion.management.pool_cli.failures import WrongUse
from ingestion.pool.errors import AlreadyFinished, TaskNotFound
from ingestion.pool.task import WorkerTask


def config(cli: Cli, options: Options) -> None:
    """Change a limit if one is given, then show the limits in force."""
    is_change = options["max_workers"] is not None or options["no_limit"]
    if not is_change and (options["reason"] or options["expires"]):
        raise WrongUse("--reason and --expires need --max-workers: there is no change here.")
    if options["no_limit"] and (options["crm"] is None or options["max_workers"] is not None):
        raise WrongUse(
            "--no-limit takes the limit of a CRM away: give --crm, and no --max-workers."
        )
    if is_change:
        _change_limit(cli, options)
    _show_limits(cli)


def _change_limit(cli: Cli, options: Options) -> None:
    given: dict[str, Any] = {
        "actor": cli.actor,
        "reason": options["reason"],
        "expires_at": options["expires"],
    }
    if options["crm"] is None:
        cli.pool.set_max_workers(options["max_workers"], **given)
    else:
        cli.pool.set_crm_limit(options["crm"], options["max_workers"], **given)


def _show_limits(cli: Cli) -> None:
    snapshot = cli.pool.snapshot(queue_limit=0)
    if cli.out.as_json:
        whole = snapshot.to_dict()
        names = ("schema", "max_workers", "effective_limit", "limit", "controls")
        cli.out.data({name: whole[name] for name in names})
    else:
        controls = lines.control_lines(snapshot.controls)
        cli.out.lines((f"Max workers: {lines.limit(snapshot)}", *controls))


def cancel(cli: Cli, options: Options) -> None:
    typed = {value for value in (options["id"], options["task_id"]) if value}
    if len(typed) > 1:
        raise WrongUse("Give one task: 'cancel ID' or 'cancel --task-id ID'.")
    chosen = filters.chosen(options, sorted(typed))
    if chosen.filter is not None:
        order.all_that_match(cli, options, "cancel", [chosen.filter])
    else:
        _cancel(cli, chosen.ids[0], options)


def _cancel(cli: Cli, task_id: str, options: Options) -> None:
    task = cli.pool.get_task_status(task_id)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {task_id}; 'list-tasks' shows the open ones.")
    given = {"reason": options["reason"], "expected_revision": options["revision"]}
    if not cli.pool.cancel_task(task_id, actor=cli.actor, **given):
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
