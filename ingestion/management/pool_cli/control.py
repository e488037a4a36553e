"""``config``, ``cancel``, ``process-queue``: what an operator does day by day."""

from __future__ import annotations

from ingestion.management.pool_cli import lines, task_ids
from ingestion.management.pool_cli.cli import Cli, Options
from ingestion.management.pool_cli.failures import WrongUse
from ingestion.pool.errors import AlreadyFinished, TaskNotFound
from ingestion.pool.task import WorkerTask


def config(cli: Cli, options: Options) -> None:
    """Change the limit if one is given, then show the limit in force."""
    if options["max_workers"] is not None:
        cli.pool.set_max_workers(options["max_workers"], actor=cli.actor, reason=options["reason"])
    elif options["reason"]:
        raise WrongUse("--reason needs --max-workers: there is no change to give a reason for.")
    _show_limit(cli)


def _show_limit(cli: Cli) -> None:
    snapshot = cli.pool.snapshot(queue_limit=1)
    if cli.out.as_json:
        whole = snapshot.to_dict()
        names = ("schema", "max_workers", "effective_limit", "limit")
        cli.out.data({name: whole[name] for name in names})
    else:
        cli.out.line(f"Max workers: {lines.limit(snapshot)}")


def cancel(cli: Cli, options: Options) -> None:
    typed = {value for value in (options["id"], options["task_id"]) if value}
    if len(typed) != 1:
        raise WrongUse("Give one task: 'cancel ID' or 'cancel --task-id ID'.")
    task_id = task_ids.find(typed.pop())
    task = cli.pool.get_task_status(task_id)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {task_id}; 'list-tasks' shows the open ones.")
    if not cli.pool.cancel_task(task_id, actor=cli.actor, reason=options["reason"]):
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
