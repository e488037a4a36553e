"""In a process of its own: how long so many submissions take, into a pool whose slots are taken."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

LIMIT = 2
PAGE = 10_000
Submit = Callable[[int], None]


def here(together: bool) -> Submit:
    from ingestion.services.requests.submission import Submission
    from ingestion.services.worker_pool import get_worker_pool

    pool = get_worker_pool()

    def one_by_one(count: int) -> None:
        for _ in range(count):
            pool.submit_task("arrivy", "tasks")

    def all_at_once(count: int) -> None:
        for start in range(0, count, PAGE):
            pool.submit_many([Submission("arrivy", "tasks")] * min(PAGE, count - start))

    return all_at_once if together else one_by_one


def celery() -> Submit:
    from benchmarks.pool.plain import app

    def send(count: int) -> None:
        with app.producer_pool.acquire() as producer:
            for _ in range(count):
                app.send_task("plain.work", args=[0], producer=producer)

    return send


CONTENDERS: dict[str, Callable[[], Submit]] = {
    "pool": lambda: here(together=False),
    "pool, submit_many": lambda: here(together=True),
    "Celery": celery,
}


def main(contender: str, count: int, begin_at: float) -> None:
    """Prints JSON: when it began and ended, seconds of CPU."""
    submit = CONTENDERS[contender]()
    submit(2 * LIMIT)  # imports, connections and slots
    time.sleep(max(0.0, begin_at - time.time()))
    began, cpu = time.time(), time.process_time()
    submit(count)
    told = {"began": began, "ended": time.time(), "cpu": time.process_time() - cpu}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
