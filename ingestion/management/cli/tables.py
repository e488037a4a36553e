"""The pool on a terminal: the same facts as in ``lines``, in tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ingestion.management.cli import lines
from ingestion.management.cli.fitting import FittingTable
from ingestion.management.cli.lines import Detail, printable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import WorkerTask

STATE_STYLES = {
    "available": "green",
    "busy": "yellow",
    "overloaded": "red",
    "paused": "cyan",
    "unknown": "magenta",
}
BAR_WIDTH = 20
WORKER_STYLES = {"online": "green", "leaving": "yellow", "offline": "red"}


def status(snapshot: PoolSnapshot, *, verbose: bool) -> Iterator[RenderableType]:
    """The whole pool."""
    detail = Detail.FULL if verbose else Detail.HOLDER
    yield summary(snapshot)
    if controls := "\n".join(lines.control_lines(snapshot.controls)):
        yield Text(controls, style="yellow")
    if warnings := "\n".join(lines.warnings(snapshot)):
        yield Text(warnings, style="yellow")
    yield from tasks(snapshot, detail)
    if verbose and snapshot.workers:
        yield hosts(snapshot)
        yield workers(snapshot)
    if snapshot.dead_letters:
        yield Text("\n".join(lines.dead_letter_section(snapshot)), style="red")


def summary(snapshot: PoolSnapshot) -> Table:
    """The pool's numbers, the state in its colour, the slots as a bar."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    drawn: dict[str, RenderableType] = {
        "State": Text(snapshot.state, style=STATE_STYLES.get(snapshot.state, "")),
        "Active": bar(snapshot),
    }
    for name, value in lines.summary(snapshot).items():
        table.add_row(Text(name, style="bold"), drawn.get(name, value))
    return table


def bar(snapshot: PoolSnapshot) -> Table:
    """The slots in use, drawn and in numbers."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    drawn = ProgressBar(
        total=snapshot.limit.max_workers,
        completed=snapshot.active_count,
        width=BAR_WIDTH,
        finished_style="yellow",
    )
    grid.add_row(drawn, lines.slots(snapshot))
    return grid


def tasks(snapshot: PoolSnapshot, detail: Detail) -> Iterator[RenderableType]:
    """The tables that have rows."""
    if snapshot.active:
        yield active(snapshot)
    if snapshot.direct:
        yield Text("\n".join(lines.direct_section(snapshot)))
    if snapshot.queued:
        yield waiting("Queued tasks", snapshot.queued, snapshot.queued_count)
    if snapshot.delayed:
        yield waiting("Delayed tasks", snapshot.delayed, snapshot.delayed_count)
    if snapshot.held:
        yield waiting("Held tasks", snapshot.held, snapshot.held_count)
    if detail == Detail.FULL:
        yield from _facts(snapshot)


def _facts(snapshot: PoolSnapshot) -> Iterator[RenderableType]:
    at = snapshot.taken_at
    for task in (*snapshot.active, *snapshot.queued, *snapshot.delayed, *snapshot.held):
        waits = lines.wait_facts(snapshot.waits.get(task.id), at)
        yield Text("\n".join((f"Task {lines.short_id(task)}", *waits, *lines.facts(task))))


def active(snapshot: PoolSnapshot) -> FittingTable:
    columns = ("Task", "Sync", "Running for", "Held by", "Attempt", "Progress")
    table = FittingTable("Active tasks", columns, ("Attempt", "Held by", "Progress"))
    for task in snapshot.active:
        table.add_row(
            lines.short_id(task),
            printable(task.route),
            lines.running_for(task, snapshot.taken_at),
            lines.holder(task),
            f"{task.attempt} of {task.max_attempts}",
            lines.progress(task) + lines.cancelling(task),
        )
    return table


def waiting(title: str, found: Sequence[WorkerTask], total: int) -> FittingTable:
    """Tasks in the order in which they will run."""
    columns = ("#", "Task", "Sync", "Priority", "Submitted", "By", "Not before")
    table = FittingTable(title, columns, ("By", "#", "Submitted"))
    for place, task in enumerate(found, start=1):
        table.add_row(
            str(place),
            lines.short_id(task),
            printable(task.route),
            str(task.priority),
            lines.stamp(task.queued_at),
            lines.requester(task),
            lines.stamp(task.not_before) if task.not_before else "",
        )
    if total > len(found):
        table.caption = f"and {total - len(found)} more"
    return table


def hosts(snapshot: PoolSnapshot) -> FittingTable:
    columns = ("Host", "Workers", "Processes", "Running", "Release", "Last seen")
    table = FittingTable("Hosts", columns, ("Last seen",))
    for host in snapshot.hosts:
        table.add_row(
            printable(host.name),
            lines.host_workers(host),
            str(host.capacity),
            str(host.running),
            printable(", ".join(host.releases)),
            lines.stamp(host.last_seen_at),
        )
    return table


def workers(snapshot: PoolSnapshot) -> FittingTable:
    table = FittingTable(
        "Workers", ("Worker", "State", "Processes", "Release", "Last seen"), ("Last seen",)
    )
    for worker in snapshot.workers:
        table.add_row(
            printable(worker.name),
            Text(state := lines.worker_state(worker), style=WORKER_STYLES[state]),
            str(worker.capacity),
            printable(worker.release),
            lines.stamp(worker.last_seen_at),
        )
    return table


def records(rows: Iterable[Sequence[str]]) -> FittingTable:
    """The audit record."""
    columns = ("At", "Action", "Target", "By", "Why", "Before", "After")
    return _filled(FittingTable("Audit", columns, ("Before", "After", "Why", "Target")), rows)


def runs(rows: Iterable[Sequence[str]]) -> FittingTable:
    """The history."""
    columns = ("Run", "Sync", "Status", "Started (UTC)", "Took", "Rows", "Error")
    return _filled(FittingTable("Runs", columns, ("Rows", "Took", "Started (UTC)")), rows)


def monitor_round(snapshot: PoolSnapshot) -> Group:
    """One round of ``monitor``: its lines under a bar of the slots."""
    return Group(bar(snapshot), Text("\n".join(lines.monitor_round(snapshot))))


def _filled(table: FittingTable, rows: Iterable[Sequence[str]]) -> FittingTable:
    for row in rows:
        table.add_row(*row)
    return table
