"""Which task a typed ID means: a whole one, or a beginning that only one task has."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.management.cli.failures import WrongUse
from ingestion.models import SyncHistory
from ingestion.pool.errors import TaskNotFound

ID_LENGTH = 36
SHORTEST = 4
SHOWN_MATCHES = 10


def find(typed: str) -> str:
    """The whole ID. The ledger has a row per task and an index on it, so that this costs the same
    with ten and with a million tasks; open tasks are meant before ended ones.

    Raises WrongUse for a beginning that is too short or that several tasks share, TaskNotFound
    when none has it.
    """
    wanted = typed.strip().lower()
    if len(wanted) >= ID_LENGTH:
        return wanted
    if len(wanted) < SHORTEST:
        raise WrongUse(f"{typed!r} is too short: give at least {SHORTEST} characters of the ID.")
    found = _matches(wanted, only_open=True) or _matches(wanted, only_open=False)
    if not found:
        raise TaskNotFound(f"No task's ID begins with {typed!r}; 'list-tasks' shows them.")
    if len(found) > 1:
        raise WrongUse(f"{typed!r} is the beginning of several IDs: {_listed(found)}.")
    return found[0]


def _matches(wanted: str, *, only_open: bool) -> Sequence[str]:
    rows = SyncHistory.objects.filter(worker_pool_task_id__startswith=wanted)
    if only_open:
        rows = rows.filter(status__in=SyncHistory.OPEN_STATUSES)
    names = rows.order_by("worker_pool_task_id").values_list("worker_pool_task_id", flat=True)
    return [name for name in names[: SHOWN_MATCHES + 1] if name]


def _listed(found: Sequence[str]) -> str:
    rest = " and more" if len(found) > SHOWN_MATCHES else ""
    return ", ".join(found[:SHOWN_MATCHES]) + rest
