"""``list-tasks``: the tasks that run and that wait."""

from __future__ import annotations

from dataclasses import replace

from ingestion.management.cli import lines, tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.pool_cli.tasks.filters import task_filter
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.reporting import task_list


def list_tasks(cli: Cli, options: Options) -> None:
    """Without --active and --queued both are meant, as with both. What runs is on the first page."""
    both = options["active"] == options["queued"]
    is_first = not options["cursor"]
    show_active, show_queued = (both or options["active"]) and is_first, both or options["queued"]
    found = _found(cli, options)
    if cli.out.as_json:
        shape = _shape(found.snapshot, show_active=show_active, show_queued=show_queued)
        cli.out.data({**shape, **({"next_cursor": found.next_cursor} if show_queued else {})})
        return
    detail = lines.Detail.FULL if options["verbose"] else lines.Detail.BRIEF
    part = _part(found.snapshot, show_active=show_active, show_queued=show_queued)
    _show(cli, part, detail)
    if show_queued and found.next_cursor:
        cli.out.talk(_more(found))


def _found(cli: Cli, options: Options) -> task_list.Listed:
    return task_list.listed(
        cli.pool,
        task_filter(options),
        limit=options["limit"],
        cursor=options["cursor"],
        is_export=options["all"],
    )


def _more(found: task_list.Listed) -> str:
    return (
        f"{found.looked_at} waiting tasks were looked at. "
        f"Go on with --cursor {found.next_cursor}, or list all with --all."
    )


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
