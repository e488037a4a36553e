"""Submits tasks into a full pool and runs some of them, and prints as JSON what one of each cost.

``python -m tests.program tests.integration.budget_process`` with the environment of a whole system.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest.mock import patch

from django.db import DataError, connection
from django.db.backends.signals import connection_created

from ingestion.models import ActiveStoreState, AuditRecord
from ingestion.pool.redis.scripts import RedisScripts
from ingestion.pool.task import WorkerTask
from ingestion.services.ledger import statements
from ingestion.services.security import audit
from ingestion.services.tasks import dispatch
from ingestion.services.tasks.groups import Groups, Waiting
from ingestion.services.worker import sessions
from ingestion.services.worker.execute import run_task
from ingestion.services.worker_pool import WorkerPoolService, get_worker_pool

WARM_UP = 4
THREADS, WAIT_SECONDS = 5, 60
LOOKED_AT_ONCE_A_SECOND = ActiveStoreState._meta.db_table


@dataclass
class Cost:
    """``statements`` by their first word: what is sent together is one. ``SET`` is a bound of the
    UPDATE behind it."""

    statements: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    sent: int = 0
    sessions: int = 0


@contextmanager
def counted() -> Iterator[Cost]:
    cost = Cost()
    call, send_all = RedisScripts.call, dispatch.send_all

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if LOOKED_AT_ONCE_A_SECOND not in sql or not sql.startswith("SELECT"):
            cost.statements.append(sql.removeprefix("BEGIN; ").split()[0])
        return execute(sql, *rest)

    def count_script(scripts: RedisScripts, verb: str, **given: Any) -> Any:
        cost.scripts.append(verb)
        return call(scripts, verb, **given)

    def count_session(**_: Any) -> None:
        cost.sessions += 1

    def count_sent(tasks: Iterable[WorkerTask], *, send: dispatch.Send) -> int:
        sent = send_all(tasks, send=send)
        cost.sent += sent
        return sent

    connection_created.connect(count_session)
    with (
        connection.execute_wrapper(count),
        patch.object(RedisScripts, "call", count_script),
        patch.object(dispatch, "send_all", count_sent),
    ):
        yield cost
    connection_created.disconnect(count_session)


def main() -> None:
    sessions.keep()  # as a child of a worker does
    pool = get_worker_pool()
    ids = [pool.submit_task("arrivy", "tasks") for _ in range(WARM_UP + 4)]
    with counted() as submission:
        pool.submit_task("arrivy", "tasks")
    for task_id in ids[:WARM_UP]:
        run_task(pool, task_id, attempt=1, worker="w/1")
    with counted() as life:
        ended = run_task(pool, ids[WARM_UP], attempt=1, worker="w/1")
    found = {"submission": asdict(submission), "life": asdict(life), "ended": ended}
    if connection.vendor == "postgresql":
        found["together"] = together(pool)
        found["one_at_fault"] = together(pool, at_fault="thread 2")
    json.dump(found, sys.stdout)


def until(is_reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_reached():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)


def together(pool: WorkerPoolService, *, at_fault: str = "") -> dict[str, Any]:
    """Five threads submit, of which the first is kept at it until the others wait for it. The database
    refuses what is ``at_fault``, and all that comes with it."""
    scripts: list[str] = []
    entered: list[int] = []
    waiting: list[Waiting[Any, Any]] = []
    call, enter, wait = RedisScripts.call, statements.enter, Groups.wait

    def call_late(store: RedisScripts, verb: str, **given: Any) -> Any:
        scripts.append(verb)
        if len(scripts) == 1:
            until(lambda: len(waiting) == THREADS - 1)
        return call(store, verb, **given)

    def wait_counted(groups: Groups[Any, Any], mine: Waiting[Any, Any]) -> Any:
        waiting.append(mine)
        return wait(groups, mine)

    def count(rows: Sequence[Any], records: Sequence[Any]) -> Any:
        entered.append(len(rows))
        if at_fault and any(record["actor"] == at_fault for record in records):
            raise DataError
        return enter(rows, records)

    def submit(name: str) -> str:
        with audit.acting(name):
            try:
                return pool.submit_task("arrivy", "tasks")
            except DataError:
                return f"refused: {name}"
            finally:
                connection.close()

    names = [f"thread {number}" for number in range(THREADS)]
    all_there = threading.Barrier(THREADS, timeout=WAIT_SECONDS)
    with ThreadPoolExecutor(THREADS) as threads:
        # Each has spoken with the store before.
        list(threads.map(lambda _: (pool.peek(), all_there.wait()), names))
        with (
            patch.object(RedisScripts, "call", call_late),
            patch.object(statements, "enter", count),
            patch.object(Groups, "wait", wait_counted),
        ):
            first = threads.submit(submit, names[0])
            until(lambda: bool(scripts))
            ids = [*threads.map(submit, names[1:])]
            ids.insert(0, first.result())
    actors = dict(AuditRecord.objects.filter(target__in=ids).values_list("target", "actor"))
    queued = {one: pool.get_task_status(one) for one in ids if not one.startswith("refused")}
    return {
        "scripts": scripts,
        "entered": entered,
        "actors_are_right": all(
            actors.get(task_id, task_id) in (name, f"refused: {name}")
            for task_id, name in zip(ids, names, strict=True)
        ),
        "queued": sum(task is not None and task.status == "queued" for task in queued.values()),
        "refused": [task_id for task_id in ids if task_id.startswith("refused")],
    }


if __name__ == "__main__":
    main()
