"""The verbs that answer why and when: of a task that waits, and of one that is not there yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from ingestion.conf import PoolConf
from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.errors import NotQueued, Overlaps
from ingestion.pool.overlap import ALL, OnOverlap, can_coalesce, do_overlap, parameters_digest
from ingestion.pool.snapshot import Explanation, PoolSnapshot
from ingestion.pool.store import PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.pool.waits import Reason, ReasonCode, StartRange
from ingestion.services.infra.database import as_unavailable
from ingestion.services.requests.submission import Submission, prepare
from ingestion.services.tasks import chains
from ingestion.services.tasks.lifecycle import known
from ingestion.services.tasks.upkeep import Upkeep
from ingestion.services.waiting.explainer import Explainer
from ingestion.services.waiting.run_times import run_times
from ingestion.services.waiting.wait_reasons import after_others

# So many tasks are read and played; the start of what stands behind them follows from counts.
FIRST_LOOK = 200
# Of the requests of one kind that are open, so many are looked at; the first nearly always counts.
MOST_OVERLAPPING = 100


@dataclass(frozen=True)
class Forecast:
    """What would become of a request. Without a ``position`` it would wait for its time first.
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


class Explanations:
    """They only look."""

    def __init__(self, store: PoolStore, *, conf: PoolConf, upkeep: Upkeep) -> None:
        self._store = store
        self._usual_attempts = conf.max_attempts
        self._upkeep = upkeep
        self._explainer = Explainer(run_times, default_max_workers=conf.max_workers)

    def explain(self, task_id: str) -> Explanation:
        """Why a task waits, its place, and when it will start. Errors: TaskNotFound, NotQueued."""
        known(self._store, task_id)
        snapshot = self._look()
        if found := self._explainer.explained(snapshot).waits.get(task_id):
            return found
        task = known(self._store, task_id)
        if task.status != TaskStatus.QUEUED:
            raise NotQueued(f"Task {task_id} ({task.route}) does not wait: it is {task.status}.")
        return self._explainer.far_back(snapshot, task, self._store.ahead_of(task))

    def explained(self, snapshot: PoolSnapshot) -> PoolSnapshot:
        """With ``waits`` for every task that it shows waiting."""
        return self._explainer.explained(snapshot)

    def waits_of(
        self, snapshot: PoolSnapshot, tasks: Iterable[WorkerTask]
    ) -> dict[str, Explanation]:
        """Why they wait, by id: those that the snapshot explains as it does, and those that stand
        behind it, which follow each other in the queue, by counts."""
        found, ahead = dict[str, Explanation](), None
        for task in tasks:
            if explained := snapshot.waits.get(task.id):
                found[task.id] = explained
                continue
            is_aside = task.held_place is not None or task.not_before is not None
            if ahead is None or is_aside:
                ahead = Counter({} if task.held_place else self._store.ahead_of(task))
            found[task.id] = self._explainer.far_back(snapshot, task, ahead)
            ahead[task.crm_source] += not is_aside
        return found

    def forecast(self, asked: Submission) -> Forecast:
        """What ``submit`` would do with a request. Raises what it would raise; stores nothing."""
        good = chains.checked(prepare(asked, usual_attempts=self._usual_attempts))
        if coalesced_into := self._coalesced_into(good.task, good.on_overlap):
            found = self.explain(coalesced_into)
            return Forecast(found.task, found.position, found.reason, found.start, coalesced_into)
        return self._placed(good.task)

    def _placed(self, task: WorkerTask) -> Forecast:
        """As if it stood in the queue."""
        snapshot = self._look()
        if task.after:
            return Forecast(task, None, after_others(task), None)
        with_it = self._explainer.with_task(snapshot, task)
        if with_it is not None:
            found = self._explainer.explained(with_it).waits[task.id]
        else:
            new = replace(task, queued_at=snapshot.taken_at)
            found = self._explainer.far_back(snapshot, new, self._store.ahead_of(new))
        return Forecast(task, found.position, found.reason, found.start)

    def _look(self) -> PoolSnapshot:
        """The head of the queue."""
        self._upkeep.prepare_to_look()
        return self._store.snapshot(queue_limit=FIRST_LOOK)

    def _coalesced_into(self, task: WorkerTask, on_overlap: OnOverlap) -> str | None:
        """The task that would stand for this one. Raises Overlaps where it would be refused."""
        if on_overlap == OnOverlap.ALLOW:
            return None
        for other in self._overlapping(task, on_overlap):
            if on_overlap == OnOverlap.REJECT:
                raise Overlaps(
                    f"{task.route} would not be submitted: task {other.id} ({other.route}) is "
                    f"{other.status}.",
                    other_id=other.id,
                )
            if other.status == TaskStatus.QUEUED and can_coalesce(other, task):
                return other.id
        return None

    def _overlapping(self, task: WorkerTask, on_overlap: OnOverlap) -> Iterator[WorkerTask]:
        """The ledger has an index of them; the store says how each stands."""
        with as_unavailable():
            rows = list(_rows_like(task, on_overlap))
        for row in rows:
            other = self._store.get(row.worker_pool_task_id or "")
            if other is None or other.status.is_final or other.after:
                continue
            if do_overlap(other, task):
                yield other


def _rows_like(task: WorkerTask, on_overlap: OnOverlap) -> QuerySet[SyncHistory]:
    rows = SyncHistory.objects.filter(
        crm_source=task.crm_source,
        status__in=SyncHistory.OPEN_STATUSES,
        worker_pool_task_id__isnull=False,
    ).order_by("pk")
    may_coalesce = on_overlap == OnOverlap.COALESCE
    if may_coalesce:
        rows = rows.filter(parameters_digest=parameters_digest(task.parameters))
    if may_coalesce or task.sync_type != ALL:
        rows = rows.filter(sync_type__in=(task.sync_type, ALL))
    return rows[:MOST_OVERLAPPING]
