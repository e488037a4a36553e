"""``pause``, ``resume``, ``drain``: when nothing new is to start."""

from __future__ import annotations

import time

from ingestion.management.cli import lines
from ingestion.management.cli.cli import COMMAND, Cli, Options
from ingestion.management.cli.failures import CliError, Conflict, WrongUse
from ingestion.management.pool_cli import draining
from ingestion.pool.controls import PoolControls
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot

POLL_SECONDS = 1.0
# A deployment restarts Redis too; only after this time is it called unreachable.
PATIENCE_SECONDS = 30.0


class NotDrained(CliError):
    """Tasks still run."""

    code = "NOT_DRAINED"


def pause(cli: Cli, options: Options) -> None:
    made = cli.pool.pause(
        options["crm"],
        change=cli.change(options),
        expires_at=options["expires"],
    )
    _show(cli, made, f"{_what(options['crm'])} is paused; what runs goes on.")


def resume(cli: Cli, options: Options) -> None:
    """The pool, a CRM, or one worker."""
    if options["worker"]:
        draining.resume(cli, options)
        return
    made = cli.pool.resume(options["crm"], change=cli.change(options))
    _show(cli, made, f"{_what(options['crm'])} goes on.")


def _what(crm_source: str | None) -> str:
    return lines.printable(crm_source) if crm_source else "The pool"


def _show(cli: Cli, made: PoolControls, said: str) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "controls": made.to_dict()})
    else:
        cli.out.line(said)


def drain(cli: Cli, options: Options) -> None:
    """Pause the whole pool, and with --wait stay until nothing runs. Raises NotDrained."""
    if options["timeout"] is not None and not options["wait"]:
        raise WrongUse("--timeout needs --wait.")
    if options["worker"]:
        draining.drain(cli, options)
        return
    change = cli.change({**options, "reason": options["reason"] or "drain"})
    cli.pool.pause(change=change, expires_at=options["expires"])
    cli.out.talk(f"Nothing new starts until '{COMMAND} resume'.")
    if options["wait"]:
        snapshot = _until_empty(cli, options["timeout"])
    else:
        snapshot = cli.pool.snapshot(queue_limit=0)
    _show_drained(cli, snapshot)
    if options["wait"] and snapshot.active:
        raise NotDrained(f"{options['timeout']:g} seconds are over; {_left(snapshot)}.")


def _until_empty(cli: Cli, timeout_seconds: float | None) -> PoolSnapshot:
    """The pool when nothing runs any more, or when time is up. Raises Conflict, PoolUnavailable."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    told = -1
    while True:
        snapshot = _look(cli)
        is_over = deadline is not None and time.monotonic() >= deadline
        if not snapshot.active or is_over:
            return snapshot
        if snapshot.controls.pause is None:
            raise Conflict("Somebody has resumed the pool; it is not drained.")
        if snapshot.active_count != told:
            cli.out.talk(_left(snapshot))
            told = snapshot.active_count
        time.sleep(POLL_SECONDS)


def _look(cli: Cli) -> PoolSnapshot:
    """Raises PoolUnavailable when the pool stays out of reach."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return cli.pool.snapshot(queue_limit=0)
        except PoolUnavailable:
            if time.monotonic() >= patience:
                raise
            time.sleep(POLL_SECONDS)


def _left(snapshot: PoolSnapshot) -> str:
    routes = ", ".join(lines.printable(task.route) for task in snapshot.active)
    return f"{snapshot.active_count} still running: {routes}"


def _show_drained(cli: Cli, snapshot: PoolSnapshot) -> None:
    if cli.out.as_json:
        cli.out.data(
            {
                "schema": 1,
                "drained": not snapshot.active,
                "active": [task.to_dict() for task in snapshot.active],
                "queued_count": snapshot.queued_count,
                "controls": snapshot.controls.to_dict(),
            }
        )
    elif snapshot.active:
        cli.out.lines(lines.active_section(snapshot, lines.Detail.HOLDER))
    else:
        cli.out.line("Nothing runs.")
