"""``monitor``: what runs and what waits, once or again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from ingestion.management.cli import lines, tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import Failure, explain
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot


def monitor(cli: Cli, options: Options) -> None:
    if not options["continuous"]:
        _show(cli, cli.pool.snapshot())
    elif cli.out.draws_tables and not cli.out.as_json:
        _redraw(cli, options["interval"])
    else:
        _write(cli, options["interval"])


def rounds(cli: Cli, interval_seconds: float) -> Iterator[PoolSnapshot | Failure]:
    """One per round, for ever. A pool that cannot be reached is asked again: a monitor is most
    wanted while something is wrong."""
    while True:
        try:
            yield cli.pool.snapshot()
        except PoolUnavailable as problem:
            yield explain(problem)
        time.sleep(interval_seconds)


def _show(cli: Cli, snapshot: PoolSnapshot) -> None:
    if cli.out.as_json:
        cli.out.data(snapshot.to_dict(), in_one_line=True)
    elif cli.out.draws_tables:
        cli.out.draw(tables.monitor_round(snapshot))
    else:
        cli.out.lines(lines.monitor_round(snapshot))


def _write(cli: Cli, interval_seconds: float) -> None:
    """Round after round; on a pipe rich's Live would print the last one only."""
    for found in rounds(cli, interval_seconds):
        if isinstance(found, Failure):
            cli.out.fail(found)
        else:
            _show(cli, found)


def _redraw(cli: Cli, interval_seconds: float) -> None:
    """Each round in the place of the one before; a failure under the last good round."""
    last: RenderableType = Text()
    with Live(console=cli.out.console, auto_refresh=False) as live:
        for found in rounds(cli, interval_seconds):
            if isinstance(found, Failure):
                trouble = Text(f"Error: {found.message}", style="red")
                live.update(Group(last, trouble), refresh=True)
            else:
                last = tables.monitor_round(found)
                live.update(last, refresh=True)
