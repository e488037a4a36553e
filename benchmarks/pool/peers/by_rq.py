"""RQ: https://python-rq.org/docs/."""

from __future__ import annotations

import os

from redis import Redis
from rq import Queue

from benchmarks.pool import runs

queue = Queue("bench", connection=Redis.from_url(os.environ["BENCH_BROKER_URL"]))


def submit(count: int, milliseconds: float = 0) -> None:
    for _ in range(count):
        queue.enqueue(runs.run, milliseconds, result_ttl=0)
