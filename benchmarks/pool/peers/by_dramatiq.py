"""dramatiq: https://dramatiq.io/guide.html."""

from __future__ import annotations

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.pool import runs

dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_BROKER_URL"]))


@dramatiq.actor
def work(milliseconds: float) -> None:
    runs.run(milliseconds)


def submit(count: int, milliseconds: float = 0) -> None:
    for _ in range(count):
        work.send(milliseconds)
