"""How many functions of the project stand between a verb of the pool and what it sends to Redis or to
the ledger: ``python -m benchmarks.pool.frames``. More of them cost every call, and every reader."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from redis.commands.core import Script

from benchmarks.pool.world import world

OWN = "/ingestion/"


def _own_frames() -> int:
    return sum(OWN in frame.filename for frame in traceback.extract_stack())


@contextmanager
def _counted() -> Iterator[dict[str, int]]:
    """The most frames on the way to each."""
    from django.db import connection

    most, send = {"redis": 0, "sql": 0}, Script.__call__

    def count_script(script: Script, **given: Any) -> Any:
        most["redis"] = max(most["redis"], _own_frames())
        return send(script, **given)

    def count_statement(execute: Callable[..., Any], *words: Any) -> Any:
        most["sql"] = max(most["sql"], _own_frames())
        return execute(*words)

    with (
        connection.execute_wrapper(count_statement),
        patch.object(Script, "__call__", count_script),
    ):
        yield most


def _measure() -> dict[str, dict[str, int]]:
    from ingestion.services.worker_pool import get_worker_pool

    pool = get_worker_pool()
    first, second = (pool.submit_task("arrivy", "tasks") for _ in range(2))
    verbs: dict[str, Callable[[], Any]] = {
        "submit_task": lambda: pool.submit_task("arrivy", "tasks"),
        "confirm_task": lambda: pool.confirm_task(first, attempt=1, worker="w", token=first),
        "renew_lease": lambda: pool.renew_lease(first, attempt=1),
        "get_task_status": lambda: pool.get_task_status(second),
        "cancel_task": lambda: pool.cancel_task(second),
        "peek": pool.peek,
    }
    found = {}
    for name, verb in verbs.items():
        with _counted() as most:
            verb()
        found[name] = dict(most)
    return found


def main() -> None:
    with world(None) as made:
        told = json.loads(made.run("-m", "benchmarks.pool.frames", "--measure").splitlines()[-1])
    print(f"{'verb':20}{'to Redis':>10}{'to SQL':>10}")
    for verb, most in told.items():
        print(f"{verb:20}{most['redis']:>10}{most['sql'] or '–':>10}")


if __name__ == "__main__":
    if "--measure" in sys.argv:
        print(json.dumps(_measure()))
    else:
        main()
