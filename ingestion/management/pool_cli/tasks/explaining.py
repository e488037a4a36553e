"""``explain``: why a task waits, and when it will start; ``submit --dry-run`` tells the same of one
that is not there yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ingestion.management.cli import lines
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.pool_cli.tasks import task_ids
from ingestion.pool.snapshot import Explanation
from ingestion.pool.task import utc_now
from ingestion.pool.waits import Holder
from ingestion.services.waiting.verbs import Forecast


def explain(cli: Cli, options: Options) -> None:
    """Raises NotQueued for a task that runs or has ended, TaskNotFound."""
    found = cli.pool.explain(task_ids.find(options["id"]))
    if cli.out.as_json:
        cli.out.data({"schema": 1, **found.to_dict()})
    else:
        cli.out.lines(said(found, at=utc_now()))


def said(found: Explanation, *, at: datetime) -> Iterator[str]:
    """The whole explanation, line by line."""
    yield f"Task {found.task.id}: {lines.printable(found.task.route)} (priority: {found.task.priority})"
    yield f"Position: {found.position or 'in no line'}"
    yield f"Waits: {found.reason.code}. {lines.printable(found.reason.sentence)}"
    yield from (holder_line(holder) for holder in found.reason.holders)
    yield f"Start: {lines.start(found.start, at)}"


def holder_line(holder: Holder) -> str:
    since = f" since {lines.stamp(holder.since)}" if holder.since else ""
    worker = lines.printable(holder.worker) or "no worker yet"
    return f"  held by {holder.id} {lines.printable(holder.route)}{since}, {worker}"


def forecast_lines(found: Forecast, *, at: datetime) -> Iterator[str]:
    """What would become of a request."""
    yield found.sentence
    if found.coalesced_into is None:
        yield f"Position: {found.position or 'in no line'}"
        yield f"Start: {lines.start(found.start, at)}"
