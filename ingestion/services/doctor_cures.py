"""What the doctor does about a finding: one verb of the pool each, with a record of before and after.

A cure may come too late, because somebody else was quicker; then it changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ingestion.models import SyncHistory
from ingestion.pool.errors import AlreadyFinished, LeaseLost, TaskNotFound, UnreadableTask
from ingestion.pool.store import Outcome, PoolStore
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services import (
    audit,
    dispatch,
    ledger,
    ledger_state,
    limits,
    outcomes,
    repairs,
    shell_runs,
)
from ingestion.services.doctor import Finding

logger = logging.getLogger(__name__)

TOO_LATE = (AlreadyFinished, LeaseLost, TaskNotFound, UnreadableTask)
CLOSED = "The ledger says that this task has ended."
NO_ROW = "The ledger has no row of this task."
NOT_IN_HAND = "Its worker no longer had the sync in hand; it was lost."
LEDGER_AHEAD = "The pool's state was older than the ledger. Submit it again."


@dataclass(frozen=True)
class Tools:
    """The verbs that cures are made of. ``end`` finishes the current attempt of a task."""

    store: PoolStore
    send: dispatch.Send
    end: Callable[[WorkerTask, Outcome], int]
    process_queue: Callable[[], int]


def heal(
    findings: Iterable[Finding], tools: Tools, *, actor: str = "", reason: str = ""
) -> tuple[Finding, ...]:
    """Carry out the cures, then start what may start; those that did not come too late."""
    healed = tuple(f for f in findings if _heal(f, tools, actor=actor, reason=reason))
    if healed:
        tools.process_queue()
    return healed


def _heal(finding: Finding, tools: Tools, *, actor: str, reason: str) -> bool:
    before = _state(finding, tools.store)
    try:
        with audit.acting(audit.actor(actor)):
            CURES[finding.code](finding, tools)
    except TOO_LATE as problem:
        logger.warning("%s %s needs no cure: %s", finding.code, finding.subject, problem)
        return False
    audit.record(
        "repair",
        actor=actor,
        target=finding.subject,
        reason=f"{finding.sentence} {reason}".rstrip(),
        before={"finding": finding.code, **before},
        after={"cure": finding.cure, **_state(finding, tools.store)},
    )
    logger.warning("%s %s cured: %s", finding.code, finding.subject, finding.cure)
    return True


def _state(finding: Finding, store: PoolStore) -> dict[str, Any]:
    """Where the subject stands."""
    if finding.code == "SET_ASIDE":
        return {"stored": store.snapshot(queue_limit=0).set_aside.get(finding.subject)}
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


def _put_right(finding: Finding, tools: Tools) -> None:
    tools.store.put_right(finding.subject)


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
        tools.store.cancel(task.id, reason=CLOSED)


def _cancel(finding: Finding, tools: Tools) -> None:
    ledger.follow(tools.store.cancel(finding.subject, reason=NO_ROW), epoch=tools.store.epoch)


def _cancel_older_state(finding: Finding, tools: Tools) -> None:
    """The row's attempt is later than the one that ends here, so it is closed by itself."""
    task = _known(finding, tools)
    if task.status == TaskStatus.RUNNING:
        tools.end(task, Outcome(TaskStatus.CANCELLED, LEDGER_AHEAD))
    else:
        tools.store.cancel(task.id, reason=LEDGER_AHEAD)
    ledger.cancel_rows([_known(finding, tools)], actor="", reason=LEDGER_AHEAD)


def _end_lost(finding: Finding, tools: Tools) -> None:
    task = _known(finding, tools)
    tools.end(task, outcomes.lost(NOT_IN_HAND, attempt=task.attempt))


def _put_control_right(finding: Finding, tools: Tools) -> None:
    limits.put_right(tools.store, finding.subject)


def _start(finding: Finding, tools: Tools) -> None:
    repairs.reap(tools.store, send=tools.send)
    tools.process_queue()


def _drop_aside(finding: Finding, tools: Tools) -> None:
    tools.store.drop_aside(finding.subject)


def _close_shell_run(finding: Finding, tools: Tools) -> None:
    for run in shell_runs.gone():
        if f"history {run.pk}" == finding.subject:
            shell_runs.close(run)


def _known(finding: Finding, tools: Tools) -> WorkerTask:
    task = tools.store.get(finding.subject)
    if task is None:
        raise TaskNotFound(f"The pool knows no task {finding.subject}.")
    return task


Cure = Callable[[Finding, Tools], None]
CURES: Mapping[str, Cure] = {
    "SLOT_LEAKED": _put_right,
    "PLACE_WRONG": _put_right,
    "SLOT_MISSING": _put_right,
    "PLACE_MISSING": _put_right,
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
    "QUEUE_IDLE": _start,
    "SET_ASIDE": _drop_aside,
    "RUN_GONE": _close_shell_run,
}
OF_A_CONTROL = {"LIMIT_DIFFERS", "PAUSE_DIFFERS"}
OF_A_TASK = CURES.keys() - OF_A_CONTROL - {"QUEUE_IDLE", "SET_ASIDE", "RUN_GONE"}
