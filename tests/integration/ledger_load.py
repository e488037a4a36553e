"""One of several processes that work on the ledger's store at once: submits, claims and runs until
all tasks of all processes have run.

``python -m tests.program tests.integration.ledger_load OWN ALL LIMIT``
"""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from ingestion.pool.errors import AlreadyConfirmed, LeaseLost, LedgerUnavailable
from ingestion.pool.store import Outcome, PoolPolicy
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger.store import LedgerPoolStore

RUNS = Path(os.environ["RUNS_FILE"])
PATIENCE_SECONDS = 60
T = TypeVar("T")
DONE = Outcome(TaskStatus.COMPLETED)


def a_task() -> WorkerTask:
    return WorkerTask(
        id=str(uuid.uuid4()),
        task_name="ingestion.tasks.sync_genius_leads",
        crm_source="genius",
        sync_type="leads",
    )


def write_down(what: str, task_id: str) -> None:
    line = json.dumps({"what": what, "id": task_id, "at": time.time()})
    with RUNS.open("a") as runs:
        runs.write(line + "\n")


def run(store: LedgerPoolStore, task: WorkerTask) -> tuple[WorkerTask, ...]:
    """Every message comes twice: to its claimer, and to somebody else."""
    token = uuid.uuid4().hex
    attempt, worker = task.attempt, str(os.getpid())
    try:
        patiently(partial(store.confirm, task.id, attempt=attempt, worker=worker, token=token))
    except (AlreadyConfirmed, LeaseLost):
        return ()
    write_down("start", task.id)
    write_down("end", task.id)
    finish = partial(store.finish, task.id, attempt=attempt, outcome=DONE, token=token)
    return patiently(finish).started


def patiently(verb: Callable[[], T]) -> T:
    """SQLite gives its lock to anybody, not to who waited longest."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return verb()
        except LedgerUnavailable:
            if time.monotonic() > deadline:
                raise


def work(store: LedgerPoolStore, *, total: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while RUNS.read_text().count('"end"') < total:
        if time.monotonic() > deadline:
            raise SystemExit("not all ran in time")
        token = uuid.uuid4().hex
        waiting = [*patiently(partial(store.claim, token=token)), *patiently(store.active)]
        while waiting:
            waiting += run(store, waiting.pop())
        time.sleep(0.02)


def main() -> None:
    own, total, limit = map(int, sys.argv[1:])
    store = LedgerPoolStore(PoolPolicy(default_max_workers=limit))
    for _ in range(own):
        patiently(partial(store.submit, a_task()))
    work(store, total=total)


if __name__ == "__main__":
    main()
