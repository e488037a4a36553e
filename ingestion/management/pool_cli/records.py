"""``audit``: who did what, when and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ingestion.management.cli import lines, tables
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import WrongUse
from ingestion.management.pool_cli.tasks import task_ids
from ingestion.models import AuditRecord
from ingestion.services.security import audit


def show(cli: Cli, options: Options) -> None:
    """The latest records first."""
    found = audit.find(
        target=task_ids.find(options["task"]) if options["task"] else "",
        action=_known_action(options["action"]),
        since=options["since"],
        limit=options["limit"],
    )
    if cli.out.as_json:
        cli.out.data({"schema": 1, "records": [audit.to_dict(record) for record in found]})
    elif not found:
        cli.out.talk("No records.")
    elif cli.out.draws_tables:
        cli.out.draw(tables.records([columns(record) for record in found]))
    else:
        cli.out.lines(line(record) for record in found)


def _known_action(typed: str) -> str:
    if typed and typed not in (known := audit.actions()):
        recorded = ", ".join(known) or "none yet"
        raise WrongUse(f"No record is of the action {typed!r}; recorded are: {recorded}.")
    return typed


def columns(record: AuditRecord) -> Sequence[str]:
    """When, what, which, who, why, before, after."""
    return (
        lines.stamp(record.at),
        record.action,
        lines.printable(record.target),
        lines.printable(record.actor),
        lines.printable(record.reason),
        said(record.before),
        said(record.after),
    )


def line(record: AuditRecord) -> str:
    at, action, target, by, why, before, after = columns(record)
    what = " ".join(word for word in (action, target) if word)
    change = " -> ".join(side for side in (before, after) if side)
    return f"{at} {what} by {by}" + (f": {why}" if why else "") + (f" [{change}]" if change else "")


def said(value: Any) -> str:
    """``status running, attempt 1``; empty for nothing."""
    if value is None:
        return ""
    if not isinstance(value, dict):
        return lines.printable(json.dumps(value))
    told = (f"{name} {_plain(item)}" for name, item in value.items() if item not in (None, {}))
    return lines.printable(", ".join(told))


def _plain(item: Any) -> str:
    return item if isinstance(item, str) else json.dumps(item)
