"""``status``: the whole pool at one moment."""

from __future__ import annotations

from ingestion.conf import pool_conf
from ingestion.management.cli import lines, tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import NotHealthy, NothingRuns
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.reporting.health import problems

NO_WORKER = "No Celery worker is online: nothing will run until one comes."


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
    elif cli.is_shell and snapshot.runs_nothing:
        raise NothingRuns(NO_WORKER)


def _check(snapshot: PoolSnapshot, *, max_wait_minutes: float) -> None:
    """Raises NotHealthy that names all that is wrong, a line each."""
    found = problems(
        snapshot,
        monitor_seconds=pool_conf().monitor_seconds,
        max_wait_minutes=max_wait_minutes,
    )
    if said := "\n".join(f"- {problem}" for problem in found):
        kind = NothingRuns if snapshot.runs_nothing else NotHealthy
        raise kind(f"The pool needs attention:\n{said}")
