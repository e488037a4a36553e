"""In a process of its own: how long so many submissions take, into a pool whose slots are taken."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.pool.peers import PEERS

LIMIT = 2
PAGE = 10_000
THREADS = 16
Submit = Callable[[int], None]


def one_by_one() -> Submit:
    from ingestion.services.worker_pool import get_worker_pool

    pool = get_worker_pool()

    def submit(count: int) -> None:
        for _ in range(count):
            pool.submit_task("arrivy", "tasks")

    return submit


def all_at_once() -> Submit:
    from ingestion.services.requests.submission import Submission
    from ingestion.services.worker_pool import get_worker_pool

    pool = get_worker_pool()

    def submit(count: int) -> None:
        for start in range(0, count, PAGE):
            pool.submit_many([Submission("arrivy", "tasks")] * min(PAGE, count - start))

    return submit


def by_threads() -> Submit:
    submit_some = one_by_one()
    threads = ThreadPoolExecutor(THREADS)

    def submit(count: int) -> None:
        list(threads.map(submit_some, [-(-count // THREADS)] * THREADS))

    return submit


def celery() -> Submit:
    from benchmarks.pool.plain import app

    def send(count: int) -> None:
        with app.producer_pool.acquire() as producer:
            for _ in range(count):
                app.send_task("plain.work", args=[0], producer=producer)

    return send


CONTENDERS: dict[str, Callable[[], Submit]] = {
    "pool": one_by_one,
    "pool, 16 threads": by_threads,
    "pool, submit_many": all_at_once,
    "Celery": celery,
}


def _submit(contender: str) -> Submit:
    if contender in CONTENDERS:
        return CONTENDERS[contender]()
    found: Submit = importlib.import_module(PEERS[contender].module).submit
    return found


def main(contender: str, count: int, begin_at: float) -> None:
    """Prints JSON: when it began and ended, seconds of CPU."""
    submit = _submit(contender)
    submit(2 * LIMIT)  # imports, connections and slots
    time.sleep(max(0.0, begin_at - time.time()))
    began, cpu = time.time(), time.process_time()
    submit(count)
    told = {"began": began, "ended": time.time(), "cpu": time.process_time() - cpu}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
