"""Submits tasks into a full pool and runs some of them, and prints as JSON what one of each cost.

``python -m tests.program tests.integration.budget_process`` with the environment of a whole system.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.backends.signals import connection_created

from ingestion.models import ActiveStoreState
from ingestion.pool.redis.scripts import RedisScripts
from ingestion.services.tasks import dispatch
from ingestion.services.worker import sessions
from ingestion.services.worker.execute import run_task
from ingestion.services.worker_pool import get_worker_pool

WARM_UP = 4
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
    run, send = RedisScripts._run, dispatch.send

    def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if LOOKED_AT_ONCE_A_SECOND not in sql or not sql.startswith("SELECT"):
            cost.statements.append(sql.removeprefix("BEGIN; ").split()[0])
        return execute(sql, *rest)

    def count_script(scripts: RedisScripts, verb: str, given: Mapping[str, object]) -> Any:
        cost.scripts.append(verb)
        return run(scripts, verb, given)

    def count_session(**_: Any) -> None:
        cost.sessions += 1

    def count_sent(task: Any) -> None:
        cost.sent += 1
        send(task)

    connection_created.connect(count_session)
    pool = get_worker_pool()
    with (
        connection.execute_wrapper(count),
        patch.object(RedisScripts, "_run", count_script),
        patch.object(pool, "_send", count_sent),
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
    json.dump({"submission": asdict(submission), "life": asdict(life), "ended": ended}, sys.stdout)


if __name__ == "__main__":
    main()
