"""``status``: the whole pool at one moment."""

from __future__ import annotations

from ingestion.conf import pool_conf
from ingestion.management.pool_cli import lines, tables
from ingestion.management.pool_cli.cli import Cli, Options
from ingestion.management.pool_cli.failures import NotHealthy
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.health import problems


def status(cli: Cli, options: Options) -> None:
    snapshot = cli.pool.snapshot()
    if cli.out.as_json:
        cli.out.data(snapshot.to_dict())
    elif cli.out.draws_tables:
        cli.out.draw(*tables.status(snapshot, verbose=options["verbose"]))
    else:
        cli.out.lines(lines.status(snapshot, verbose=options["verbose"]))
    if options["check"]:
        _check(snapshot, max_wait_minutes=options["max_wait"])


def _check(snapshot: PoolSnapshot, *, max_wait_minutes: float) -> None:
    """Raises NotHealthy that names all that is wrong, a line each."""
    found = problems(
        snapshot,
        monitor_seconds=pool_conf().monitor_seconds,
        max_wait_minutes=max_wait_minutes,
    )
    if said := "\n".join(f"- {problem}" for problem in found):
        raise NotHealthy(f"The pool needs attention:\n{said}")
