"""What the doctor does about a finding: one verb of the pool each, with a record of before and after.

A repair may come too late, because somebody else was quicker; then it changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingestion.models import SyncHistory
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.pool.errors import AlreadyFinished, LeaseLost, TaskNotFound, UnreadableTask
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.doctor import direct_runs
from ingestion.services.doctor.diagnosis import Finding
from ingestion.services.ledger import entries as ledger
from ingestion.services.ledger import state as ledger_state
from ingestion.services.security import audit
from ingestion.services.tasks import aging, dispatch, limits, outcomes, repairs

logger = logging.getLogger(__name__)

TOO_LATE = (AlreadyFinished, LeaseLost, TaskNotFound, UnreadableTask)
CLOSED = "The ledger says that this task has ended."
NO_ROW = "The ledger has no row of this task."
NOT_IN_HAND = "Its worker no longer had the sync in hand; it was lost."
LEDGER_AHEAD = "The pool's state was older than the ledger. Submit it again."


@dataclass(frozen=True)
class Tools:
    """The verbs that repairs are made of. ``end`` finishes the current attempt of a task."""

    store: PoolStore
    send: dispatch.Send
    end: Callable[[WorkerTask, Outcome], int]
    process_queue: Callable[[], int]


def repair(
    findings: Iterable[Finding], tools: Tools, *, change: ChangeRequest = UNSIGNED
) -> tuple[Finding, ...]:
    """Carry out the repairs, then start what may start; those that did not come too late."""
    repaired = tuple(f for f in findings if _repair(f, tools, change))
    if repaired:
        tools.process_queue()
    return repaired


def _repair(finding: Finding, tools: Tools, change: ChangeRequest) -> bool:
    before = _state(finding, tools.store)
    try:
        with audit.acting(audit.actor(change.by)):
            REPAIRS[finding.code](finding, tools)
    except TOO_LATE as problem:
        logger.warning("%s %s needs no repair: %s", finding.code, finding.subject, problem)
        return False
    audit.record(
        "repair",
        change=replace(change, reason=f"{finding.sentence} {change.reason}".rstrip()),
        target=finding.subject,
        before={"finding": finding.code, **before},
        after={"repair": finding.repair, **_state(finding, tools.store)},
    )
    logger.warning("%s %s repaired: %s", finding.code, finding.subject, finding.repair)
    return True


def _state(finding: Finding, store: PoolStore) -> dict[str, Any]:
    """Where the subject stands."""
    if finding.code == "SET_ASIDE":
        return {"stored": store.snapshot(queue_limit=0).dead_letters.get(finding.subject)}
    if finding.code in OF_A_CONTROL:
        found = store.controls().named().get(finding.subject)
        return {finding.subject: found.value if found else None}
    if finding.code in OF_A_TASK:
        return {"pool": _in_pool(finding.subject, store), "ledger": _in_ledger(finding.subject)}
    snapshot = store.snapshot(queue_limit=0)
    return {"active": snapshot.active_count, "queued": snapshot.queued_count}


def _in_pool(task_id: str, store: PoolStore) -> dict[str, Any] | None:
    task = store.get(task_id)
    if task is None:
        return None
    is_in_slot = any(active.id == task_id for active in store.active())
    return {"status": task.status.value, "attempt": task.attempt, "in_slot": is_in_slot}


def _in_ledger(task_id: str) -> dict[str, Any] | None:
    row = SyncHistory.objects.filter(worker_pool_task_id=task_id).first()
    return None if row is None else {"status": row.status, "attempt": row.attempt}


def _repair_task(finding: Finding, tools: Tools) -> None:
    tools.store.repair(finding.subject)


def _repair_round(finding: Finding, tools: Tools) -> None:
    repairs.reap(tools.store, send=tools.send)


def _follow(finding: Finding, tools: Tools) -> None:
    ledger.follow(_known(finding, tools), epoch=tools.store.epoch)


def _write_down(finding: Finding, tools: Tools) -> None:
    ledger.write_down(_known(finding, tools))


def _bring_back(finding: Finding, tools: Tools) -> None:
    rows = ledger.open_rows().filter(worker_pool_task_id=finding.subject)
    for task in map(ledger.task_of, rows):
        if task.attempt < task.max_attempts:
            tools.store.restore([task])
            ledger.follow(task, epoch=tools.store.epoch)
        else:
            ledger.follow(replace(task, status=TaskStatus.FAILED, error_message=repairs.FORGOTTEN))


def _end_as_in_ledger(finding: Finding, tools: Tools) -> None:
    task = _known(finding, tools)
    row = SyncHistory.objects.get(worker_pool_task_id=task.id)
    status = ledger_state.ENDINGS[SyncHistory.Status(row.status)]
    if task.status == TaskStatus.RUNNING:
        tools.end(task, Outcome(status, row.error_message or CLOSED))
    else:
        tools.store.cancel(task.id, change=ChangeRequest(reason=CLOSED))


def _cancel(finding: Finding, tools: Tools) -> None:
    cancelled = tools.store.cancel(finding.subject, change=ChangeRequest(reason=NO_ROW))
    ledger.follow(cancelled, epoch=tools.store.epoch)


def _cancel_older_state(finding: Finding, tools: Tools) -> None:
    """The row's attempt is later than the one that ends here, so it is closed by itself."""
    task, change = _known(finding, tools), ChangeRequest(reason=LEDGER_AHEAD)
    if task.status == TaskStatus.RUNNING:
        tools.end(task, Outcome(TaskStatus.CANCELLED, LEDGER_AHEAD))
    else:
        tools.store.cancel(task.id, change=change)
    ledger.cancel_rows([_known(finding, tools)], change=change)


def _end_lost(finding: Finding, tools: Tools) -> None:
    task = _known(finding, tools)
    tools.end(task, outcomes.lost(NOT_IN_HAND, attempt=task.attempt))


def _put_control_right(finding: Finding, tools: Tools) -> None:
    limits.repair(tools.store, finding.subject)


def _put_order_right(finding: Finding, tools: Tools) -> None:
    in_force = tools.store.controls().priority_aging
    aging.follow(tools.store, default=in_force.seconds)


def _start(finding: Finding, tools: Tools) -> None:
    repairs.reap(tools.store, send=tools.send)
    tools.process_queue()


def _drop_aside(finding: Finding, tools: Tools) -> None:
    tools.store.drop_dead_letter(finding.subject)


def _close_direct_run(finding: Finding, tools: Tools) -> None:
    for run in direct_runs.gone():
        if f"history {run.pk}" == finding.subject:
            direct_runs.close(run)


def _known(finding: Finding, tools: Tools) -> WorkerTask:
    task = tools.store.get(finding.subject)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {finding.subject}.")
    return task


Repair = Callable[[Finding, Tools], None]
REPAIRS: Mapping[str, Repair] = {
    "SLOT_LEAKED": _repair_task,
    "PLACE_WRONG": _repair_task,
    "SLOT_MISSING": _repair_task,
    "PLACE_MISSING": _repair_task,
    "LEDGER_BEHIND": _follow,
    "LEDGER_AHEAD": _cancel_older_state,
    "LEDGER_DIFFERS": _write_down,
    "FORGOTTEN": _bring_back,
    "CLOSED_IN_LEDGER": _end_as_in_ledger,
    "NO_ROW": _cancel,
    "LEASE_OUT": _repair_round,
    "STALE": _repair_round,
    "NOT_TAKEN": _repair_round,
    "NOT_IN_HAND": _end_lost,
    "LIMIT_DIFFERS": _put_control_right,
    "PAUSE_DIFFERS": _put_control_right,
    "ORDER_DIFFERS": _put_order_right,
    "ORDER_UNFINISHED": _put_order_right,
    "QUEUE_IDLE": _start,
    "SET_ASIDE": _drop_aside,
    "RUN_GONE": _close_direct_run,
}
OF_A_CONTROL = {"LIMIT_DIFFERS", "PAUSE_DIFFERS"}
OF_ALL_THAT_WAITS = {"ORDER_DIFFERS", "ORDER_UNFINISHED", "QUEUE_IDLE"}
OF_A_TASK = REPAIRS.keys() - OF_A_CONTROL - OF_ALL_THAT_WAITS - {"SET_ASIDE", "RUN_GONE"}
