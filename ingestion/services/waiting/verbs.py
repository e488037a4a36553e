"""The verbs that answer why and when: of a task that waits, and of one that is not there yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.errors import NotQueued, Overlaps
from ingestion.pool.overlap import ALL, OnOverlap, can_coalesce, do_overlap
from ingestion.pool.snapshot import Explanation, PoolSnapshot
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.pool.waits import Reason, ReasonCode, StartRange
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.submission import Submission, prepare
from ingestion.services.tasks.lifecycle import TaskLife
from ingestion.services.waiting.explainer import Explainer
from ingestion.services.waiting.run_times import run_times
from ingestion.services.waiting.wait_reasons import line_reason

# Few tasks are read to begin with: most questions are about the head of the queue.
FIRST_LOOK = 200
# A preview is asked again and again; what lies beyond so many tasks nobody can foretell anyway.
DEEPEST_PREVIEW = 1000


@dataclass(frozen=True)
class Forecast:
    """What would become of a request. Without a ``position`` it lies far down in a long queue.
    ``coalesced_into`` is the task that waits already and would
    stand for it; position, reason and start are then that task's."""

    task: WorkerTask
    position: int | None
    reason: Reason
    start: StartRange | None
    coalesced_into: str | None = None

    @property
    def sentence(self) -> str:
        if self.coalesced_into is not None:
            return f"Task {self.coalesced_into} would stand for it; nothing new would be queued."
        if self.reason.code == ReasonCode.NEXT:
            return "It would start at once: a slot is free."
        return f"It would wait. {self.reason.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; the task is not stored, so that its id and times say nothing."""
        task = self.task
        return with_old_keys(
            {
                "crm_source": task.crm_source,
                "sync_type": task.sync_type,
                "parameters": task.parameters,
                "priority": task.priority,
                "sentence": self.sentence,
                "coalesced_into": self.coalesced_into,
                "position": self.position,
                "reason": self.reason.to_dict(),
                "start": self.start.to_dict() if self.start else None,
            }
        )


class Explaining(TaskLife):
    """Both only look."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._explainer = Explainer(run_times, default_max_workers=self._conf.max_workers)

    def explain(self, task_id: str) -> Explanation:
        """Why a task waits, its place, and when it will start. Errors: TaskNotFound, NotQueued."""
        task = self._known(task_id)
        for snapshot in self._deeper_and_deeper():
            explained = self._explainer.explained(snapshot)
            if found := explained.waits.get(task_id):
                return found
        status = self._known(task_id).status
        raise NotQueued(f"Task {task_id} ({task.route}) does not wait: it is {status}.")

    def forecast(self, asked: Submission) -> Forecast:
        """What ``submit`` would do with a request. Raises what it would raise; stores nothing."""
        good = prepare(asked, usual_attempts=self._conf.max_attempts)
        if coalesced_into := self._coalesced_into(good.task, good.on_overlap):
            found = self.explain(coalesced_into)
            return Forecast(found.task, found.position, found.reason, found.start, coalesced_into)
        return self._placed(good.task)

    def _placed(self, task: WorkerTask) -> Forecast:
        """As if it stood in the queue; far down in a long one without its place and start."""
        for snapshot in self._deeper_and_deeper(deepest=DEEPEST_PREVIEW):
            with_it = self._explainer.with_task(snapshot, task)
            if with_it is not None:
                found = self._explainer.explained(with_it).waits[task.id]
                return Forecast(task, found.position, found.reason, found.start)
        return Forecast(task, None, line_reason(snapshot, task.crm_source), None)

    def _deeper_and_deeper(self, *, deepest: int | None = None) -> Iterator[PoolSnapshot]:
        """The head of the queue, then all of it, or so much of it."""
        self._tend()
        snapshot = self._store.snapshot(queue_limit=FIRST_LOOK)
        yield snapshot
        whole = snapshot.waiting_count + FIRST_LOOK
        yield self._store.snapshot(queue_limit=min(whole, deepest or whole))

    def _coalesced_into(self, task: WorkerTask, on_overlap: OnOverlap) -> str | None:
        """The task that would stand for this one. Raises Overlaps where it would be refused."""
        if on_overlap == OnOverlap.ALLOW:
            return None
        for other in self._overlapping(task):
            if on_overlap == OnOverlap.REJECT:
                raise Overlaps(
                    f"{task.route} would not be submitted: task {other.id} ({other.route}) is "
                    f"{other.status}.",
                    other_id=other.id,
                )
            if other.status == TaskStatus.QUEUED and can_coalesce(other, task):
                return other.id
        return None

    def _overlapping(self, task: WorkerTask) -> Iterator[WorkerTask]:
        """The ledger has an index of them; the store says how each stands."""
        with as_unavailable():
            rows = list(_rows_like(task))
        for row in rows:
            other = self._store.get(row.worker_pool_task_id or "")
            if other is not None and not other.status.is_final and do_overlap(other, task):
                yield other


def _rows_like(task: WorkerTask) -> QuerySet[SyncHistory]:
    rows = SyncHistory.objects.filter(
        crm_source=task.crm_source,
        status__in=SyncHistory.OPEN_STATUSES,
        worker_pool_task_id__isnull=False,
    ).order_by("pk")
    if task.sync_type == ALL:
        return rows
    return rows.filter(sync_type__in=(task.sync_type, ALL))
