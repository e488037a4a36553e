"""``load_schedules --first``: schedules and first syncs of a new warehouse, as ``up`` wants it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.output import Output
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.standard import STANDARD, fields_of
from ingestion.services.system.first_load import is_new

LOOK_SECONDS = 1.0
TELL_SECONDS = 10.0
COUNT_SECONDS = 60.0
REASON = "the first sync of a new warehouse"


def first_load(cli: Cli, options: Options) -> None:
    """Nothing in a warehouse that has run or scheduled anything before."""
    if is_new():
        FirstSyncs(cli).run(options["first"], follows=not options["no_wait"])


class FirstSyncs:
    """Submits them, and prints the rows as they arrive."""

    def __init__(self, cli: Cli) -> None:
        self._pool = cli.pool
        self._change = ChangeRequest(by=cli.actor, reason=REASON)
        self._out: Output = cli.out

    def run(self, crms: Sequence[str], *, follows: bool) -> None:
        tasks = self._begin(crms)
        self._say(f"loading {len(tasks)} CRMs for the first time; the dashboard shows it too")
        if follows:
            self._follow(tasks)

    def _begin(self, crms: Sequence[str]) -> dict[str, str]:
        """Task ids by CRM."""
        wanted = [found for found in STANDARD if found.crm_source in crms]
        schedules.import_all(fields_of(wanted, execution="pool"), change=self._change)
        return {
            crm: self._pool.submit_task(crm, "all", requested_by=self._change.by, reason=REASON)
            for crm in crms
        }

    def _follow(self, tasks: Mapping[str, str]) -> None:
        left, told_at, parent = dict(tasks), time.monotonic(), os.getppid()
        while left and os.getppid() == parent:  # it ends with whoever has started it
            time.sleep(LOOK_SECONDS)
            for row in self._ended(left):
                self._say(_ended_line(row))
                del left[row.crm_source]
            if left and time.monotonic() - told_at >= TELL_SECONDS:
                told_at = time.monotonic()
                self._tell_progress()
        if left:
            return
        total = sum(row.records_processed for row in self._rows(tasks))
        self._say(f"loaded: {total:,} rows; from now on the schedules keep it up to date")
        _count()

    def _ended(self, tasks: Mapping[str, str]) -> list[SyncHistory]:
        open_ones = SyncHistory.OPEN_STATUSES
        return [row for row in self._rows(tasks) if row.status not in open_ones]

    def _rows(self, tasks: Mapping[str, str]) -> list[SyncHistory]:
        return list(SyncHistory.objects.filter(worker_pool_task_id__in=tasks.values()))

    def _tell_progress(self) -> None:
        for task in self._pool.get_active_tasks():
            rows = task.progress.get("total_rows", 0)
            models = task.progress.get("models_total")
            of = f", {task.progress.get('models_done', 0)} of {models} models" if models else ""
            self._say(f"{task.route}: {rows:,} rows so far{of}")

    def _say(self, text: str) -> None:
        self._out.line(text)


def _count() -> None:
    """Else the pages would know of no rows until the monitor's first round."""
    # It loads SQLAlchemy, which no other subcommand needs.
    from ingestion.services.data import profiles

    profiles.refresh(seconds=COUNT_SECONDS)


def _ended_line(row: SyncHistory) -> str:
    seconds = row.duration_seconds or 0.0
    if row.status in (SyncHistory.Status.SUCCESS, SyncHistory.Status.PARTIAL):
        return f"{row.crm_source}: {row.records_processed:,} rows in {seconds:.0f} s"
    return f"{row.crm_source}: {row.status}: {row.error_message or 'no reason was given'}"
