"""``manage.py cleanup_stale_syncs``: close the rows of runs that nobody holds any more."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.management.pool_cli.cli import actor
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.audit import acting
from ingestion.services.stale_syncs import close_stale_syncs
from ingestion.services.worker_pool import get_worker_pool


class Command(BaseCommand):
    help = "Close SyncHistory rows of runs whose process or task is gone or does not move."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--minutes",
            type=_minutes,
            help="how long a run may stand still (default: WORKER_POOL_STALE_MINUTES for tasks of "
            "the pool, a day for runs from a shell)",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what would be closed")

    def handle(self, *args: Any, minutes: float | None, dry_run: bool, **options: Any) -> None:
        try:
            with acting(actor()):
                report = close_stale_syncs(get_worker_pool(), minutes=minutes, dry_run=dry_run)
        except PoolUnavailable as problem:
            raise CommandError(f"The pool cannot be reached: {problem}", returncode=5) from problem
        for stale in report.found:
            self.stdout.write(f"{stale.row.pk} {stale.row} - {stale.why}")
        done = f"{len(report.found)} would be closed" if dry_run else f"{report.closed} closed"
        self.stdout.write(f"{len(report.found)} stale, {done}.")


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 < minutes < 1e6:
        raise argparse.ArgumentTypeError("must be more than 0")
    return minutes
