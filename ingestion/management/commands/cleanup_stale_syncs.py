"""``manage.py cleanup_stale_syncs``: close the rows of runs that nobody holds any more, and keep
the history small."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingestion.management.cli.cli import actor
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.maintenance.stale_syncs import StaleReport, clean_up
from ingestion.services.security.audit import acting
from ingestion.services.worker_pool import get_worker_pool


class Command(BaseCommand):
    help = (
        "Close SyncHistory rows of runs whose process or task is gone or does not move, thin the "
        "history by HISTORY_RETENTION_DAYS, remove what refers to nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--minutes",
            type=_minutes,
            help="how long a run may stand still (default: WORKER_POOL_STALE_MINUTES for tasks of "
            "the pool, a day for runs outside it); 0 closes all that is open",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what would be closed")

    def handle(self, *args: Any, minutes: float | None, dry_run: bool, **options: Any) -> None:
        try:
            with acting(actor()):
                report = clean_up(get_worker_pool(), minutes=minutes, dry_run=dry_run)
        except PoolUnavailable as problem:
            raise CommandError(f"The pool cannot be reached: {problem}", returncode=5) from problem
        for stale in report.found:
            self.stdout.write(f"{stale.row.pk} {stale.row} - {stale.why}")
        self.stdout.write(_summary(report, dry_run=dry_run))


def _summary(report: StaleReport, *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    closed = len(report.found) if dry_run else report.closed
    return (
        f"{len(report.found)} stale, {closed} {would}closed; {report.old} old rows of the history "
        f"{would}deleted; {report.orphans} orphans {would}removed."
    )


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0 <= minutes < 1e6:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return minutes
