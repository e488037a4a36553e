"""Doing once more what the history tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError, TaskNotFound
from ingestion.pool.overlap import OnOverlap
from ingestion.services.requests.parameters import KNOWN
from ingestion.services.requests.submission import TAKEN_OVER, Submission, Submitted

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService


# Not who asked for it, when it was to begin and after what; the parameters are where ``parameters_of`` says.
REPEATED = tuple(
    name for name in TAKEN_OVER if name not in ("parameters", "requested_by", "not_before", "after")
)


class NotEnded(PoolError):
    """The run has not ended: there is nothing to do once more."""

    code = "NOT_ENDED"


def of_task(pool: WorkerPoolService, task_id: str, *, change: ChangeRequest) -> str:
    """Submit what a task of the pool was; the new task's id. Raises TaskNotFound, NotEnded."""
    row = SyncHistory.objects.filter(worker_pool_task_id=task_id).first()
    return _again(pool, row, change)


def of_run(pool: WorkerPoolService, history_id: int, *, change: ChangeRequest) -> str:
    """The same for any run, whichever entry point it came through. Raises TaskNotFound, NotEnded."""
    row = SyncHistory.objects.filter(pk=history_id).first()
    return _again(pool, row, change)


@dataclass(frozen=True)
class Reruns:
    """``submitted`` are new tasks; ``coalesced`` counts the runs that a waiting task
    stands for."""

    submitted: tuple[str, ...]
    coalesced: int

    def to_dict(self) -> dict[str, Any]:
        return with_old_keys({"submitted": list(self.submitted), "coalesced": self.coalesced})


def of_runs(
    pool: WorkerPoolService, history_ids: Sequence[int], *, change: ChangeRequest
) -> Reruns:
    """The same for several runs; what was asked twice is done once. Raises TaskNotFound, NotEnded
    before anything is submitted."""
    found = SyncHistory.objects.in_bulk(history_ids)
    rows = [_ended(found.get(history_id)) for history_id in dict.fromkeys(history_ids)]
    made = [_submitted(pool, row, change, on_overlap=OnOverlap.COALESCE) for row in rows]
    new = tuple(one.task_id for one in made if one.coalesced_into is None)
    return Reruns(new, len(made) - len(new))


def _again(pool: WorkerPoolService, row: SyncHistory | None, change: ChangeRequest) -> str:
    return _submitted(pool, _ended(row), change).task_id


def _ended(row: SyncHistory | None) -> SyncHistory:
    if row is None:
        raise TaskNotFound("The history knows no such run.")
    if row.status in SyncHistory.OPEN_STATUSES:
        raise NotEnded(f"The run has not ended, it is {row.status}; there is nothing to retry.")
    return row


def _submitted(
    pool: WorkerPoolService,
    row: SyncHistory,
    change: ChangeRequest,
    *,
    on_overlap: OnOverlap = OnOverlap.ALLOW,
) -> Submitted:
    asked = row.configuration
    repeated = {name: asked[name] for name in REPEATED if name in asked}
    again = Submission(
        row.crm_source,
        asked.get("asked") or row.sync_type,
        parameters_of(asked),
        **repeated,
        requested_by=change.by,
        reason=change.reason or f"retry of run {row.pk}",
        on_overlap=on_overlap,
    )
    return pool.submit(again)


def parameters_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A run of the command line keeps them beside everything else."""
    found = configuration.get("parameters")
    if isinstance(found, dict):
        return found
    return {name: value for name, value in configuration.items() if name in KNOWN}
