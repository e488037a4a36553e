"""``manage.py deploy_check``: all that keeps this installation from production, each with its cure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.checks import ERROR, WARNING, CheckMessage, run_checks
from django.core.management.base import BaseCommand, CommandParser

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import NotHealthy
from ingestion.management.cli.run import run
from ingestion.services.deployment import machine, servers, site, warehouse, workers

LEVELS = {ERROR: "error", WARNING: "warning"}


class Command(BaseCommand):
    help = (
        "Name all that keeps this installation from production, each with its cure: settings, tables, "
        "static files, the first account, Redis, PostgreSQL, warehouse, clocks, queues, workers, disk, file "
        "modes, HTTPS. Exits 1 when there is an error; warnings are for you to weigh."
    )
    requires_system_checks: list[str] = []  # it runs them itself

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")
        parser.add_argument("--strict", action="store_true", help="exit 1 for a warning too")
        parser.add_argument(
            "--before-start",
            action="store_true",
            help="leave out what only a running system can answer: workers, queues, beat",
        )

    def handle(self, *args: object, **options: object) -> None:
        run(self, {**options, "method": check})


def check(cli: Cli, options: Options) -> None:
    """Raises NotHealthy."""
    found = [message for message in _messages(options) if not message.is_silenced()]
    found.sort(key=lambda message: -message.level)
    errors = sum(message.level >= ERROR for message in found)
    fails = bool(found) if options["strict"] else bool(errors)
    if cli.out.as_json:
        shown = [_shape(message) for message in found]
        cli.out.data({"schema": 1, "ready": not fails, "findings": shown})
    else:
        cli.out.lines(_lines(found))
    if fails:
        raise NotHealthy(f"{errors} errors and {len(found) - errors} warnings; see above.")


def _messages(options: Options) -> Iterator[CheckMessage]:
    yield from run_checks(include_deployment_checks=True, databases=["default"])
    yield from site.settings_problems()
    yield from site.preparation_problems()
    yield from servers.redis_problems()
    yield from servers.database_problems()
    yield from warehouse.warehouse_problems()
    yield from machine.disk_problems()
    if not options["before_start"]:
        yield from workers.worker_problems()


def _shape(message: CheckMessage) -> dict[str, Any]:
    return {
        "id": message.id,
        "level": LEVELS.get(message.level, "info"),
        "message": str(message.msg),
        "cure": str(message.hint or ""),
    }


def _lines(found: list[CheckMessage]) -> Iterator[str]:
    if not found:
        yield "Nothing is missing."
    for message in found:
        yield f"{LEVELS.get(message.level, 'info').upper()} {message.id}: {message.msg}"
        if message.hint:
            yield f"  Cure: {message.hint}"
