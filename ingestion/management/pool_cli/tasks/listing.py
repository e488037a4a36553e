"""``list-tasks``: the tasks that run and that wait."""

from __future__ import annotations

from dataclasses import replace

from ingestion.management.cli import lines, tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.pool_cli.tasks.filters import task_filter
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.reporting import task_list


def list_tasks(cli: Cli, options: Options) -> None:
    """Without --active and --queued both are meant, as with both."""
    both = options["active"] == options["queued"]
    snapshot = _matching(cli, options)
    show_active, show_queued = both or options["active"], both or options["queued"]
    if cli.out.as_json:
        cli.out.data(_shape(snapshot, show_active=show_active, show_queued=show_queued))
        return
    detail = lines.Detail.FULL if options["verbose"] else lines.Detail.BRIEF
    _show(cli, _part(snapshot, show_active=show_active, show_queued=show_queued), detail)


def _matching(cli: Cli, options: Options) -> PoolSnapshot:
    wanted, limit = task_filter(options), options["limit"]
    if wanted is None:
        return cli.pool.snapshot(queue_limit=limit)
    return task_list.matching(cli.pool, wanted, limit=limit)


def _part(snapshot: PoolSnapshot, *, show_active: bool, show_queued: bool) -> PoolSnapshot:
    if not show_active:
        snapshot = replace(snapshot, active=())
    if not show_queued:
        snapshot = replace(snapshot, queued=(), delayed=(), held=())
        snapshot = replace(snapshot, queued_count=0, delayed_count=0, held_count=0)
    return snapshot


def _shape(snapshot: PoolSnapshot, *, show_active: bool, show_queued: bool) -> dict[str, object]:
    """The lists asked for, named as in ``status --json``."""
    names = ["schema", "taken_at"]
    names += ["active_count", "active"] if show_active else []
    waiting = ["queued_count", "delayed_count", "held_count", "queued", "delayed", "held"]
    names += waiting if show_queued else []
    whole = snapshot.to_dict()
    return {name: whole[name] for name in names}


def _show(cli: Cli, snapshot: PoolSnapshot, detail: lines.Detail) -> None:
    found = [*lines.active_section(snapshot, detail), *lines.waiting_sections(snapshot, detail)]
    if not found:
        cli.out.talk("No tasks.")
    elif cli.out.draws_tables:
        cli.out.draw(*tables.tasks(snapshot, detail))
    else:
        cli.out.lines(found)
