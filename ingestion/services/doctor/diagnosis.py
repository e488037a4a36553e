"""What disagrees between the pool's slots and queue, the ledger, Celery's view and the clocks.

``compare`` is pure: it is given facts, and says what they contradict. A finding counts when two
looks at the pool both show it; what only moves between them is no disagreement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ingestion.conf import PoolConf
from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.controls import LIMIT, Control, PoolControls
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.doctor.direct_runs import DirectRunRow
from ingestion.services.tasks.aging import difference
from ingestion.services.tasks.repairs import GRACE_SECONDS

SHORT_ID = 8
# Renewals that a holder may miss before a worker's word that it does not have the task counts.
MISSED_BEATS = 2


@dataclass(frozen=True)
class Finding:
    """``subject`` is a task's id, or the name of what else is meant. ``is_safe``: its repair loses
    nothing, and ends no task but where clocks or ledger have decided that; ``fix-stuck`` does it
    too."""

    code: str
    subject: str
    sentence: str
    repair: str
    is_safe: bool = True

    def to_dict(self) -> dict[str, Any]:
        return with_old_keys(asdict(self))


@dataclass(frozen=True)
class Row:
    """What the ledger says of a task."""

    pk: int
    status: str
    attempt: int
    created_at: datetime
    pool_status: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in SyncHistory.OPEN_STATUSES


@dataclass(frozen=True)
class Facts:
    """One look. ``active``, ``queued`` and ``elsewhere`` are tasks by id: in a slot, in the queue,
    and those of open rows that stand in neither. ``celery``: what each worker that answered has in
    hand, as Celery ids; None: nobody was asked, or nobody answered."""

    now: datetime
    conf: PoolConf
    snapshot: PoolSnapshot
    active: Mapping[str, WorkerTask]
    queued: Mapping[str, WorkerTask]
    elsewhere: Mapping[str, WorkerTask] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    kept_controls: PoolControls = field(default_factory=PoolControls)
    celery: Mapping[str, frozenset[str]] | None = None
    direct_runs: Sequence[DirectRunRow] = ()

    @property
    def margin(self) -> timedelta:
        """How late a round of repairs may be while all is well: two of a worker's looks."""
        return timedelta(seconds=2 * self.conf.lease_seconds / 9)

    def age(self, when: datetime | None) -> timedelta:
        """By the store's clock; nothing for what has no time."""
        return self.snapshot.taken_at - when if when else timedelta()

    def has_room(self, crm_source: str) -> bool:
        """Whether its controls let a CRM start one more."""
        controls = self.snapshot.controls
        limit = controls.crm_limits.get(crm_source)
        running = sum(task.crm_source == crm_source for task in self.active.values())
        return not controls.pause_of(crm_source) and (limit is None or running < limit.value)

    def task(self, task_id: str) -> WorkerTask | None:
        for part in (self.active, self.queued, self.elsewhere):
            if task_id in part:
                return part[task_id]
        return None


@dataclass(frozen=True)
class Diagnosis:
    """``notes`` say what could not be compared."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {"findings": [f.to_dict() for f in self.findings], "notes": list(self.notes)}


def compare(facts: Facts) -> tuple[Finding, ...]:
    """Everything that disagrees, in the order in which it is to be cured."""
    checks = (
        _places,
        _ledger,
        _unknown_rows,
        _clocks,
        _hands,
        _controls,
        _order,
        _queue,
        _aside,
        _direct_runs,
    )
    return tuple(finding for check in checks for finding in check(facts))


def in_both(first: Sequence[Finding], second: Sequence[Finding]) -> tuple[Finding, ...]:
    """Those of the second look that the first one showed too."""
    seen = {(finding.code, finding.subject) for finding in first}
    return tuple(finding for finding in second if (finding.code, finding.subject) in seen)


def notes_on(facts: Facts) -> Iterator[str]:
    """What this look could not see."""
    if facts.snapshot.degraded:
        yield f"The pool is degraded ({facts.snapshot.degraded_reason}); see 'status'."
    if differs := difference(
        facts.snapshot.controls.priority_aging, facts.conf.priority_aging_seconds
    ):
        yield differs
    if facts.celery is None:
        yield "No Celery worker answered, so what they have in hand is not known."
        return
    silent = sorted(
        worker.name
        for worker in facts.snapshot.workers
        if worker.is_online and worker.name not in facts.celery
    )
    if silent:
        yield f"These workers did not answer: {', '.join(silent)}."


def named(task: WorkerTask) -> str:
    return f"Task {task.id[:SHORT_ID]} ({task.route})"


# Slots and queue against the tasks themselves


def _places(facts: Facts) -> Iterator[Finding]:
    for task in facts.active.values():
        if task.status != TaskStatus.RUNNING:
            said = f"{named(task)} holds a slot, but it is {task.status}."
            yield Finding("SLOT_LEAKED", task.id, said, "free the slot")
    for task in facts.queued.values():
        if task.status != TaskStatus.QUEUED and task.id not in facts.active:
            said = f"{named(task)} stands in the queue, but it is {task.status}."
            yield Finding("PLACE_WRONG", task.id, said, "take it out of the queue")
    for task in facts.elsewhere.values():
        if task.status == TaskStatus.RUNNING:
            said = f"{named(task)} runs without holding a slot, so that one too many may start."
            yield Finding("SLOT_MISSING", task.id, said, "give it its slot")
        elif task.status == TaskStatus.QUEUED:
            said = f"{named(task)} is queued, but it stands in no queue and would never start."
            yield Finding("PLACE_MISSING", task.id, said, "give it back its old place")


# The ledger against the tasks


def _ledger(facts: Facts) -> Iterator[Finding]:
    for task_id, row in facts.rows.items():
        task = facts.task(task_id)
        if task is not None:
            found = _open_row(row, task) if row.is_open else _closed_row(row, task)
            yield from found
        elif row.is_open and facts.now - row.created_at > timedelta(seconds=GRACE_SECONDS):
            yield Finding(
                "FORGOTTEN",
                task_id,
                f"Task {task_id[:SHORT_ID]} is {row.status} by the ledger, and the pool does not "
                "know it.",
                "put it back into the queue, or close it as failed if no attempt is left",
            )


def _open_row(row: Row, task: WorkerTask) -> Iterator[Finding]:
    said = f"{named(task)} is {task.status} in attempt {task.attempt}, but {row.status} in attempt "
    said += f"{row.attempt} by the ledger."
    if task.status.is_final:
        yield Finding("LEDGER_BEHIND", task.id, said, f"close its row as {task.status}")
    elif row.attempt > task.attempt:
        repair = "cancel it and close its row; submit it again"
        yield Finding("LEDGER_AHEAD", task.id, said, repair, is_safe=False)
    elif (row.status, row.attempt) != (task.status, task.attempt):
        yield Finding("LEDGER_DIFFERS", task.id, said, "write down what the pool says")
    elif row.pool_status not in (None, task.status):
        said = f"{named(task)} is {task.status}, but the ledger keeps it as {row.pool_status}."
        yield Finding("LEDGER_DIFFERS", task.id, said, "write down what the pool says")


def _closed_row(row: Row, task: WorkerTask) -> Iterator[Finding]:
    if task.status.is_final:
        return
    said = f"{named(task)} is {task.status}, but the ledger has closed it: {row.status}."
    yield Finding("CLOSED_IN_LEDGER", task.id, said, "end it in the pool too")


def _unknown_rows(facts: Facts) -> Iterator[Finding]:
    """A submission whose transaction is open yet has no row that others see."""
    for task in (*facts.active.values(), *facts.queued.values()):
        if task.id in facts.rows or facts.age(task.queued_at) < timedelta(seconds=GRACE_SECONDS):
            continue
        said = f"{named(task)} is {task.status}, and the ledger has no row of it."
        yield Finding("NO_ROW", task.id, said, "cancel it", is_safe=task.confirmed_at is None)


# The clocks


def _clocks(facts: Facts) -> Iterator[Finding]:
    """What every round of repairs does; seen here only when there was none for long."""
    for task in facts.active.values():
        if task.status == TaskStatus.RUNNING:
            yield from _late_run(task, facts) if task.confirmed_at else _not_taken(task, facts)


def _late_run(task: WorkerTask, facts: Facts) -> Iterator[Finding]:
    conf = facts.conf
    if facts.age(task.lease_expires_at) > facts.margin:
        said = f"{named(task)} has lost its worker {task.worker}: its lease has run out."
        yield Finding("LEASE_OUT", task.id, said, "end the attempt and free the slot")
    elif facts.age(task.last_heartbeat) > timedelta(minutes=conf.stale_minutes) + facts.margin:
        said = f"{named(task)} has made no progress for {conf.stale_minutes:g} minutes."
        yield Finding("STALE", task.id, said, "end it as failed and free the slot")


def _not_taken(task: WorkerTask, facts: Facts) -> Iterator[Finding]:
    waited = facts.age(task.started_at)
    if facts.snapshot.effective_limit and waited > timedelta(
        seconds=2 * facts.conf.dispatch_seconds
    ):
        said = f"{named(task)} was sent {waited.total_seconds():.0f} s ago, and no worker took it."
        yield Finding("NOT_TAKEN", task.id, said, "send it again")


# Celery's view


def _hands(facts: Facts) -> Iterator[Finding]:
    """A worker that answers, and does not have what it should hold, lost its child. One that
    renews the lease has it all the same: an answer may be old."""
    for task in facts.active.values():
        worker = (task.worker or "").rsplit("/", 1)[0]
        in_hand = (facts.celery or {}).get(worker)
        if in_hand is None or task.celery_task_id in in_hand or not _missed_beats(task, facts):
            continue
        said = f"{named(task)} should run on {worker}, which says that it does not have it."
        yield Finding("NOT_IN_HAND", task.id, said, "end the attempt as lost", is_safe=False)


def _missed_beats(task: WorkerTask, facts: Facts) -> bool:
    if task.status != TaskStatus.RUNNING or not task.lease_expires_at:
        return False
    silent_for = facts.age(task.lease_expires_at) + timedelta(seconds=facts.conf.lease_seconds)
    return silent_for > timedelta(seconds=MISSED_BEATS * facts.conf.heartbeat_seconds)


# The pool as a whole


def _controls(facts: Facts) -> Iterator[Finding]:
    """The limits and pauses in force, and those that were set for good."""
    kept, in_force = facts.kept_controls.named(), facts.snapshot.controls.named()
    for name in sorted({*kept, *in_force}):
        was_set, is_set = kept.get(name), in_force.get(name)
        if name == LIMIT and was_set is None:
            continue
        if _rule(was_set) != _rule(is_set):
            yield _control_differs(name, was_set, is_set)


def _rule(control: Control | None) -> object:
    return control and (control.value, control.expires_at)


def _control_differs(name: str, was_set: Control | None, is_set: Control | None) -> Finding:
    if not name.startswith(LIMIT):
        is_missing = is_set is None
        said = f"{name} was set, and is not in force." if is_missing else f"{name} was never set."
        return Finding("PAUSE_DIFFERS", name, said, "set it" if was_set else "take it away")
    found = is_set.value if is_set else "the default"
    wanted = was_set.value if was_set else "none"
    said = f"The limit {name} in force is {found}, but {wanted} was set."
    return Finding("LIMIT_DIFFERS", name, said, f"set it to {wanted}")


def _order(facts: Facts) -> Iterator[Finding]:
    """The order rule in force, and the one that was set for good."""
    was_set = facts.kept_controls.priority_aging
    in_force = facts.snapshot.controls.priority_aging
    if in_force.revision < was_set.revision:
        said = f"A level of priority is worth {in_force.seconds:g} s, but {was_set.seconds:g} s was set."
        yield Finding("ORDER_DIFFERS", "order", said, "put what waits into the order that was set")
    elif in_force.is_rescoring:
        said = "What waits is being put into a new order, and nothing starts meanwhile."
        yield Finding("ORDER_UNFINISHED", "order", said, "finish it")


def _queue(facts: Facts) -> Iterator[Finding]:
    """A task of a CRM that may start one more, or one whose time has come, waits for nothing."""
    free = facts.snapshot.effective_limit - facts.snapshot.active_count
    controls = facts.snapshot.controls
    keeps_all_waiting = controls.pause or controls.priority_aging.is_rescoring
    if free <= 0 or facts.snapshot.degraded or keeps_all_waiting:
        return
    waiting = sum(_may_start(task, facts) for task in facts.queued.values())
    if waiting:
        said = f"{waiting} tasks wait although {free} slots are free."
        yield Finding("QUEUE_IDLE", "queue", said, "start what may start")


def _may_start(task: WorkerTask, facts: Facts) -> bool:
    is_known = facts.snapshot.knows(task.task_name)
    if task.status != TaskStatus.QUEUED or task.held_place or not is_known:
        return False
    is_due = task.not_before is None or facts.age(task.not_before) > facts.margin
    return is_due and facts.has_room(task.crm_source)


def _aside(facts: Facts) -> Iterator[Finding]:
    for task_id in sorted(facts.snapshot.dead_letters):
        yield Finding(
            "SET_ASIDE",
            task_id,
            f"What was stored under {task_id} could not be read and was set aside.",
            "forget it; the audit record keeps what was stored",
            is_safe=False,
        )


def _direct_runs(facts: Facts) -> Iterator[Finding]:
    for run in facts.direct_runs:
        said = f"The run {run.pk} ({run.route}) from a shell: {run.why}"
        yield Finding("RUN_GONE", f"history {run.pk}", said, "close its row as failed")
