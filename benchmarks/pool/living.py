"""In a process of its own: submits tasks while the pool is paused, lets them go, and waits until all
have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.requests.submission import Submission
from ingestion.services.worker_pool import get_worker_pool

WARM_UP = 20
WAIT_SECONDS = 300


def main(count: int, parameter: str) -> None:
    name, _, value = parameter.partition("=")
    asked = Submission("arrivy", "tasks", {name: int(value)} if name else None)
    pool = get_worker_pool()
    pool.submit_many([Submission("arrivy", "tasks")] * WARM_UP)
    until(lambda now: not (now.active_count or now.queued_count))
    pool.pause()
    pool.submit_many([asked] * count)
    pool.resume()
    until(lambda now: not (now.active_count or now.queued_count))


def until(is_reached: Callable[[PoolSnapshot], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if is_reached(get_worker_pool().peek()):
            return
        time.sleep(0.2)
    raise TimeoutError(f"not all tasks have ended after {WAIT_SECONDS} s")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
