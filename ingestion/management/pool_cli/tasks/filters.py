"""Which tasks a sub-command means: one, several, or all that match a filter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import Conflict, WrongUse
from ingestion.management.pool_cli.tasks import task_ids
from ingestion.services.tasks.bulk import RUNNING, WAITING, TaskFilter


@dataclass(frozen=True)
class Chosen:
    """The whole IDs that were typed, or a filter; one of the two."""

    ids: Sequence[str]
    filter: TaskFilter | None


def task_filter(options: Options) -> TaskFilter | None:
    """None when no filter was typed."""
    typed = TaskFilter(
        crm_source=options["crm"],
        sync_type=options["type"],
        status=options["status"],
        older_than_seconds=options["older_than"],
        requested_by=options["by"],
    )
    return None if typed == TaskFilter() else typed


def chosen(options: Options, typed: Sequence[str]) -> Chosen:
    """Raises WrongUse unless there are IDs or a filter, and not both."""
    found = task_filter(options)
    if bool(typed) == bool(found):
        raise WrongUse(
            "Give the IDs of tasks, or a filter (--crm --type --status --older-than --by); "
            "not both, and not neither."
        )
    return Chosen([task_ids.find(one) for one in dict.fromkeys(typed)], found)


def of_waiting(wanted: TaskFilter) -> TaskFilter:
    """Raises WrongUse when running tasks were asked for."""
    if wanted.status == RUNNING:
        raise WrongUse("This is for tasks that wait; of running ones there is only 'cancel'.")
    return replace(wanted, status=wanted.status or WAITING)


def agree(
    cli: Cli, options: Options, count: int, *, question: str, can_be_undone: bool = False
) -> None:
    """``question`` has a place for ``{tasks}``. Raises Conflict when --expected says another number,
    WrongUse when nobody can be asked: also when there is nothing to ask now, since a script that
    forgot to say yes must not work on some days only."""
    expected = options["expected"]
    if expected is not None and expected != count:
        raise Conflict(f"It is {counted(count)} now, not {expected}; nothing was changed.")
    if options["yes"] or expected is not None:
        return
    if count or not cli.out.can_ask:
        asked = question.format(tasks=counted(count))
        cli.out.confirm(asked, flag="--yes", can_be_undone=can_be_undone)


def counted(number: int) -> str:
    return f"{number} task{'' if number == 1 else 's'}"
